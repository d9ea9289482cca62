"""Outer cross-validation on the page: what each fold held, and how its networks did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts.arrays import read_table
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import RANKINGS, Metric
from pipeline.evaluation.question import Question
from pipeline.reporting import numeric
from pipeline.reporting.cells import Table, bare, capital, direction, joined, measured, words
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.modelcard import PARTS
from pipeline.reporting.runs import described, figures, held_out
from pipeline.reporting.tables import identity
from pipeline.reporting.units import unit, units
from pipeline.tasks import Task

MOST_SHOWN = 12  # folds on the page; with one for each subject there are dozens


def folds(material: Material) -> Section | None:
    """How the networks of each fold did on its test part; None of one split."""
    if material.folds == 1:
        return None
    by_fold = scores(material)
    return section(
        "Outer folds, one by one",
        "Outer folds",
        "folds",
        tables=[table(material, by_fold), rankings(material, by_fold)],
        official=bool(material.splits[0].summary.get("official")),
        left_out=material.splits[0].config["cv"] == "subject",
    )


def scores(material: Material) -> pd.DataFrame:
    """Every metric of every method in every fold, the mean over its seeds; NaN where a fold's test part has none.

    Returns
    -------
    The columns of `pipeline.reporting.tables.identity`, fold, metric and value.
    """
    rows = []
    for method in material.methods:
        per_run = [held_out(run.predictions).groupby("fold") for run in method.runs]
        for fold in range(material.folds):
            values = [figures(groups.get_group(fold), method.task) for groups in per_run]
            means = {name: float(np.mean([value[name] for value in values])) for name in described(method.task)}
            rows += [identity(method) | {"fold": fold, "metric": n, "value": value} for n, value in means.items()]
    return pd.DataFrame(rows)


def table(material: Material, by_fold: pd.DataFrame) -> Table:
    """The headline metric of the methods that the page has room for, fold by fold; every metric in CSV.

    Parameters
    ----------
    by_fold : of `scores`.
    """
    task, metric = material.task, described(material.task)[material.task.headline]
    tested = held_out(material.everyone).groupby("fold")["subject_id"].agg(["nunique", "size"])
    of = by_fold[by_fold["metric"] == task.headline].pivot_table("value", "fold", "model", dropna=False)
    lines = []
    for fold in range(material.folds):
        subjects, size = tested.loc[fold]
        line = {"Fold": str(fold + 1), "Test subjects": str(subjects), task.samples.capitalize(): str(size)}
        lines.append(line | {m.title: _value(of[m.title].get(fold), metric) for m in material.shown})
    every = {"Test subjects": str(material.test["subjects"]), task.samples.capitalize(): str(material.test["samples"])}
    pooled = {m.title: measured(metric, m.estimate(task.headline)) for m in material.shown}
    spread = {m.title: _value(of[m.title].std(ddof=1), metric) for m in material.shown}
    ends = [{"Fold": "All"} | every | pooled, {"Fold": "SD of folds"} | dict.fromkeys(every, "") | spread]
    unit = ", percent" if metric.percent else ""
    caption = (
        f"{metric.title}{direction(metric)} in each fold{unit}, means over seeds. All: every subject once, as "
        "everywhere on this page. The SD of folds is no interval: it holds what subjects, trainings and the sizes of "
        "folds differ by, and folds share most of what they learned from."
    )
    if of[[m.title for m in material.shown]].isna().any(axis=None):
        caption += f" A dash has no value: {metric.title} {metric.undefined}."
    if material.folds > MOST_SHOWN:
        caption += f" The first {MOST_SHOWN} of {material.folds} folds; the CSV file has all."
    return Table("folds", caption, pd.DataFrame([*lines[:MOST_SHOWN], *ends]), by_fold)


def rankings(material: Material, by_fold: pd.DataFrame) -> Table | None:
    """Metrics that rank: over all folds' answers in one list, and the mean over folds, each ranked by its own network.

    None where the task has none.
    """
    every = described(material.task)
    names = [name for name in every if name in RANKINGS]
    if not names:
        return None
    shown, numbers = [], []
    for method in material.shown:
        line: dict[str, Any] = {"Model": method.title}
        for name in names:
            mine = by_fold[(by_fold["model"] == method.title) & (by_fold["metric"] == name)]["value"]
            line[f"{every[name].title}, in one list"] = measured(every[name], method.estimate(name))
            line[f"{every[name].title}, mean of folds"] = _value(mine.mean(), every[name])
            line["Folds with a value"] = str(int(mine.notna().sum()))
            values = {"one_list": method.estimate(name).value, "mean_of_folds": mine.mean()}
            numbers.append(identity(method) | {"metric": name, **values, "folds": int(mine.notna().sum())})
        shown.append(line)
    titles = joined([every[name].title for name in names])
    caption = (
        f"{titles} two ways. In one list: the answers of all folds' networks ranked together, so that a difference of "
        "level between networks lowers it. Mean of folds: each network ranks its own test subjects alone, few of them, "
        "and the values of different networks are averaged; folds without a value are left out."
    )
    return Table("fold-rankings", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def data(material: Material) -> Table:
    """Subjects and samples of each part of each fold, and the classes of its test part."""
    samples, task = held_out(material.everyone).set_index("sample_id"), material.task
    rows = []
    for fold, split in enumerate(material.splits):
        parts = read_table(split.file("split.csv"))
        parts = parts[parts["sample_id"].isin(samples.index)]
        sizes = parts.groupby("part")["subject_id"].agg(["nunique", "size"])
        row: dict[str, Any] = {"Fold": fold + 1}
        for part, title in PARTS.items():
            row[f"{title} subjects"] = int(sizes["nunique"].get(part, 0))
            row[f"{title} {task.samples}"] = int(sizes["size"].get(part, 0))
        tested = samples.loc[parts.loc[parts["part"] == "test", "sample_id"]]
        rows.append(row | TRUTHS[task.kind][1](tested, task))
    frame = pd.DataFrame(rows)
    of = f", {truth} of its test part" if (truth := TRUTHS[task.kind][0]) else ""
    caption = (
        f"{units(task).capitalize()} and {task.samples} of each fold{of}; every {unit(task)} is tested in one fold"
    )
    caption += (
        ", and is in two parts of none." if not material.leaks else f", at least: what is divided is not {units(task)}."
    )
    if len(frame) > MOST_SHOWN:
        caption += f" The first {MOST_SHOWN} of {len(frame)} folds; the CSV file has all."
    return Table("data", caption, frame.head(MOST_SHOWN), frame)


def _classes(samples: pd.DataFrame, task: Task) -> dict[str, int]:
    """How many samples have each class or label."""
    truths = METRICS[task.kind].truths(samples, Question.of(task))
    return {capital(words(name)): int(inside.sum()) for name, inside in truths.items()}


def _distributed(samples: pd.DataFrame, task: Task) -> dict[str, Any]:
    """How numbers are distributed."""
    return numeric.distributed(samples, task)(pd.Series(True, samples.index))


# By kind of task, what is told of the truth in a test part, in a word and as columns of a table.
TRUTHS: dict[str, tuple[str, Callable[[pd.DataFrame, Task], dict[str, Any]]]] = {
    "classify": ("classes", _classes),
    "multilabel": ("labels", _classes),
    "regress": ("values", _distributed),
    "points": ("", lambda samples, task: {}),
}


def _value(value: float | None, metric: Metric) -> str:
    """A figure without an interval; a dash where there is none."""
    return "—" if value is None else bare(metric, value)
