"""Sections of tasks that ask for points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts.arrays import read_table
from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import points as measure
from pipeline.evaluation.question import Question
from pipeline.reporting import folds, people
from pipeline.reporting import point_pictures as pictures
from pipeline.reporting import points_figures as figures
from pipeline.reporting.cells import Cell, Table, capital, measured
from pipeline.reporting.common import unnamed
from pipeline.reporting.drawing import Picture
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, baseline, outcomes, per_output, tested
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import units
from pipeline.tasks import Task
from pipeline.tasks.schemes import SCHEMES

SOFT_FILE, SOFT_SHOWN = "soft_points.csv", 4


def regions(material: Material) -> Section:
    """Where in the face errors are: by its parts, and of every point on a mean face."""
    method = material.favourite
    alone = baseline(method, material.methods) if method.is_taught else None
    frame = tested(method.runs[0])
    outcome = measure.outcome(frame, Question.of(material.task))
    counted = outcome.found & np.isfinite(outcome.label).all(axis=(1, 2))
    values = {one.title: per_output(one, material.weights, ("nme",))["nme"] for one in _each(material.shown, alone)}
    drawn: list[Picture] = []
    if counted.any():
        shape = pictures.in_shares(outcome.label[counted], pictures.warps(frame)[counted]).mean(axis=0)
        nme = values[method.title][:, 0].mean(axis=0)
        drawn = [figures.errors(shape, nme, method)]
        if alone is not None:
            drawn.append(figures.difference(shape, nme - values[alone.title][:, 0].mean(axis=0), alone))
    return section(
        "Error by part of the face",
        "Parts of the face",
        "regions",
        tables=[_regions(material), _points(material, values)],
        figures=drawn,
        method=method.phrase,
        compared=alone is not None,
    )


def soft_points(material: Material) -> Section | None:
    """True points and those that tolerant teachers learn; None without such a teacher."""
    teachers = [method for method in material.methods if method.is_teacher and _smoothed(method)]
    if not teachers:
        return None
    drawn = [figures.soft(*_soft(method), method) for method in teachers]
    return section(
        "True and soft points",
        "Soft points",
        "soft-points",
        tables=[_shape_models(teachers)],
        figures=drawn,
    )


def data(material: Material) -> Section:
    """What there is in each part of the split, and who is in it."""
    everyone, task = material.everyone, material.task
    return section(
        "Data and split",
        "Data",
        tables=[people.data(everyone, task) if material.folds == 1 else folds.data(material), people.people(everyone)],
        paired=False,
        unnamed=unnamed(everyone),
        hard="",
        positive="",
    )


def examples(material: Material) -> Section:
    """Faces with the largest errors, and others, of the method that did best on validation."""
    worst, right = pictures.examples(material)
    samples = material.task.samples.capitalize()
    return section(
        f"{samples} with their points, right and wrong",
        samples,
        "point-examples",
        method=material.favourite.phrase,
        seed=material.favourite.runs[0].seed if len(material.favourite.runs) > 1 else None,
        worst=worst,
        right=right,
        limit=f"{100 * pictures.RIGHT:g}",
        lost=bool(people.not_found(tested(material.favourite.runs[0])).any()),
    )


def _each(methods: list[Method], further: Method | None) -> list[Method]:
    """The methods, and one more where it is none of them."""
    return methods if further is None or further in methods else [*methods, further]


def _regions(material: Material) -> Table:
    """The NME of every method in the parts of the face."""
    metric, shown, numbers = described(material.task)["nme"], [], []
    for method in material.shown:
        each = [measure.by_region(run, material.weights) for run in outcomes(method)]
        line: dict[str, Any] = {"Model": method.title}
        for name, numbered in _parts(material.task).items():
            values = np.stack([run[name] for run in each])
            estimate = bootstrap.interval(bootstrap.over_seeds(values), method.confidence, metric.undefined)
            spread = bootstrap.seed_spread(values)
            line[capital(name)] = measured(metric, estimate, spread)
            facts = {"region": name, "points": len(numbered), "metric": "nme"}
            numbers.append(identity(method) | facts | numbers_of(estimate) | {"seed_sd": spread})
        shown.append(line)
    caption = (
        f"NME of the points of each part of the face on test {material.task.samples}, percent with "
        f"{level(material.shown)} intervals over {units(material.task)}, students as means over seeds ± their SD."
    )
    return Table("regions", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _parts(task: Task) -> dict[str, tuple[int, ...]]:
    """The points of each part of the face."""
    return dict(SCHEMES[len(task.outputs)].regions)


def _points(material: Material, values: dict[str, np.ndarray]) -> Table:
    """The NME of every point.

    Parameters
    ----------
    values : by title of the method, shape (runs, 1 + replicates, points).
    """
    metric, numbers = described(material.task)["nme"], []
    regions = _parts(material.task)
    part = {number: name for name, numbered in regions.items() for number in numbered}
    shown = [{"Point": str(number), "Part": part[number]} for number in range(len(material.task.outputs))]
    for method in material.shown:
        for number, line in enumerate(shown):
            one = values[method.title][:, :, number]
            estimate = bootstrap.interval(bootstrap.over_seeds(one), method.confidence, metric.undefined)
            line[method.title] = measured(metric, estimate)
            facts = {"point": number, "region": part[number], "metric": "nme"}
            numbers.append(identity(method) | facts | numbers_of(estimate))
    caption = f"NME of every point on test {material.task.samples}, percent; points numbered from 0."
    return Table("points", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _smoothed(method: Method) -> bool:
    """Whether a teacher learned soft points."""
    return "shape_model" in method.runs[0].model.summary


def _soft(method: Method) -> tuple[np.ndarray, np.ndarray]:
    """True and soft points of some training samples, each float, shape (N, K, 2), in shares of the input's side."""
    frame = read_table(method.runs[0].model.file(SOFT_FILE)).head(SOFT_SHOWN)
    both = [frame[[f"{before}{name}" for name in method.task.numbers]] for before in ("label_", "soft_")]
    return tuple(columns.to_numpy(dtype=float).reshape(len(frame), -1, 2) for columns in both)


def _shape_models(teachers: list[Method]) -> Table:
    """What the shape model of each teacher keeps, and what it leaves out; of outer folds one line each."""
    shown, numbers = [], []
    for method in teachers:
        for one in method.runs[0].folds:
            model = one.model.summary["shape_model"]
            name = f"{method.title}, fold {one.fold + 1}" if method.folds > 1 else method.title
            coordinates = len(method.task.numbers)
            shown.append(
                {
                    "Model": name,
                    "Components": f"{model['components']} of {coordinates}",
                    "Variance kept, %": f"{100 * model['share']:.1f}",
                    "Shapes aligned": "yes" if model["aligned"] else "no",
                    "Left out, NME %": Cell(f"{100 * model['residual_nme']:.2f}"),
                }
            )
            numbers.append(identity(method) | {"fold": one.fold, "coordinates": coordinates} | model)
    caption = (
        "Active shape models of the training shapes. Left out: mean distance of soft from true points, divided by the "
        "distance of the outer corners of the eyes; a student of soft points alone cannot be expected to err less."
    )
    return Table("shape-models", caption, pd.DataFrame(shown), pd.DataFrame(numbers))
