"""Metrics of several yes-or-no questions about each sample: for every label, and their means over the labels.

The weightings and what is undefined: `pipeline.evaluation.metrics.weighted`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from pipeline.evaluation.metrics.weighted import RANKINGS, Metric, asked, checked, ranked, rankings, ratio
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

HEADLINE = "macro_f1"
GROUPED = "exact_match"  # few groups have every label, without which a mean over labels has no value
CALIBRATED = SEQUENCED = False
EMBEDDED = THRESHOLDED = True
ANSWERS = "labels"


@dataclass(frozen=True)
class Outcome:
    """What a model predicted about N samples and what is true.

    Parameters
    ----------
    question : the labels, in the order of the columns below.
    label, predicted : int, shape (N, L): 1 where the label is there, or was called.
    probabilities : float, shape (N, L).
    teacher_predicted : int, shape (N, L); None for a model without a teacher.
    """

    question: Question
    label: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    teacher_predicted: np.ndarray | None = None


def label_columns(samples: pd.DataFrame, task: Task) -> pd.DataFrame:
    """``label_<output>`` for every label, 0 or 1, read of the column of its name; NaN where it is not known."""
    numbers = samples[list(task.outputs)].apply(pd.to_numeric, errors="coerce")
    return numbers.where(numbers.isin((0, 1))).add_prefix("label_")


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with what a model answered.

    Parameters
    ----------
    table : N rows of `pipeline.evaluation.predictions.samples_table`.
    outputs, teacher_outputs : float32 logits, shape (N, L).

    Returns
    -------
    ``table`` with logit_<label>, prob_<label> (sigmoid), predicted_<label> (a probability above one half) and, with a
    teacher, teacher_predicted_<label>.
    """
    probabilities = expit(np.asarray(outputs, dtype=np.float64))
    columns = {"logit": outputs, "prob": probabilities, "predicted": (outputs > 0).astype(int)}
    if teacher_outputs is not None:
        columns["teacher_predicted"] = (teacher_outputs > 0).astype(int)
    made = {
        f"{kind}_{name}": values[:, c] for kind, values in columns.items() for c, name in enumerate(question.outputs)
    }
    return table.assign(**made)


def outcome(frame: pd.DataFrame, question: Question) -> Outcome:
    """What the metrics need of a predictions table."""

    def columns(kind: str) -> np.ndarray:
        return frame[[f"{kind}_{name}" for name in question.outputs]].to_numpy()

    taught = f"teacher_predicted_{question.outputs[0]}" in frame
    teacher = columns("teacher_predicted") if taught else None
    return Outcome(question, columns("label"), columns("prob"), columns("predicted"), teacher)


def truths(frame: pd.DataFrame, question: Question) -> dict[str, np.ndarray]:
    """By label, which samples have it: bool, shape (N,)."""
    return {name: frame[f"label_{name}"].to_numpy() == 1 for name in question.outputs}


def called(probabilities: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """The columns of a predictions table that say which labels such probabilities, shape (N, L), call."""
    return {f"predicted_{name}": (probabilities[:, c] > 0.5).astype(int) for c, name in enumerate(question.outputs)}


def spoken_of(question: Question) -> str:
    """Whose probability `spoken_probability` is, in words."""
    return "every label"


def spoken_probability(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """The probability of every label of every sample: float, shape (N * L,)."""
    return frame[[f"prob_{name}" for name in question.outputs]].to_numpy().ravel()


def metrics(question: Question) -> dict[str, Metric]:
    """The metrics of such an outcome, in the words of its task, the most important first."""
    both, one = f"needs every label on some {question.samples} and not on others", f"needs {question.one}"
    return {
        "macro_f1": Metric("Macro F1", "mean of the labels' F1", "needs every label, true or called"),
        "macro_precision": Metric("Macro precision", "mean of the labels' precisions", "needs every label called"),
        "macro_recall": Metric("Macro recall", "mean of the labels' recalls", "needs every label to be true of some"),
        "exact_match": Metric("Exact match", f"share of {question.samples} with all labels right", one),
        "hamming_loss": Metric("Hamming loss", "share of labels that are wrong", one, lower_is_better=True),
        "roc_auc": Metric("ROC-AUC", "mean over the labels", both),
        "average_precision": Metric(
            "Average precision", "mean over the labels", "needs every label to be true of some"
        ),
        "agreement": Metric("Agreement", "share of labels called as by the teacher", "needs a teacher to agree with"),
    }


def per_output_metrics(question: Question) -> dict[str, Metric]:
    """The metrics of one label."""
    one, samples = question.one, question.samples
    return {
        "precision": Metric("Precision", f"{samples} with the label among those called so", f"needs {one} called so"),
        "recall": Metric("Recall", f"{samples} with the label that were called so", f"needs {one} with the label"),
        "f1": Metric("F1", "harmonic mean of precision and recall", f"needs {one} with the label, true or called"),
        "roc_auc": Metric("ROC-AUC", "area under the ROC curve", f"needs {samples} with the label and without"),
        "average_precision": Metric(
            "Average precision", "area under the precision–recall steps", f"needs {one} with the label"
        ),
    }


def compute(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `metrics` under every weighting, float64, shape (R,); NaN where they are undefined.

    Parameters
    ----------
    weights : float, shape (R, N), not negative.
    names : of the metrics that are wanted, all by default.
    """
    weights = checked(weights)
    names = metrics(outcome.question) if names is None else names
    labels = per_output(outcome, weights, None if ranked(names) else ("f1", "precision", "recall"))
    wrong, total = outcome.label != outcome.predicted, weights.sum(axis=1)
    values = {f"macro_{name}": labels[name].mean(axis=1) for name in ("f1", "precision", "recall")}
    values |= {name: labels[name].mean(axis=1) for name in RANKINGS if name in labels}
    values["exact_match"] = ratio(weights @ (~wrong.any(axis=1)).astype(float), total)
    values["hamming_loss"] = ratio(weights @ wrong.mean(axis=1), total)
    values["agreement"] = np.full(len(weights), np.nan)
    if outcome.teacher_predicted is not None:
        same = (outcome.predicted == outcome.teacher_predicted).mean(axis=1)
        values["agreement"] = ratio(weights @ same, total)
    return asked(values, names)


def extras(outcome: Outcome) -> dict[str, Any]:
    """What stands beside the metrics: nothing."""
    return {}


def per_output(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `per_output_metrics`, all by default, for every label: float64 arrays, shape (R, L)."""
    weights = checked(weights)
    label, predicted = outcome.label.astype(float), outcome.predicted.astype(float)
    right, true, called = weights @ (label * predicted), weights @ label, weights @ predicted
    counted = {"precision": ratio(right, called), "recall": ratio(right, true), "f1": ratio(2 * right, true + called)}
    if ranked(names):
        counted |= rankings(outcome.label == 1, outcome.probabilities, weights)
    return asked(counted, names)
