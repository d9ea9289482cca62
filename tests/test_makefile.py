"""The Makefile: help without an environment, variables passed on unchanged, an environment built only when needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.cli import cli

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(cli.commands)
VARIABLES = (
    "DATA",
    "DATASET",
    "PRESET",
    "TEACHER",
    "STUDENT",
    "SEED",
    "EPOCHS",
    "BATCH_SIZE",
    "DEVICE",
    "WORKERS",
    "NPROC",
    "BACKEND",
)


def make(*arguments, folder=ROOT):
    # A make that runs these tests must not pass its own flags and variables on.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_make_alone_prints_help_with_every_target_and_default():
    shown = make()
    assert shown.returncode == 0
    for target in [*COMMANDS, "setup", "test", "lint", "bench", "clean"]:
        assert re.search(rf"^  {target} ", shown.stdout, re.MULTILINE), target
    for variable in VARIABLES:
        assert re.search(rf"^  {variable} +\S+", shown.stdout, re.MULTILINE), variable


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_target(command):
    assert f"-m stages {command}" in make("-n", command, "PYTHON=python3").stdout


def test_variables_reach_the_command_unchanged():
    shown = make("-n", "distill", "PYTHON=python3", "TEACHER=swin", "LEARNING_RATE=1e-4", "DATA=a folder/x").stdout
    assert shown.strip() == "python3 -m stages distill --data 'a folder/x' --learning-rate '1e-4' --teacher 'swin'"


def test_a_quote_in_a_value_reaches_the_command(tmp_path):
    shown = make("plan", f"PYTHON={sys.executable}", "PRESET=smoke", f"DATA={tmp_path}/it's not there")
    assert f"There is no dataset at {tmp_path}/it's not there" in shown.stderr


def test_a_given_interpreter_needs_no_environment():
    assert ".venv" not in make("-n", "report", "PYTHON=python3").stdout


def test_an_unknown_variable_is_an_error():
    shown = make("plan", f"PYTHON={sys.executable}", "TEECHER=swin")
    assert shown.returncode != 0
    assert "No such option" in shown.stderr
    assert "--teecher" in shown.stderr


@pytest.fixture
def clone(tmp_path):
    for name in ("Makefile", "setup.cfg", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def touch(path, seconds):
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))


def test_the_environment_is_built_when_missing_or_outdated_and_not_otherwise(clone):
    now = 2_000_000_000
    assert "-m venv .venv" in make("-n", "setup", folder=clone).stdout
    touch(clone / ".venv" / ".made", now)
    assert "-m venv" not in make("-n", "report", folder=clone).stdout
    for name in ("setup.cfg", "constraints.txt"):
        touch(clone / name, now + 10)
        assert "-m venv .venv" in make("-n", "report", folder=clone).stdout
        touch(clone / name, now - 10)


def test_only_synthetic_faces_and_their_tests_need_their_extra(clone):
    touch(clone / ".venv" / ".made", 2_000_000_000)
    for target in ("synthesize", "pretrain", "test"):
        assert ".[synth]" in make("-n", target, folder=clone).stdout
    assert ".[synth]" not in make("-n", "report", folder=clone).stdout


def test_another_python_is_refused_with_the_version(clone):
    fake = clone / "python2"
    fake.write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9); exec(sys.argv[1])" "$2"\n')
    fake.chmod(0o755)
    shown = make("setup", f"BASE_PYTHON={fake}", folder=clone)
    assert shown.returncode != 0
    assert "needs Python 3.11 or 3.12" in shown.stderr
    assert not (clone / ".venv" / ".made").exists()
