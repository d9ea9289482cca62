"""The report's tables of samples and people: the split, their groups, and who fares worse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import subgroups
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.question import Question
from pipeline.reporting import numeric
from pipeline.reporting.cells import (
    Table,
    capital,
    direction,
    improvement,
    in_points,
    lowered,
    measured,
    percent,
    points,
    words,
)
from pipeline.reporting.methods import Method, outcomes, tested
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.tasks import Task

PARTS = ("train", "val", "test")
Divided = dict[tuple[str, str], subgroups.Division]  # by title of the method and attribute


def data(samples: pd.DataFrame, task: Task) -> Table:
    """Subjects, samples and what is true of them in each part of the split.

    Classes are counted, hard negatives, where the task knows them, apart; of numbers it is how they are distributed.
    """
    told = TRUTHS[task.kind](samples, task)
    rows = []
    for part in (*PARTS, *sorted(set(samples["part"]) - set(PARTS))):
        inside = samples["part"] == part
        row = {"Part": part, "Subjects": samples.loc[inside, "subject_id"].nunique()}
        row |= {task.samples.capitalize(): int(inside.sum()), **told(inside)}
        if "detected" in samples:
            row[f"{task.sample.capitalize()} not found"] = int((inside & not_found(samples)).sum())
        rows.append(row)
    frame = pd.DataFrame(rows)
    shared = int((samples[samples["part"].isin(PARTS)].groupby("subject_id")["part"].nunique() > 1).sum())
    caption = f"Subjects and {task.samples} in each part; "
    caption += f"{shared} subjects are in several." if shared else "no subject is in two parts."
    return Table("data", caption, frame, frame)


def not_found(samples: pd.DataFrame) -> pd.Series:
    """Samples in which what was looked for was not found, bool; none where nothing was looked for."""
    return samples["detected"] == 0 if "detected" in samples else pd.Series(False, index=samples.index)


def hard_negatives(samples: pd.DataFrame, task: Task) -> pd.Series:
    """Which samples are easily taken for the positive class and are not of it, bool."""
    if "hard_negative" not in samples:
        return pd.Series(False, index=samples.index)
    return (samples["hard_negative"] == 1) & (samples["label"] != task.positive_output)


def _counted(samples: pd.DataFrame, task: Task) -> Callable[[pd.Series], dict[str, Any]]:
    """How many of some samples are of each class or have each label."""
    kinds = _kinds(samples, task)
    return lambda inside: {name: int((inside & kind).sum()) for name, kind in kinds.items()}


# By kind of task, what a table tells of the truth of some of the samples, a mask of them given.
TRUTHS: dict[str, Callable[[pd.DataFrame, Task], Callable[[pd.Series], dict[str, Any]]]] = {
    "classify": _counted,
    "multilabel": _counted,
    "regress": numeric.distributed,
    "points": lambda samples, task: lambda inside: {},
}


def _kinds(samples: pd.DataFrame, task: Task) -> dict[str, pd.Series]:
    """The columns of the table of data: masks of samples by what they are called."""
    truths = METRICS[task.kind].truths(samples, Question.of(task))
    classes = {capital(words(name)): pd.Series(inside, samples.index) for name, inside in truths.items()}
    hard = hard_negatives(samples, task)
    if not hard.any():
        return classes
    positive = capital(words(task.outputs[task.positive_output]))
    kinds = {positive: classes.pop(positive)}
    for name, inside in classes.items():
        kinds |= {f"{name}, not {words(task.hard_negatives)}": inside & ~hard}
        kinds |= {f"{name}, {words(task.hard_negatives)}": inside & hard}
    return kinds


def unseen(samples: pd.DataFrame) -> list[str]:
    """Sources that are tested and that no model learned from."""
    inside = {part: set(samples.loc[samples["part"] == part, "source"]) for part in PARTS}
    return sorted(inside["test"] - inside["train"]) if inside["train"] else []  # of folds, every source is in training


def sources(methods: list[Method], weights: np.ndarray) -> Table:
    """The headline metric by dataset, with the number of samples that were learned from and tested on.

    Parameters
    ----------
    weights : of the test samples, as `pipeline.reporting.methods.draws` gives them.
    """
    every, task, metric = methods[0].runs[0].predictions, methods[0].task, methods[0].headline_metric
    lines: dict[str, dict[str, Any]] = {}
    numbers = []
    for method in methods:
        for group in _division(method, "source", weights).groups:
            inside = every[every["source"] == group.name]
            learned = int((inside["part"] == "train").sum())
            first = {"Source": words(group.name)}
            first |= {f"Training {task.samples}": str(learned)} if method.folds == 1 else {}
            first |= {f"Test {task.samples}": str(group.samples), "Test subjects": str(group.subjects)}
            lines.setdefault(group.name, first)[method.title] = measured(metric, group.estimate)
            facts = {"source": group.name, "train": learned, "test": group.samples, "subjects": group.subjects}
            rest = {f"{key}_against_rest": value for key, value in numbers_of(group.against_rest).items()}
            numbers.append(identity(method) | facts | numbers_of(group.estimate) | rest)
    caption = (
        f"{metric.title}{direction(metric)} on the test {task.samples} of each source, "
        f"{in_points(metric, 'percent with ')}{level(methods)} intervals over subjects."
    )
    caption += " A source without training samples is one that no model has seen." if methods[0].folds == 1 else ""
    return Table("sources", caption, pd.DataFrame(lines.values()).fillna("—"), pd.DataFrame(numbers))


def people(samples: pd.DataFrame) -> Table | None:
    """Subjects of each part by attribute; None when the dataset says nothing of the people."""
    crossed = set(samples["part"]) == {"test"}  # every subject is tested in one fold
    parts = {"test": "subjects"} if crossed else dict.fromkeys(PARTS)
    rows = [
        {"Attribute": words(name), "Group": words(group)}
        | {
            title or part: int(inside.loc[inside["part"] == part, "subject_id"].nunique())
            for part, title in parts.items()
        }
        for name in subgroups.groupings(samples)
        for group, inside in samples.groupby(name)
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    shown = frame.assign(Attribute=frame["Attribute"].where(~frame["Attribute"].duplicated(), ""))
    caption = "Subjects by attribute." if crossed else "Subjects in each part by attribute."
    return Table("people", caption, shown, frame)


def detection(samples: pd.DataFrame, task: Task, confidence: float) -> Table | None:
    """Faces that were not found, by group and over all parts; None when nothing is known of the people."""
    shown, numbers = [], []
    for name in subgroups.groupings(samples):
        answered = samples[samples[name].notna()]
        detected = ~not_found(answered).to_numpy()
        for failures in subgroups.failures(answered[name].to_numpy(), detected, confidence):
            line = {"Group": f"{words(name)}: {words(failures.name)}", task.samples.capitalize(): str(failures.faces)}
            shown.append(line | {"Not found": str(failures.missed), "Share, %": percent(failures.share)})
            facts = {"attribute": name, "group": failures.name, "faces": failures.faces, "not_found": failures.missed}
            numbers.append(facts | numbers_of(failures.share))
    caption = (
        f"{task.samples.capitalize()} that were not found, all parts; exact {100 * confidence:g}% intervals, "
        f"{task.samples} taken as independent."
    )
    return Table("detection", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def divide(methods: list[Method], weights: np.ndarray) -> Divided:
    """The metric that compares groups, of each method within those of each attribute, and the gaps between them.

    Parameters
    ----------
    weights : of the test samples, as `pipeline.reporting.methods.draws` gives them.
    """
    return {
        (method.title, name): _division(method, name, weights, subgroups.compared_by(Question.of(method.task)))
        for method in methods
        for name in subgroups.groupings(method.runs[0].predictions[lambda frame: frame["part"] == "test"])
    }


def _division(method: Method, column: str, weights: np.ndarray, metric: str = "") -> subgroups.Division:
    """A metric of a method, by default its headline, by the values of a column."""
    samples = tested(method.runs[0])
    group, subjects = samples[column].to_numpy(), samples["subject_id"].to_numpy()
    return subgroups.measure(outcomes(method), group, subjects, weights, metric or method.headline, method.confidence)


def within(methods: list[Method], divided: Divided) -> Table | None:
    """The metric that compares groups, by group; None when nothing is known of the people."""
    lines: dict[tuple[str, Any], dict[str, Any]] = {}
    numbers, metric = [], compared_by(methods[0])
    for method in methods:
        for name, division in _of(method, divided):
            for group in division.groups:
                first = {"Group": f"{words(name)}: {words(group.name)}", "Subjects": str(group.subjects)}
                lines.setdefault((name, group.name), first)[method.title] = measured(metric, group.estimate)
                rest = {f"{key}_against_rest": value for key, value in numbers_of(group.against_rest).items()}
                facts = {"attribute": name, "group": group.name, "subjects": group.subjects, "samples": group.samples}
                numbers.append(
                    identity(method) | facts | numbers_of(group.estimate) | rest | {"p_holm_against_rest": group.p}
                )
    if not lines:
        return None
    caption = (
        f"{metric.title}{direction(metric)} within groups of test subjects, "
        f"{in_points(metric, 'percent with ')}{level(methods)} intervals over subjects."
    )
    return Table("groups", caption, pd.DataFrame(lines.values()).fillna("—"), pd.DataFrame(numbers))


def gaps(methods: list[Method], divided: Divided) -> Table | None:
    """The largest gap of every attribute; None when nothing is known of the people."""
    shown, numbers, metric = [], [], compared_by(methods[0])
    for name in dict.fromkeys(attribute for _, attribute in divided):
        line: dict[str, Any] = {"Attribute": words(name)}
        for method in methods:
            division = divided.get((method.title, name))
            if division is None:
                continue
            line[method.title] = points(division.gap, metric) if division.gap.value == division.gap.value else "—"
            pair = {"attribute": name, "best": division.best, "worst": division.worst, "missing": division.missing}
            numbers.append(identity(method) | pair | numbers_of(division.gap))
        shown.append(line)
    if not shown:
        return None
    sign = "positive" if improvement(metric) > 0 else "negative"
    caption = (
        f"Best minus worst group, {in_points(metric, 'percentage points of ')}{lowered(metric.title)}. The two are the "
        f"extremes on these {methods[0].task.samples}: a gap is {sign} by choice and larger than among new subjects. "
        "The CSV files name them, and compare each group with all others."
    )
    return Table("gaps", caption, pd.DataFrame(shown).fillna("—"), pd.DataFrame(numbers))


def compared_by(method: Method) -> Metric:
    """How the metric is called that compares groups."""
    return described(method.task)[subgroups.compared_by(Question.of(method.task))]


def _of(method: Method, divided: Divided) -> list[tuple[str, subgroups.Division]]:
    return [(attribute, division) for (title, attribute), division in divided.items() if title == method.title]
