"""Section on privileged teachers: what each network reaches, and what of their lead is passed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.reporting import privileged
from pipeline.reporting.cells import Cell, Table, capital, lowered, percent, points, words
from pipeline.reporting.drawing import plain
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, per_output
from pipeline.reporting.multilabel import told_order
from pipeline.reporting.privileged import Line, Passed
from pipeline.reporting.recipes import pretty
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import units


def passed_on(material: Material) -> Section | None:
    """What a teacher that reads more passes on to a student that reads less; None where no teacher does."""
    every = privileged.passed(material.methods)
    if not every:
        return None
    rows = _Values(material)
    tables = [table for one in every for table in (_reached(material, one, rows), _gained(material, one, rows))]
    return section(
        f"Privileged teachers: what {every[0].modality} adds, and what of it is passed on",
        "Privileged",
        tables=tables,
        pairs=[(_heading(one), f"privileged-{_slug(one)}", f"passed-on-{_slug(one)}") for one in every],
        modality=every[0].modality,
        twins=any(one.twin for one in every),
    )


class _Values:
    """The metrics of the section by method, each computed once: headline, and F1 of every label, as it is told."""

    def __init__(self, material: Material):
        self.material, self.known = material, {}
        task = material.task
        self.titles = {task.headline: described(task)[task.headline].title}
        self.titles |= {f"f1_{task.outputs[n]}": f"{capital(words(task.outputs[n]))} F1" for n in told_order(task)}

    def of(self, method: Method) -> dict[str, np.ndarray]:
        """By metric, over runs, shape (runs, 1 + replicates)."""
        if method.recipe not in self.known:
            f1 = per_output(method, self.material.weights, ("f1",))["f1"]
            values = {method.headline: method.values[method.headline]}
            values |= {f"f1_{name}": f1[:, :, c] for c, name in enumerate(method.task.outputs)}
            self.known[method.recipe] = {name: values[name] for name in self.titles}
        return self.known[method.recipe]

    def means(self, method: Method) -> dict[str, np.ndarray]:
        """By metric, the mean over seeds, shape (1 + replicates,)."""
        return {name: bootstrap.over_seeds(rows) for name, rows in self.of(method).items()}


def _reached(material: Material, one: Passed, rows: _Values) -> Table:
    """What each member reaches."""
    shown, numbers = [], []
    for role, method in one.members.items():
        line = {"Model": method.title, "Reads": " and ".join(privileged.read_by(method))}
        for metric, values in rows.of(method).items():
            estimate = bootstrap.interval(bootstrap.over_seeds(values), method.confidence, "needs the label")
            spread = bootstrap.seed_spread(values)
            line[rows.titles[metric]] = percent(estimate, spread)
            numbers.append(identity(method) | {"role": role, "metric": metric} | numbers_of(estimate))
        shown.append(line)
    caption = (
        f"Test {material.task.samples}, percent with {level([one.taught])} intervals over {units(material.task)}; "
        "students as means over seeds ± their SD."
    )
    return Table(f"privileged-{_slug(one)}", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _gained(material: Material, one: Passed, rows: _Values) -> Table:
    """What one adds to another, and which share of a lead that is."""
    found = privileged.lines(one, {role: rows.means(method) for role, method in one.members.items()})
    shown = [
        {"What": line.name, "From": line.meaning, "Unit": "%" if line.is_share else "points"}
        | {title: _cell(line, metric) for metric, title in rows.titles.items()}
        for line in found
    ]
    numbers = [
        {"what": line.key, "from": line.meaning, "share": line.is_share, "metric": metric}
        | numbers_of(estimate)
        | {"reason": estimate.reason}
        for line in found
        for metric, estimate in line.estimates.items()
    ]
    reasons = _reasons(found, rows.titles)
    caption = (
        f"Differences in percentage points and shares in percent, {level([one.taught])} intervals over "
        f"{units(material.task)}, the same resamples for all models; not corrected for their number."
    )
    caption += f" A dash has no value: {'; '.join(reasons)}." if reasons else ""
    return Table(f"passed-on-{_slug(one)}", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _reasons(found: list[Line], titles: dict[str, str]) -> list[str]:
    """Why values are missing, each reason once with the columns that it is about."""
    reasons: dict[str, dict[str, None]] = {}
    for line in found:
        for metric, estimate in line.estimates.items():
            if np.isnan(estimate.value):
                reasons.setdefault(estimate.reason, {})[lowered(titles[metric])] = None
    return [f"in {', '.join(columns)} {reason}" for reason, columns in reasons.items()]


def _cell(line: Line, metric: str) -> Cell:
    estimate = line.estimates[metric]
    if np.isnan(estimate.value):
        return Cell("—")
    return percent(estimate) if line.is_share else points(estimate)


def _heading(one: Passed) -> str:
    """Which teacher and which labels a pair of tables is about."""
    return f"{pretty(one.taught.student)} ← {pretty(one.taught.teacher)}" + (f", {one.budget}" if one.budget else "")


def _slug(one: Passed) -> str:
    """What ends the names of the tables."""
    labelled: Any = one.taught.recipe.labelled
    return plain("-".join([one.taught.student, one.taught.teacher, *([f"n{labelled:g}"] if labelled else [])]))
