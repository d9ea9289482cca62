"""Metrics of numbers, from moments under many weightings at once: for every number, and their means over the numbers.

Networks answer in shares of the range between a number's bounds, predictions and metrics are in its own units. Numbers
pile up at their lowest value (no pain), so the range is divided into levels, of which the lowest value alone is the
first, and a number of interest can be taken as a threshold of which an answer is above or below.

The weightings and what is undefined: `pipeline.evaluation.metrics.weighted`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics import classify
from pipeline.evaluation.metrics.weighted import Metric, asked, checked, ratio
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

HEADLINE = "ccc"
GROUPED = ANSWERS = ""
CALIBRATED = EMBEDDED = THRESHOLDED = False
SEQUENCED = True
WIDTHS = 4  # equal levels above the lowest value
CUT = Question("classify", ("below", "reached"))  # what a threshold makes of a number
CUT_METRICS = {  # as they are called of a threshold → of two classes
    "balanced_accuracy": "balanced_accuracy",
    "sensitivity": "recall",
    "specificity": "specificity",
    "f1": "f1",
    "roc_auc": "roc_auc",
}
ROUNDING = 1e-12  # of the mean square: what is left of a variance that is zero


@dataclass(frozen=True)
class Outcome:
    """What a model predicted about N samples and what is true.

    Parameters
    ----------
    question : names of the numbers, in the order of the columns below.
    label, value : float, shape (N, D).
    teacher_value : float, shape (N, D); None for a model without a teacher.
    """

    question: Question
    label: np.ndarray
    value: np.ndarray
    teacher_value: np.ndarray | None = None


def label_columns(samples: pd.DataFrame, task: Task) -> pd.DataFrame:
    """``label_<output>`` for every number, of the column of its name (a single one: of the task's target).

    NaN where a cell is no number, or one outside the task's bounds: what cannot be is no answer.
    """
    columns = [task.target] if len(task.outputs) == 1 else list(task.outputs)
    numbers = samples[columns].apply(pd.to_numeric, errors="coerce")
    if task.bounds:
        low, high = task.bounds
        numbers = numbers.where((numbers >= low) & (numbers <= high))
    return numbers.set_axis([f"label_{name}" for name in task.outputs], axis=1)


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with what a model answered.

    Parameters
    ----------
    table : N rows of `pipeline.evaluation.predictions.samples_table`.
    outputs, teacher_outputs : float32, shape (N, D): shares of the range between the question's bounds; of a question
        without bounds the numbers themselves.

    Returns
    -------
    ``table`` with value_<output> and, with a teacher, teacher_value_<output>: in the number's units, within its bounds.
    """
    answers = {"value": outputs} | ({} if teacher_outputs is None else {"teacher_value": teacher_outputs})
    made = {
        f"{kind}_{name}": column
        for kind, shares in answers.items()
        for name, column in zip(question.outputs, units(shares, question).T, strict=True)
    }
    return table.assign(**made)


def units(shares: np.ndarray, question: Question) -> np.ndarray:
    """Raw outputs in the number's units and within its bounds, of the shape and dtype of ``shares``."""
    if not question.bounds:
        return shares
    low, high = question.bounds
    return np.clip(low + (high - low) * shares, low, high)


def outcome(frame: pd.DataFrame, question: Question) -> Outcome:
    """What the metrics need of a predictions table."""

    def columns(kind: str) -> np.ndarray:
        return frame[[f"{kind}_{name}" for name in question.outputs]].to_numpy(dtype=np.float64)

    teacher = columns("teacher_value") if f"teacher_value_{question.outputs[0]}" in frame else None
    return Outcome(question, columns("label"), columns("value"), teacher)


def metrics(question: Question) -> dict[str, Metric]:
    """The metrics of such an outcome, in the words of its task, the most important first."""
    mean = "" if len(question.outputs) == 1 else ", mean over the numbers"
    return {
        name: Metric(m.title, m.meaning + mean, m.undefined, m.percent, m.lower_is_better)
        for name, m in per_output_metrics(question).items()
    }


def per_output_metrics(question: Question) -> dict[str, Metric]:
    """The metrics of one number."""
    one, differ = f"needs {question.one}", f"needs {question.samples} of different values"
    scale = ", in points of the scale from {:g} to {:g}".format(*question.bounds) if question.bounds else ""
    return {
        "ccc": Metric("CCC", "Lin's concordance: correlation that scale and shift lessen", differ, percent=False),
        "icc": Metric("ICC(3,1)", "intraclass correlation with the truth, a shift forgiven", differ, percent=False),
        "pearson": Metric("Pearson's r", "correlation: scale and shift are forgiven", differ, percent=False),
        "mae": Metric("MAE", f"mean distance from the truth{scale}", one, percent=False, lower_is_better=True),
        "rmse": Metric("RMSE", f"root of the mean squared distance{scale}", one, percent=False, lower_is_better=True),
    }  # fmt: skip


def compute(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `metrics` under every weighting, float64, shape (R,); NaN where they are undefined.

    Parameters
    ----------
    weights : float, shape (R, N), not negative.
    names : of the metrics that are wanted, all by default.
    """
    names = metrics(outcome.question) if names is None else names
    return {name: columns.mean(axis=1) for name, columns in per_output(outcome, weights, names).items()}


def extras(outcome: Outcome) -> dict[str, Any]:
    """What stands beside the metrics, for JSON: the MAE at every level, and the figures of every threshold.

    Of a question without bounds or cuts there is none of the one or the other.
    """
    ones, level = np.ones((1, len(outcome.label))), level_of(outcome.label, outcome.question)
    maes = mae_by_level(outcome, ones)
    return {
        "levels": {
            name: {"samples": int((level == number).any(axis=1).sum()), "mae": _plain(maes[name])}
            for number, name in enumerate(levels(outcome.question))
        },
        "cuts": {
            f"{cut:g}": {"samples": int((outcome.label[:, 0] >= cut).sum())}
            | {name: _plain(value) for name, value in at_cut(outcome, cut, ones).items()}
            for cut in outcome.question.cuts
        },
    }


def levels(question: Question) -> tuple[str, ...]:
    """Names of the levels of a number: the lowest value alone, then equal widths such as ``4–8``; none without bounds.

    A level begins at its first number and ends before its last one, which the highest alone includes.
    """
    if not question.bounds:
        return ()
    ends = [f"{end:g}" for end in np.linspace(*question.bounds, WIDTHS + 1)]
    return (ends[0], *(f"{low}–{high}" for low, high in pairwise(ends)))


def level_of(values: np.ndarray, question: Question) -> np.ndarray:
    """Number of the level of `levels` that a value is in: int of the shape of ``values``; 0 without bounds."""
    if not question.bounds:
        return np.zeros(np.shape(values), dtype=int)
    low, high = question.bounds
    share = (np.asarray(values, dtype=np.float64) - low) / (high - low)
    return np.where(share <= 0, 0, 1 + np.clip(np.floor(WIDTHS * share), 0, WIDTHS - 1)).astype(int)


def mae_by_level(outcome: Outcome, weights: np.ndarray) -> dict[str, np.ndarray]:
    """MAE among the samples whose true value is in each of `levels`, under every weighting: float64, shape (R,)."""
    weights, error = checked(weights), np.abs(outcome.label - outcome.value)
    level = level_of(outcome.label, outcome.question)
    inside = [(level == number).astype(float) for number in range(len(levels(outcome.question)))]
    return {
        name: ratio(weights @ (here * error).sum(axis=1), weights @ here.sum(axis=1))
        for name, here in zip(levels(outcome.question), inside, strict=True)
    }


def at_cut(outcome: Outcome, cut: float, weights: np.ndarray) -> dict[str, np.ndarray]:
    """What the first number is worth as a threshold: float64 arrays, shape (R,), by the names of `CUT_METRICS`.

    A sample is positive where its true value is at least ``cut``, and called so where its answer is. ROC-AUC ranks the
    samples by their answers, and does not ask where these are cut. The definitions are those of two classes.
    """
    label, value = outcome.label[:, 0], outcome.value[:, 0]
    scores = np.stack([-value, value], axis=1)
    two = classify.Outcome(CUT, (label >= cut).astype(int), scores, (value >= cut).astype(int))
    values = classify.compute(two, weights, tuple(CUT_METRICS.values()))
    return {name: values[of_classes] for name, of_classes in CUT_METRICS.items()}


def cut_metrics(question: Question, cut: float) -> dict[str, Metric]:
    """The metrics of `at_cut`, in words."""
    one, samples, least = question.one, question.samples, f"{cut:g} or more"
    both = f"needs {samples} of {least} and of less"
    return {
        "balanced_accuracy": Metric("Balanced accuracy", "mean of sensitivity and specificity", both),
        "sensitivity": Metric("Sensitivity", f"{samples} of {least} that were called so", f"needs {one} of {least}"),
        "specificity": Metric("Specificity", f"{samples} below {cut:g} that were called so", f"needs {one} of less"),
        "f1": Metric("F1", "harmonic mean of precision and sensitivity", f"needs {one} of {least}, true or called"),
        "roc_auc": Metric("ROC-AUC", "area under the ROC curve of the number itself", both),
    }


def per_output(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `per_output_metrics`, all by default, for every number: float64 arrays, shape (R, D).

    Sources: CCC as Lin 1989, Biometrics 45:255, with the variances of a whole population; ICC(3,1) as Shrout & Fleiss
    1979, Psychological Bulletin 86:420, which is 2 cov / (var + var) for the two raters truth and model.
    """
    weights = checked(weights)
    total = weights.sum(axis=1)[:, None]
    centre = outcome.label.mean(axis=0) if len(outcome.label) else 0.0
    true, answer = outcome.label - centre, outcome.value - centre  # moments of small numbers keep their digits

    def mean(values: np.ndarray) -> np.ndarray:
        sums = weights @ values
        return ratio(sums, np.broadcast_to(total, sums.shape))

    def variance(values: np.ndarray) -> np.ndarray:
        square = mean(values**2)
        spread = square - mean(values) ** 2
        return np.where(spread > ROUNDING * square, spread, 0 * square)

    true_variance, answer_variance = variance(true), variance(answer)
    together = mean(true * answer) - mean(true) * mean(answer)
    both = true_variance + answer_variance
    values = {
        "ccc": ratio(2 * together, np.where(both > 0, both + mean(true - answer) ** 2, both)),
        "icc": ratio(2 * together, both),
        "pearson": np.clip(ratio(together, np.sqrt(true_variance * answer_variance)), -1, 1),  # rounding goes beyond
        "mae": mean(np.abs(true - answer)),
        "rmse": np.sqrt(mean((true - answer) ** 2)),
    }
    return asked(values, names)


def _plain(value: np.ndarray) -> float | None:
    """The only value of an array, for JSON, which has no NaN."""
    return None if np.isnan(value[0]) else float(value[0])
