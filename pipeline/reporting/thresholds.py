"""Section on thresholds: labels called above one half, and above what was best on validation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.evaluation import thresholds as fitted
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import Table, capital, number, percent, points, words
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, tested
from pipeline.reporting.multilabel import told_order
from pipeline.reporting.runs import Run, described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import units

Measured = dict[str, np.ndarray]  # by metric, and by f1 of each label, shape (runs, 1 + replicates)


def thresholds(material: Material) -> Section:
    """What thresholds of the labels' own change."""
    return section("Thresholds", "Thresholds", tables=[table(material.shown, material.weights)])


def table(methods: list[Method], weights: np.ndarray) -> Table:
    """Macro F1 and the labels' F1 under one half and under thresholds fitted on validation, and those thresholds.

    Parameters
    ----------
    weights : of the test samples, as `pipeline.reporting.methods.draws` gives them.
    """
    task, order = methods[0].task, told_order(methods[0].task)
    title = described(task)["macro_f1"].title
    shown, numbers, reasons = [], [], {}
    for method in methods:
        usual, tuned = (_measured(method, weights, own) for own in (False, True))
        line = {"Model": method.title, f"{title} at ½": percent(_estimate(usual["macro_f1"], method))}
        line[f"{title}, tuned"] = percent(_estimate(tuned["macro_f1"], method))
        line["Difference, points"] = points(_estimate(tuned["macro_f1"] - usual["macro_f1"], method))
        for name in (task.outputs[output] for output in order):
            values, why = _values(method, name)
            reasons |= dict.fromkeys(why)
            line[f"{capital(words(name))}: threshold"] = _range(values)
            line[f"{capital(words(name))}: F1 at ½"] = percent(_estimate(usual[name], method))
            line[f"{capital(words(name))}: F1, tuned"] = percent(_estimate(tuned[name], method))
        shown.append(line)
        for when, results in (("one half", usual), ("tuned", tuned)):
            for metric, rows in results.items():
                of_label = metric in task.outputs
                facts = {
                    "thresholds": when,
                    "metric": "f1" if of_label else metric,
                    "label": metric if of_label else "",
                }
                value = float(np.mean(_values(method, metric)[0])) if of_label and when == "tuned" else np.nan
                numbers.append(identity(method) | facts | {"threshold": value} | numbers_of(_estimate(rows, method)))
    caption = (
        f"Test {task.samples}, means over seeds with {level(methods)} intervals over {units(task)}. Thresholds: those "
        "with the largest F1 of the label on the validation part, of equal ones the nearest to one half; fitted once "
        "for every network and not again in a resample. Several networks: least to most."
    )
    caption += f" Where one half stayed, there was {'; '.join(reasons)}." if reasons else ""
    return Table("thresholds", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _measured(method: Method, weights: np.ndarray, own: bool) -> Measured:
    """Metrics and every label's F1 of a method under one half or under its networks' own thresholds."""
    kind, question = METRICS[method.task.kind], Question.of(method.task)
    per_run = []
    for run in method.runs:
        frame = tested(run)
        outcome = kind.outcome(fitted.applied(frame, _of_rows(run, frame)) if own else frame, question)
        f1 = kind.per_output(outcome, weights, ("f1",))["f1"]
        wanted = [name for name in kind.metrics(question) if name not in ("roc_auc", "average_precision", "agreement")]
        per_run.append(
            kind.compute(outcome, weights, wanted) | {name: f1[:, c] for c, name in enumerate(question.outputs)}
        )
    return {name: np.stack([values[name] for values in per_run]) for name in per_run[0]}


def _of_rows(run: Run, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """By label the threshold of every row: that of the network of its fold."""
    return {
        name: frame["fold"].map({one.fold: one.thresholds["thresholds"][name]["value"] for one in run.folds}).to_numpy()
        for name in run.task.outputs
    }


def _values(method: Method, name: str) -> tuple[list[float], list[str]]:
    """The thresholds of one label over the networks of a method, and why some are one half."""
    entries = [one.thresholds["thresholds"][name] for run in method.runs for one in run.folds]
    return [entry["value"] for entry in entries], [entry["reason"] for entry in entries if entry["reason"]]


def _range(values: list[float]) -> str:
    """One threshold, or the least and the most."""
    ends = [number(end) for end in dict.fromkeys((min(values), max(values)))]
    return "–".join(ends)


def _estimate(rows: np.ndarray, method: Method) -> bootstrap.Estimate:
    """The mean over seeds with its interval."""
    return bootstrap.interval(bootstrap.over_seeds(rows), method.confidence, "needs the label, true or called")
