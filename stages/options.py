"""Command-line options from config dataclasses: their help, type and default stand there and nowhere else."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from pipeline import presets
from pipeline.artifacts.names import bounded
from pipeline.artifacts.raw_data import name_of, paths_of
from pipeline.artifacts.store import ArtifactStore
from pipeline.config import DEMO_SETS, NO_TEACHER, REPOSITORY, DistillConfig, TrainingConfig, ViewsConfig
from pipeline.errors import ConfigError
from pipeline.fields import read_number, read_whole
from pipeline.presets import Preset
from pipeline.tasks import DEFAULT, PAIN, TASKS, Task, find
from pipeline.tasks.objective import canonical
from pipeline.tasks.schemes import SCHEMES
from stages import params
from stages.graph import Selection, upstream

# The options of a stage that feeds the command's own stage carry its name: `distill --teacher-epochs`.
PREFIXES = {"split": "split_", "train_teacher": "teacher_", "teacher_labels": "labels_"}
# One command's stages have seeds of different meaning.
RENAMED = {(stage, "seed"): "bootstrap_seed" for stage in ("evaluate", "benchmark", "report")}
# The whole study is divided so: these have one name in every command.
RENAMED |= {("split", "cv"): "cv", ("split", "by"): "split_by", ("split", "i_know_it_leaks"): "i_know_it_leaks"}
# Chosen by options that select models rather than by fields.
SELECTED = {"architecture", "teacher", "student", "loss", "views", "folds", "fold", "labelled", "task", "learns"}
SELECTED |= {"trained", "lacking"}
# Labels and students must agree on these: one option sets both.
SHARED = {field.name for field in dataclasses.fields(ViewsConfig)}
# Only the command that makes the labels asks for features by name; a loss that needs some asks for them itself.
OWN_COMMAND = {("teacher_labels", "features")}
# Lists of numbers are bounded like the fields that they fill.
LISTED = {
    "SEED": (TrainingConfig, "seed", "0,1,2"),
    "VIEWS": (ViewsConfig, "views", "1,6"),
    "FOLDS": (ViewsConfig, "folds", "0,2,4"),
}
SWEEPS = ", ".join(f"{name} (TASK={task.name})" for task in TASKS.values() for name in task.sweeps)
ASKED = ("levels", "labels", "target", "bounds", "points")  # options that say how a task is asked
MOST_RUNS = 10_000  # students that one command may ask for
SHOWN = {name: presets.preset(PAIN, name) for name in presets.PRESETS}  # whose defaults the help shows


@dataclasses.dataclass(frozen=True)
class Target:
    """One option of a command: its flag and the config fields it sets."""

    name: str
    field: dataclasses.Field
    places: tuple[tuple[str, str], ...]  # (stage, field name)


def targets(stage: str) -> dict[str, Target]:
    """The options of the command of ``stage``, by name: its own fields, then those of the stages upstream."""
    found: dict[str, Target] = {}
    for where in (stage, *upstream(stage)):
        prefix = "" if where == stage else PREFIXES.get(where, "")
        for field in dataclasses.fields(getattr(SHOWN["demo"], where)):
            if field.name in SELECTED or (where, field.name) == ("distill", "seed"):
                continue
            if (where, field.name) in OWN_COMMAND and where != stage:
                continue
            default = field.name if field.name in SHARED else prefix + field.name
            name = RENAMED.get((where, field.name), default)
            known = found.get(name)
            places = (*(known.places if known else ()), (where, field.name))
            found[name] = Target(name, known.field if known else field, places)
    return found


def config_options(stage: str, *, models: str = "") -> Callable:
    """Decorate a command with every option of its stage and those upstream.

    Parameters
    ----------
    stage : its name (``align``, ``train_teacher`` …).
    models : what the command selects: ``""``, ``"teacher"`` (one or more), ``"labels"`` (of which teachers) or
        ``"students"``.
    """

    def decorate(command: Callable) -> Callable:
        for target in reversed(targets(stage).values()):
            command = _option(target)(command)
        command = common_options(command)
        for option in reversed(_selection_options(models)):
            command = option(command)
        return command

    return decorate


def common_options(command: Callable) -> Callable:
    """Decorate a command with the options of all commands: the task and its variants, preset and cache."""
    for option in reversed(_common_options()):
        command = option(command)
    return command


def field_options(config: type) -> Callable:
    """Decorate a command with an option for each field of one config class."""

    def decorate(command: Callable) -> Callable:
        for field in reversed([f for f in dataclasses.fields(config) if f.name not in SELECTED]):
            command = _click_option(field.name, field, _shown(field.default))(command)
        return command

    return decorate


def _option(target: Target) -> Callable:
    stage, name = target.places[0]
    values = {preset: getattr(getattr(shown, stage), name) for preset, shown in SHOWN.items()}
    if name == "data":
        shown = "data/demo/pain"
    elif len(set(values.values())) == 1:
        shown = _shown(next(iter(values.values())))
    else:
        shown = ", ".join(f"{preset} {_shown(value)}" for preset, value in values.items())
    return _click_option(target.name, target.field, shown, default=None)


def _click_option(name: str, field: dataclasses.Field, shown: str, **default: Any) -> Callable:
    default = default or {"default": field.default}
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        type=params.of(field),
        help=f"{field.metadata['help']}  [default: {shown}]" if shown else field.metadata["help"],
        **default,
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _common_options() -> list[Callable]:
    return [
        click.option(
            "--task",
            type=params.Text(),
            default=DEFAULT,
            help=f"What is asked: {', '.join(TASKS)}.  [default: {DEFAULT}]",
        ),
        click.option(
            "--levels",
            type=params.Text(),
            help="Of a task of levels, those that are asked: 0,4; or, joined to classes, 0|1,2|3,4.  [default: all]",
        ),
        click.option(
            "--labels",
            type=params.Text(),
            help="Of a task of yes-or-no labels, the columns of 0 and 1 that are asked: fire,smoke.  [default: the "
            "task's]",
        ),
        click.option(
            "--target",
            type=params.Text(),
            help="Of a task of a number, the column of the table that is asked, with its RANGE: phq_score.  [default: "
            "the task's]",
        ),
        click.option(
            "--range",
            "bounds",
            type=params.Text(),
            help="Lowest and highest value of that number: 0,27.  [default: the task's]",
        ),
        click.option(
            "--points",
            type=params.OneOf(tuple(map(str, SCHEMES))),
            help="Of a task of points, how many there are.  [default: the task's]",
        ),
        click.option(
            "--preset",
            type=params.OneOf(presets.PRESETS),
            help="Models and schedules.  [default: demo, paper with DATA]",
        ),
        click.option(
            "--cache",
            type=params.Place(),
            default=REPOSITORY / "cache",
            help="Folder of artifacts.  [default: cache]",
        ),
    ]


def _selection_options(models: str) -> list[Callable]:
    if not models:
        return []
    teacher = "Teachers, separated by commas: families (resnet, swin) or timm names; a+b teach one student together"
    option = partial(click.option, type=params.Text())
    views = option(
        "--views",
        help="Views of each training face that the teacher labels, several numbers to compare; 1: the face itself.  "
        "[default: demo 1,6, else 1]",
    )
    folds = option(
        "--folds",
        help="Cross-fitted teachers, each labelling the subjects it has not seen, several numbers to compare; 0: one "
        "teacher.  [default: 0]",
    )
    if models in ("teacher", "labels"):
        teachers = option("--teacher", "--teachers", help=f"{teacher}.  [default: resnet,swin]")
        return [teachers, *([views] if models == "labels" else []), folds]
    return [
        option("--teacher", "--teachers", help=f"{teacher}, or none for no teacher.  [default: resnet,swin,none]"),
        option("--student", "--students", help="Students: families (deit) or timm names.  [default: deit]"),
        option("--loss", help="One loss: a name or a sum such as soft:0.7,hint:0.3.  [default: hard]"),
        option(
            "--losses",
            help=f"Several, separated by commas, sums with a plus: hard,soft:0.7+hint:0.3; or a named sweep: {SWEEPS}.",
        ),
        views,
        folds,
        option(
            "--labelled",
            help="Training subjects whose true labels the student knows, chosen by its seed: a number, or, below 1, a "
            "share; several to compare; 0: all. Teachers, and the validation that chooses epochs, know all labels.  "
            "[default: 0]",
        ),
        option("--seed", "--seeds", help="Seeds of the students.  [default: 0,1,2; smoke 0]"),
    ]


def configured(values: dict[str, Any], stage: str) -> Preset:
    """The task's preset with the options that were given.

    Raises
    ------
    ConfigError : there is no such task, it cannot be asked so, or a preset that needs data has none.
    """
    data = values.get("data")
    name = values["preset"] or (presets.NEEDS_DATA if data else "demo")
    task = asked(values)
    shipped = not data or os.path.realpath(data) == os.path.realpath(DEMO_SETS / task.demo)
    preset = presets.preset(task, name, shipped)
    values = {**values, "data": data or preset.data}
    if not values["data"]:
        raise ConfigError(f"PRESET={preset.name} needs a dataset: give its folder or CSV file as DATA=/path/to/it")
    given: dict[str, dict[str, Any]] = {}
    for target in targets(stage).values():
        if values.get(target.name) is not None:
            for where, field in target.places:
                given.setdefault(where, {})[field] = values[target.name]
    return preset.changed({**given, "data": values["data"]})


def asked(values: dict[str, Any]) -> Task:
    """The task that a command's options name, asked as they say.

    Raises
    ------
    ConfigError : there is none, or it cannot be asked so.
    """
    given = {name: values.get(name) for name in ASKED}
    points = given.pop("points")
    return find(values["task"], **given, points=int(points) if points else None)


def selection(preset: Preset, values: dict[str, Any]) -> Selection:
    """The grid that a command's options of models name, or the preset's.

    Raises
    ------
    ConfigError : a list that names nothing; seeds, views, folds or labelled subjects that are no numbers within their
        bounds; a loss that nobody knows; more students than anybody means.
    """
    losses = [loss for name in _names("LOSSES", values) for loss in preset.task.sweeps.get(name.lower(), (name,))]
    if values.get("loss") is not None:
        losses = [values["loss"]]
    chosen = Selection(
        teachers=_names("TEACHER", values) or (*preset.teachers, NO_TEACHER),
        students=_names("STUDENT", values) or preset.students,
        seeds=_numbers("SEED", values) or preset.seeds,
        losses=tuple(dict.fromkeys(map(canonical, losses or preset.losses))),
        views=_numbers("VIEWS", values) or preset.views,
        folds=_numbers("FOLDS", values, wrong=(1,)) or preset.folds,
        labelled=_budgets(values) or preset.labelled,
    )
    if len(chosen) > MOST_RUNS:
        raise ConfigError(
            f"These lists ask for {len(chosen):,} students, at most {MOST_RUNS:,} go together. Shorten them."
        )
    return chosen


def store_for(preset: Preset, cache: Path) -> ArtifactStore:
    """The store of the preset's dataset, ``cache/<name of the data folder, or of its file without suffix>/``.

    Raises
    ------
    ConfigError : that is the dataset itself.
    """
    root = cache / dataset_name(preset)
    if os.path.realpath(root) in map(os.path.realpath, paths_of(preset.data)):  # unlike resolve(), never fails on loops
        raise ConfigError(f"The artifacts would lie in the dataset itself, {root}. Choose another folder: CACHE=")
    return ArtifactStore(root)


def dataset_name(preset: Preset) -> str:
    """``demo-<name>`` for a shipped set, else the name of the data folder, or of its file without suffix; several with
    a plus between them."""
    names = [(path.resolve().parent == DEMO_SETS, name_of(path)) for path in paths_of(preset.data)]
    return bounded("+".join(f"demo-{name}" if shipped else name for shipped, name in names))


def listed(name: str, text: str) -> tuple[str, ...]:
    """The parts of an option's text, between commas.

    Raises
    ------
    ConfigError : there are none.
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise ConfigError(f"{name}={text} names nothing. Leave {name} out for the preset's, or name some: {name}=a,b")
    return parts


def _numbers(name: str, values: dict[str, Any], wrong: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The whole numbers of an option, in their order, each once."""
    config, field, example = LISTED[name]
    bounds = config.__dataclass_fields__[field].metadata
    least, most = bounds["least"], bounds["most"]
    numbers = tuple(map(read_whole, _names(name, values)))
    if not all(number is not None and least <= number <= most and number not in wrong for number in numbers):
        but = f", but not {', '.join(map(str, wrong))}" if wrong else ""
        raise ConfigError(
            f"{name}={values[name.lower()]}: expected whole numbers{but}, separated by commas, from {least} to {most}, "
            f"such as {name}={example}"
        )
    return tuple(dict.fromkeys(numbers))


def _budgets(values: dict[str, Any]) -> tuple[float, ...]:
    """The numbers and shares of labelled subjects, in their order, each once."""
    most = DistillConfig.__dataclass_fields__["labelled"].metadata["most"]
    numbers = tuple(map(read_number, _names("LABELLED", values)))
    if not all(number is not None and 0 <= number <= most and (number < 1 or number % 1 == 0) for number in numbers):
        raise ConfigError(
            f"LABELLED={values['labelled']}: expected numbers of subjects up to {most}, or shares below 1, separated "
            "by commas; 0: all. For example LABELLED=10,0.25,0"
        )
    return tuple(dict.fromkeys(number + 0.0 for number in numbers))  # of -0.0 one 0


def _names(name: str, values: dict[str, Any]) -> tuple[str, ...]:
    """The parts of an option that is a list; none where it is not given, or is a number, another command's seed."""
    text = values.get(name.lower())
    return listed(name, text) if isinstance(text, str) else ()
