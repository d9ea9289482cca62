"""Section on errors added up: how many faces have an error of at most so much (CED, cumulative error distribution)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import points as measure
from pipeline.evaluation.metrics.weighted import ratio
from pipeline.reporting import points_figures as figures
from pipeline.reporting.cells import Table, percent
from pipeline.reporting.drawing import Picture
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, outcomes
from pipeline.reporting.recipes import pretty
from pipeline.reporting.tables import identity, level
from pipeline.reporting.units import units

LAST, STEPS = 0.10, 200  # of the curves of added errors: the largest NME, and how many lead to it
AT = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10)  # NME on the page; the CSV file has every step


def ced(material: Material) -> Section:
    """How many faces have an error of at most so much, a figure for each network of students."""
    curves = {method.title: _curve(method) for method in material.shown}
    drawn = [_ced_figure(group, title, curves) for title, group in _by_student(material.shown).items()]
    return section(
        "Errors added up: CED curves",
        "CED",
        figures=drawn,
        tables=[_ced_table(material, curves)],
        not_found=int((~outcomes(material.favourite)[0].found).sum()),
    )


def _by_student(methods: list[Method]) -> dict[str, list[Method]]:
    """By the name of a network: all teachers, and its students."""
    students = dict.fromkeys(method.student for method in methods if not method.is_teacher)
    return {
        pretty(student) if student else "teachers": [m for m in methods if m.is_teacher or m.student == student]
        for student in students or [""]
    }


def _curve(method: Method) -> tuple[np.ndarray, np.ndarray]:
    """The curve of added errors, the mean over seeds: NME and share of faces, float, each of shape (STEPS + 1,)."""
    each = [measure.ced(measure.sample_nme(run), run.found, LAST, STEPS) for run in outcomes(method)]
    return each[0][0], np.mean([share for _, share in each], axis=0)


def _ced_figure(methods: list[Method], title: str, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Picture:
    names = {_in_panel(method, methods): method for method in methods}
    lines = {name: (method, *curves[method.title]) for name, method in names.items()}
    return figures.ced(lines, title, {name: method.estimate("auc10").value for name, method in names.items()})


def _in_panel(method: Method, methods: list[Method]) -> str:
    """A method's name among the students of one network; whole where another would be called the same."""
    same = [m for m in methods if (m.is_teacher, m.teacher) == (method.is_teacher, method.teacher)]
    if len(same) > 1:
        return method.title
    if method.is_teacher:
        return f"{pretty(method.teacher)} teacher"
    return "no teacher" if method.is_untaught else f"← {pretty(method.teacher)}"


def _ced_table(material: Material, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Table:
    """The share of faces within some errors with intervals; in CSV every step of the curves."""
    shown, numbers = [], []
    for method in material.shown:
        line: dict[str, Any] = {"Model": method.title}
        runs = outcomes(method)
        for bound in AT:
            values = np.stack([_within(run, bound, material.weights) for run in runs])
            estimate = bootstrap.interval(bootstrap.over_seeds(values), method.confidence, "needs a face")
            line[f"≤ {100 * bound:g} %"] = percent(estimate)
        shown.append(line)
        numbers += [identity(method) | {"nme": x, "share": y} for x, y in zip(*curves[method.title], strict=True)]
    caption = (
        f"Share of all test {material.task.samples} with an NME of at most so much, percent with "
        f"{level(material.shown)} intervals over {units(material.task)}, means over seeds. Every step of the curves is "
        "in the CSV file."
    )
    return Table("ced", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _within(outcome: measure.Outcome, bound: float, weights: np.ndarray) -> np.ndarray:
    """The share of samples with an NME of at most a bound under every weighting; those not found are beyond any."""
    nme = measure.sample_nme(outcome)
    counted = ~outcome.found | ~np.isnan(nme)
    return ratio(weights @ (nme <= bound).astype(float), weights @ counted.astype(float))
