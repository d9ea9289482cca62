"""What it takes to make a report again: the preset, what was changed from it, the commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import presets
from pipeline.artifacts.store import Artifact
from pipeline.config import DEMO_SETS, NO_TEACHER, REPOSITORY, UNITS, as_dict, fingerprinted
from pipeline.presets import Preset
from pipeline.reporting.runs import Run
from pipeline.tasks import DEFAULT, Task, find
from pipeline.tasks.objective import canonical
from pipeline.tasks.task import JOINED

# Stages whose config a preset holds, under the stage's name.
CONFIGURED = ("index", "align", "resize", "window", "split", "train_teacher", "distill", "evaluate")
# Chosen on the command line, one or several, not part of a preset.
SELECTED = {"seed", "teacher", "student", "loss", "views", "folds", "fold", "labelled"}
# Options of a split that the command names itself, by their fields.
DIVIDED = {"cv": "CV", "by": "SPLIT_BY"}


def is_demo(samples: Artifact) -> bool:
    """Whether the samples are a shipped synthetic set."""
    return all(place.parent == DEMO_SETS for place in _places(samples))


def closest_preset(artifacts: list[Artifact], task: Task) -> tuple[Preset, list[str]]:
    """The task's preset that explains the artifacts' settings best, and the settings that it does not explain.

    Parameters
    ----------
    task : as a record has it, which holds no presets.
    """
    known = find(task.name)
    task = replace(task, presets=known.presets, study=known.study)
    indexed = [artifact for artifact in artifacts if artifact.record["stage"] == "index"]
    shipped = all(_places(samples) == [(DEMO_SETS / task.demo).resolve()] for samples in indexed)
    every = [presets.preset(task, name, shipped) for name in presets.PRESETS]
    changes = {preset.name: _changes(preset, artifacts) for preset in every}
    best = min(every, key=lambda preset: len(changes[preset.name]))
    return best, changes[best.name]


def commands(
    samples: Artifact,
    runs: list[Run],
    preset: Preset,
    split: Mapping[str, Any] | None = None,
    benchmark: bool | None = None,
) -> list[str]:
    """The command that makes this report, and the one that shows what it would do.

    Parameters
    ----------
    split : config of the split, or of any outer fold; None where it is the preset's.
    benchmark : whether the report asks for compressed forms; None where it is as the preset has it.
    """
    words = ["make", "report"]
    words += [f"TASK={preset.task.name}"] if preset.task.name != DEFAULT else []
    words += OUTPUTS[preset.task.kind](preset.task)
    elsewhere = not preset.data or [Path(preset.data).resolve()] != _places(samples)
    if elsewhere:
        words += [f"DATA={shlex.quote(','.join(map(_public, _places(samples))))}"]
    if preset.name != (presets.NEEDS_DATA if elsewhere else "demo"):
        words += [f"PRESET={preset.name}"]
    words += _divided(split or {}, preset)
    students = [run for run in runs if not run.is_teacher]
    words += _unless("TEACHER", [run.model.config["teacher"] for run in students], (*preset.teachers, "none"))
    words += _unless("STUDENT", [run.model.config["student"] for run in students], preset.students)
    taught = [run.recipe for run in students if run.recipe.teacher != NO_TEACHER]
    words += _unless("LOSSES", [_written(r.loss) for r in taught], tuple(_written(loss) for loss in preset.losses))
    words += _unless("VIEWS", [str(recipe.views) for recipe in taught], tuple(map(str, preset.views)))
    words += _unless("FOLDS", [str(recipe.folds) for recipe in taught], tuple(map(str, preset.folds)))
    words += _unless(
        "LABELLED", [f"{run.recipe.labelled:g}" for run in students], tuple(f"{n:g}" for n in preset.labelled)
    )
    words += _unless("SEED", [str(run.seed) for run in students], tuple(map(str, preset.seeds)))
    words += [] if benchmark in (None, preset.report.benchmark) else [f"BENCHMARK={int(benchmark)}"]
    return [" ".join(words), " ".join(["make", "plan", *words[2:]])]


def _levels(task: Task) -> list[str]:
    """``LEVELS=…`` where not every level is a class of its own, ``LABELS=…`` where the labels are others."""
    classes = [name.split(JOINED) for name in task.outputs]
    if task.outputs == find(task.name).outputs:
        return []
    if not task.ordered:
        return [f"LABELS={shlex.quote(','.join(task.outputs))}"]
    text = "|".join(map(",".join, classes)) if any(len(levels) > 1 for levels in classes) else ",".join(task.outputs)
    return [f"LEVELS={shlex.quote(text)}"]


def _number(task: Task) -> list[str]:
    """``TARGET=… RANGE=…`` where the number is another, or within other bounds."""
    usual = find(task.name)
    if (task.target, task.bounds) == (usual.target, usual.bounds):
        return []
    asked = [f"TARGET={shlex.quote(task.target)}"] if task.target != usual.target else []
    return [*asked, f"RANGE={','.join(f'{end:g}' for end in task.bounds)}"]


def _points(task: Task) -> list[str]:
    """``POINTS=…`` where the set of points is another."""
    return [f"POINTS={len(task.outputs)}"] if len(task.outputs) != len(find(task.name).outputs) else []


# By kind of task, the options that say what is asked where the task asks for something else.
OUTPUTS = {"classify": _levels, "multilabel": _levels, "regress": _number, "points": _points}


def _divided(split: Mapping[str, Any], preset: Preset) -> list[str]:
    """How the subjects are divided, where the preset divides them otherwise."""
    usual = vars(preset.split)
    words = [
        f"{option}={split[name]}" for name, option in DIVIDED.items() if split.get(name, usual[name]) != usual[name]
    ]
    return words + (["I_KNOW_IT_LEAKS=1"] if split.get("by", UNITS[0]) != UNITS[0] else [])


def _places(samples: Artifact) -> list[Path]:
    """Where the pictures lie: one place or several, joined by commas."""
    return [Path(part).resolve() for part in samples.config["data"].split(",")]


def _public(place: Path) -> str:
    """A place without the folders of whoever made the report."""
    return str(place.relative_to(REPOSITORY)) if place.parent == DEMO_SETS else f"/path/to/{place.name}"


def _written(loss: str) -> str:
    """A loss as a list of losses has it."""
    return canonical(loss).replace(",", "+")


def _unless(name: str, chosen: list[str], usual: tuple[str, ...]) -> list[str]:
    """``NAME=a,b`` unless the values are the usual ones."""
    values = list(dict.fromkeys(chosen))
    return [f"{name}={','.join(values)}"] if values and set(values) != set(usual) else []


def _changes(preset: Preset, artifacts: list[Artifact]) -> list[str]:
    """``stage: field = value (preset: value)`` for every setting that the preset does not explain."""
    changes: dict[str, None] = {}
    for artifact in artifacts:
        stage = artifact.record["stage"]
        if stage in CONFIGURED:
            config = getattr(preset, stage)
            expected = as_dict(config) | fingerprinted(config) | _architecture(preset, artifact)
            for name, value in artifact.record["fingerprinted"].items():
                if name not in SELECTED | DIVIDED.keys() and _known(value) != _known(expected.get(name)):
                    now, usual = _short(value, expected.get(name)), _short(expected.get(name), value)
                    changes[f"{stage}: {name} = {now} (preset {preset.name}: {usual})"] = None
    return list(changes)


def _architecture(preset: Preset, artifact: Artifact) -> dict[str, Any]:
    """The network that the preset has for a model's name."""
    config = artifact.config
    if "architecture" not in config:
        return {}
    network = preset.student(config["student"]) if "student" in config else preset.teacher(config["teacher"])
    return {"architecture": as_dict(network)}


def _known(value: Any) -> Any:
    """A value without what a preset cannot know: the digest of a file of weights."""
    return {k: v for k, v in value.items() if k != "digest"} if isinstance(value, dict) else value


def _short(value: Any, other: Any) -> str:
    """A setting in words; of a network its name and where it differs from another."""
    if not isinstance(value, dict):
        return str(value)
    fields = [k for k, v in _known(value).items() if k not in ("name", "label") and v != other[k]]
    return ", ".join([value["label"] or value["name"], *(f"{k} {value[k]}" for k in fields)])
