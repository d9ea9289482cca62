"""Metrics of a two-class classifier, for many weightings of the same faces at once.

A weighting gives every face a count: ones for the sample itself, the number of times its subject was drawn
for a bootstrap resample (`pipeline.statistics.resamples`). One function therefore serves the value and its
interval. The definitions are scikit-learn's with ``sample_weight``; where scikit-learn warns and puts a
number, the value here is NaN and `Metric.undefined` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 256  # weightings at a time, so that the cumulative sums stay in the processor's cache: six times faster


@dataclass(frozen=True)
class Metric:
    """How a metric is called and explained, and when it has no value."""

    title: str
    meaning: str
    undefined: str


METRICS = {
    "balanced_accuracy": Metric(
        "Balanced accuracy", "mean of recall and specificity", "needs faces with and without pain"
    ),
    "accuracy": Metric("Accuracy", "share of faces classified correctly", "needs a face"),
    "precision": Metric("Precision", "pain among faces called pain", "needs a face that is called pain"),
    "recall": Metric("Recall", "faces in pain that were called pain", "needs a face in pain"),
    "f1": Metric("F1", "harmonic mean of precision and recall", "needs a face that is in pain or called so"),
    "specificity": Metric("Specificity", "faces without pain that were called so", "needs a face without pain"),
    "specificity_expressive": Metric(
        "Specificity, expressive",
        "the same among faces with another expression than neutral",
        "needs an expressive face without pain",
    ),
    "roc_auc": Metric("ROC-AUC", "area under the ROC curve", "needs faces with and without pain"),
    "average_precision": Metric("Average precision", "area under the precision–recall steps", "needs a face in pain"),
    "agreement": Metric("Agreement", "faces called like the teacher calls them", "needs a teacher to agree with"),
}


@dataclass(frozen=True)
class Outcome:
    """What a model said about N faces and what is true.

    Parameters
    ----------
    label : int, shape (N,); 1 is the positive class, pain.
    score : float, shape (N,); any increasing function of the probability of pain.
    predicted : int, shape (N,); the class the model chose.
    expressive : bool, shape (N,); faces that were asked for an expression, pain or another.
    teacher_predicted : int, shape (N,), or None for a model without a teacher.
    """

    label: np.ndarray
    score: np.ndarray
    predicted: np.ndarray
    expressive: np.ndarray
    teacher_predicted: np.ndarray | None = None

    def among(self, faces: np.ndarray) -> Outcome:
        """What was said about some of the faces, picked by a mask or by rows."""
        teacher = None if self.teacher_predicted is None else self.teacher_predicted[faces]
        return Outcome(self.label[faces], self.score[faces], self.predicted[faces], self.expressive[faces], teacher)


def compute(outcome: Outcome, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of `METRICS` under every weighting; NaN where it is undefined.

    Parameters
    ----------
    weights : float, shape (R, N), not negative.

    Returns
    -------
    dict of float64 arrays, shape (R,)
    """
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    positive, called = outcome.label == 1, outcome.predicted == 1
    negative = ~positive
    expressive = negative & outcome.expressive.astype(bool)
    sums = {
        "tp": positive & called,
        "fp": negative & called,
        "fn": positive & ~called,
        "tn": negative & ~called,
    }
    sums |= {"expressive": expressive, "expressive_tn": expressive & ~called}
    if outcome.teacher_predicted is not None:
        sums["agree"] = outcome.predicted == outcome.teacher_predicted
    counts = weights @ np.stack(list(sums.values()), axis=1).astype(np.float64)  # (R, sums)
    n = dict(zip(sums, counts.T, strict=True))
    total = weights.sum(axis=1)
    recall, specificity = ratio(n["tp"], n["tp"] + n["fn"]), ratio(n["tn"], n["tn"] + n["fp"])
    roc_auc, average_precision = ranking(outcome.label, outcome.score, weights)
    return {
        "balanced_accuracy": (recall + specificity) / 2,
        "accuracy": ratio(n["tp"] + n["tn"], total),
        "precision": ratio(n["tp"], n["tp"] + n["fp"]),
        "recall": recall,
        "f1": ratio(2 * n["tp"], 2 * n["tp"] + n["fp"] + n["fn"]),
        "specificity": specificity,
        "specificity_expressive": ratio(n["expressive_tn"], n["expressive"]),
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "agreement": ratio(n["agree"], total) if "agree" in n else np.full(len(weights), np.nan),
    }


def ranking(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC (ties count half) and average precision (steps, no interpolation) under every weighting.

    Parameters
    ----------
    label : int, shape (N,)
    score : float, shape (N,)
    weights : float, shape (R, N)

    Returns
    -------
    roc_auc, average_precision : float64, shape (R,)
    """
    blocks = [_ranking(label, score, weights[i : i + BLOCK]) for i in range(0, len(weights), BLOCK)]
    roc_auc, average_precision = np.concatenate(blocks, axis=1)
    return roc_auc, average_precision


def _ranking(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Both values of `ranking` for one block of weightings, shape (2, R)."""
    if len(score) == 0:
        return np.full((2, len(weights)), np.nan)
    order = np.argsort(-score, kind="stable")
    first_of_tie = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    weights = weights[:, order]
    positive = np.add.reduceat(weights * (label[order] == 1), first_of_tie, axis=1)  # (R, distinct scores)
    negative = np.add.reduceat(weights * (label[order] != 1), first_of_tie, axis=1)
    true_positives, false_positives = positive.cumsum(axis=1), negative.cumsum(axis=1)
    pain, no_pain = true_positives[:, -1], false_positives[:, -1]
    beaten = no_pain[:, None] - false_positives + negative / 2
    roc_auc = ratio((positive * beaten).sum(axis=1), pain * no_pain)
    precision = true_positives / np.maximum(true_positives + false_positives, np.finfo(float).tiny)
    return np.stack([roc_auc, ratio((positive * precision).sum(axis=1), pain)])


def confusion(label: np.ndarray, predicted: np.ndarray, classes: int = 2) -> np.ndarray:
    """Counts of faces, shape (classes, classes): row the true class, column the predicted one."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (label, predicted), 1)
    return table


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is nothing (or NaN)."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
