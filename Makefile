# paindistill: every target makes .venv when it is missing or out of date, then runs the command of the same name.
# Variables become options unchanged: `make distill TEACHER=swin EPOCHS=10` runs `paindistill distill --teacher swin --epochs 10`.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.DELETE_ON_ERROR:

COMMANDS := index align resize window split teacher teacher-labels verify-labels distill evaluate sweep report predict export explain serve compress benchmark-student status plan gc
SYNTH_COMMANDS := synthesize pretrain

# Every variable given on make's command line is an option, but for these.
OWN := PYTHON BASE_PYTHON TESTS
given := $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $v)),$(filter-out $(OWN),$v)))
flag = $(shell printf '%s' '$1' | tr 'A-Z_' 'a-z-')
# A quote inside a value ends the quoted word, adds itself, and begins it again.
quote := '
options = $(foreach v,$(sort $(given)),--$(call flag,$v) '$(subst $(quote),'\'',$($v))')

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

.PHONY: help setup test lint attack bench bench-scale bench-gpu clean $(COMMANDS) $(SYNTH_COMMANDS)

define HELP
paindistill: which teacher transfers better to a small student, and how small may the student be?

Two commands:   make report    everything, on the shipped demo set or with DATA=/path/to/dataset
                make test      lint, tests, coverage

Six tasks:      make report TASK=pain                pain or no pain on a face; the task where none is named
                make report TASK=expression          seven expressions: anger, disgust, fear, happiness ...
                make report TASK=skin-conductance    no heat pain or one of four levels, from 5.5 s of signal
                make report TASK=fire-smoke          fire? smoke? teachers see RGB and infrared, students RGB
                make report TASK=intensity           how strong is the expression of pain: PSPI, or a number
                make report TASK=landmarks           where are 68, 98 or 29 points of the face

Each target first makes what it needs; what is fresh is reused.

  setup            .venv with the tested versions (done by every other target)
  index            list the samples of the raw dataset          DATA DATASET COLUMNS CHANNEL MAX_SKIPPED
  align            find every face once, warp it to 256 px     ALIGN BOX FACE_SIZE MARGIN MIN_FACE WORKERS
  resize           bring every frame, RGB and infrared, to one size   FRAME_SIZE FILTERS
  window           clean every signal, one rate, length, scale   CHANNEL RATE_HZ SECONDS SMOOTH_WINDOW SCALING
  split            train, validation, test without a subject in two   SEED TRAIN VAL CV OFFICIAL UNSEEN
  teacher          train the teachers                          TEACHER TRUTH_LOSS SHAPE_SHARE EPOCHS ...
  teacher-labels   each teacher answers once for faces, views  TEACHER VIEWS FOLDS FEATURES MIX ...
  verify-labels    ask the teachers again for some faces       TEACHER SHARE
  distill          train the students from the caches          TEACHER STUDENT LOSS LABELLED VIEWS FOLDS ...
  evaluate         measure teachers and students               TEACHER STUDENT SEED REPLICATES
  sweep            a grid of students, a row each in runs.csv  TEACHERS STUDENTS LOSSES VIEWS FOLDS SEEDS
  report           compare them in one page                    TEACHER STUDENT SEED EXAMPLES EXPLAINED
  predict          recognise it in pictures, videos, of a camera, in signals   INPUT OUT MODEL STRIDE RESUME
  export           a trained network as ONNX, for timm or for torch, compared   MODEL FORMAT OUT
  compress         a smaller network: pruned, in int8, or both   INT8 PRUNE ROLE HARM REDUCE_RANGE
  benchmark-student  size, speed, accuracy of a network and its compressed forms   ROLE TIMING_S
  explain          heat maps: which parts of a face an answer rests on   INPUT SAMPLE METHOD OUTPUT MODEL
  serve            a page and an API for pictures, videos, the visitor's camera   MODEL PORT HOST WORKERS
  status           what the cache holds: fresh, missing, partial, damaged, stale   VERIFY
  plan             what `make report` would run, and why
  gc               remove what no task needs under these options   YES
  synthesize       render faces, simulate signals, paint frames   FORM N OUT SEED HEIGHT QUALITY
  pretrain         pretrain the demo set's small backbones     N SEED VIEWS_STRENGTH OUT
  test             ruff, then pytest; coverage of what is not slow   TESTS
  lint             ruff check and format --check
  attack           kills, damage, hostile values; half an hour   SEED ONLY SCALE
  bench            benchmarks, written to bench.json and bench.md
  bench-scale      every stage over many faces, its time and memory   N
  bench-gpu        the figures of a CUDA device; skipped without one
  clean            remove .venv and build files; the cache stays

  variable        default                  meaning
  TASK            pain                     what is asked: pain, expression, skin-conductance, fire-smoke,
                                           intensity, landmarks
  LEVELS          all                      of a task of levels those asked: 0,4; or joined: '0|1,2|3,4'
  LABELS          the task's               of a task of yes-or-no labels the columns asked: fire,smoke
  TARGET          the task's               of a task of a number the column asked, with its RANGE: 0,27
  POINTS          68                       of a task of points, how many: 68, 98, 29
  DATA            the task's demo set      folder or CSV file of the raw dataset; several with commas
  DATASET         auto                     its form: synpain, folders, csv, frames, flame2, ferplus, rafdb,
                                           affectnet, parquet, npz, biovid, 300w, wflw, cofw, unbc
  COLUMNS                                  other names of a table's columns: rgb_frame=image,clip=flight
  ALIGN           mtcnn                    none: pictures show aligned or cropped faces, resize them
  BOX             mtcnn                    points, dataset: cut faces out by true points, by given boxes
  FILTERS                                  frames: stretch, clahe, median, then minmax; several with commas
  CHANNEL         gsr                      signals: a channel of the files' header, or several: gsr,ecg
  RATE_HZ         0                        signals: steps a second, filtered against aliasing; 0: the files'
  SCALING         subject                  signals: subject (mean and deviation over all of a person),
                                           window (0 to 1 each), none
  CV              demo 5 *                 outer folds over people: 5; subject: leave one out; 0: one split
  SPLIT_BY        subject                  sample: samples, whoever's: a leak, with I_KNOW_IT_LEAKS=1
  PRESET          demo; paper with DATA    demo, paper, smoke: models and schedules
  TEACHER         resnet,swin,none *       families or timm names; none: no teacher; a+b: two of one student;
                                           tough=resnet18+tolerant=resnet18: each in its role
  STUDENT         deit *                   family or timm name
  SEED            demo 0, paper 0,1,2 *    seeds of the students (of the split or teacher for those targets)
  LOSS            hard *                   label, hard, soft, dkd, dist, cosine, hint, attention, rkd,
                                           contrastive, features, relation; of numbers smooth_l1, ccc; of
                                           points wing, main, assistive, kd; or a sum: soft:0.7,hint:0.3;
                                           several, in LOSSES:
                                           hard,soft:0.7+hint:0.3; of one of several teachers: soft@swin
  TRUTH_LOSS      label *                  what teachers, and students without one, learn: a loss of the truth
  CONSTANTS       paper                    of main, assistive, kd; code: those of the authors' code
  SHAPE_SHARE     0.9                      teachers of soft points: variance that their shape model keeps
  LABELLED        demo 10,0, else 0 *      training subjects whose true labels students know, or their share;
                                           0: all; several to compare: 10,50,0
  VIEWS           1 *                      labelled views of each training face; 1: the face itself
  FOLDS           0                        teachers, each labelling subjects it has not seen; 0: one teacher
  MIX             none *                   cutmix or mixup: views with another face in them, for VIEWS above 1
  MIX_PROBABILITY 1 *                      share of the views that are mixed
  VIEWS_STRENGTH  demo strong *            strong: views that break the look of pictures, too; else plain
  ONLINE          false                    ask the teacher in every step instead of its cache
  TEMPERATURE     4                        of the losses that soften logits
  EPOCHS          demo 2, paper 30 *       passes over the training faces (TEACHER_EPOCHS: the teachers')
  BATCH_SIZE      demo 16, paper 64 *      faces per step
  OPTIMIZER       adam *                   adam, adamw, sgd; beside it WEIGHT_DECAY CLIP_NORM LABEL_SMOOTHING
  SCHEDULE        step *                   step, cosine, constant, plateau, inverse; with WARMUP_EPOCHS ...
  SAMPLING        shuffle *                balanced: every class, or level of a number, is drawn equally often
  STOP_ON         val_loss *               column of history.csv that chooses the epoch
  PATIENCE        0 *                      epochs without a better one that end the training; 0: none do
  EMA             0                        decay of an average of the weights, which is then used; 0: none
  WEIGHTS         demo shipped, paper hub  initial weights: hub, shipped, random, or a file
  DEVICE          auto                     cpu, cuda, cuda:N
  WORKERS         0                        processes; 0 uses every core
  NPROC           1                        processes that train or label (TEACHER_NPROC, LABELS_NPROC)
  BACKEND         loky                     who aligns: loky (here), dask, ray; SCHEDULER: their address
  CACHE           cache                    folder of artifacts
  PYTHON          .venv/bin/python         an interpreter that has the packages; no .venv is made
  BASE_PYTHON     python3                  the interpreter that .venv is made with

  * of TASK=pain; the presets of the other tasks have their own, the README shows them.

Every option of a command is a variable: `paindistill distill --help` lists them,
--learning-rate is LEARNING_RATE. Give them after the target, `make distill TEACHER=swin EPOCHS=10`:
those of the shell are not read.
endef
export HELP

help:
	@printf '%s\n' "$$HELP"

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

test: lint $(synth_environment)
	$(python) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --cov=pipeline --cov=stages --cov-report=term:skip-covered --cov-fail-under=90 $(TESTS)

attack: $(environment)
	$(python) -m tests.attacks $(options)
	$(if $(ONLY),,$(python) -m pytest --every-command tests/stages/test_options.py tests/stages/test_hostile_options.py)

bench: $(synth_environment)
	$(python) -m tests.benchmarks

bench-scale: $(environment)
	$(python) -m tests.benchmarks.scale $(if $(N),--n $(N))

bench-gpu: $(environment)
	$(python) -m tests.benchmarks.gpu

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .coverage predictions explained
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
	@echo "cache/ is kept: make gc removes what nobody needs, rm -r cache/<dataset> everything."
