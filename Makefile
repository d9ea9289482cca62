# paindistill: every target makes .venv when it is missing or out of date, then runs the command of the same name.
# Variables become options unchanged: `make distill TEACHER=swin EPOCHS=10` runs `paindistill distill --teacher swin --epochs 10`.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.DELETE_ON_ERROR:

COMMANDS := index align split teacher teacher-labels verify-labels distill evaluate report predict status plan gc
SYNTH_COMMANDS := synthesize pretrain

# Every variable given on make's command line is an option, but for these.
OWN := PYTHON BASE_PYTHON TESTS
given := $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $v)),$(filter-out $(OWN),$v)))
flag = $(shell printf '%s' '$1' | tr 'A-Z_' 'a-z-')
options = $(foreach v,$(sort $(given)),--$(call flag,$v) '$($v)')

# The environment: .venv, or the interpreter given as PYTHON=.
BASE_PYTHON ?= python3
ifdef PYTHON
python := $(PYTHON)
environment :=
synth_environment :=
else
python := .venv/bin/python
environment := .venv/.made
synth_environment := .venv/.made-synth
endif
install = $(python) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help setup test lint bench clean $(COMMANDS) $(SYNTH_COMMANDS)

help:
	@cat data/help.txt

setup: $(environment)

.venv/.made: setup.cfg constraints.txt
	@$(BASE_PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"paindistill needs Python 3.11 or 3.12, $(BASE_PYTHON) is {v[0]}.{v[1]}: make setup BASE_PYTHON=python3.11")'
	@echo "Building .venv, once; it takes a few minutes." >&2
	$(BASE_PYTHON) -m venv .venv
	$(install) '.[dev]'
	@touch $@

.venv/.made-synth: .venv/.made
	$(install) '.[synth]'
	@touch $@

$(COMMANDS): $(environment)
	@$(python) -m stages $@ $(options)

$(SYNTH_COMMANDS): $(synth_environment)
	@$(python) -m stages $@ $(options)

lint: $(environment)
	$(python) -m ruff check .
	$(python) -m ruff format --check .

test: lint
	$(python) -m pytest --cov=pipeline --cov=stages --cov-report=term:skip-covered --cov-fail-under=85 $(TESTS)

bench: $(environment)
	$(python) -m pytest tests/benchmarks --benchmark-json=bench.json

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .coverage predictions
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
	@echo "cache/ is kept: make gc removes what nobody needs, rm -r cache/<dataset> everything."
