"""Metrics of numbers, from moments under many weightings at once: for every number, and their means over the numbers.

The weightings and what is undefined: `pipeline.evaluation.metrics.weighted`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics.weighted import Metric, asked, checked, ratio
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

HEADLINE = "ccc"
GROUPED = ANSWERS = ""
CALIBRATED = EMBEDDED = THRESHOLDED = False
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
    """``label_<output>`` for every number, of the column of its name (a single one: of the task's target)."""
    columns = [task.target] if len(task.outputs) == 1 else list(task.outputs)
    numbers = samples[columns].apply(pd.to_numeric, errors="coerce")
    return numbers.set_axis([f"label_{name}" for name in task.outputs], axis=1)


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with what a model answered.

    Parameters
    ----------
    table : N rows of `pipeline.evaluation.predictions.samples_table`.
    outputs, teacher_outputs : float32, shape (N, D).

    Returns
    -------
    ``table`` with value_<output> and, with a teacher, teacher_value_<output>.
    """
    made = {f"value_{name}": outputs[:, c] for c, name in enumerate(question.outputs)}
    if teacher_outputs is not None:
        made |= {f"teacher_value_{name}": teacher_outputs[:, c] for c, name in enumerate(question.outputs)}
    return table.assign(**made)


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
    return {
        "ccc": Metric("CCC", "Lin's concordance: correlation that scale and shift lessen", differ, percent=False),
        "icc": Metric("ICC(3,1)", "intraclass correlation with the truth, a shift forgiven", differ, percent=False),
        "pearson": Metric("Pearson's r", "correlation: scale and shift are forgiven", differ, percent=False),
        "mae": Metric("MAE", "mean distance from the truth", one, percent=False, lower_is_better=True),
        "rmse": Metric("RMSE", "root of the mean squared distance", one, percent=False, lower_is_better=True),
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
    """What stands beside the metrics: nothing."""
    return {}


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
        "pearson": ratio(together, np.sqrt(true_variance * answer_variance)),
        "mae": mean(np.abs(true - answer)),
        "rmse": np.sqrt(mean((true - answer) ** 2)),
    }
    return asked(values, names)
