"""What the metrics of all kinds share: their descriptions, and arithmetic under many weightings at once.

A weighting gives every sample a count: ones for the samples themselves, the number of times its subject was drawn for
a bootstrap resample (`pipeline.evaluation.bootstrap.resamples`). One function therefore serves the value and its
interval. The definitions are scikit-learn's with ``sample_weight``; where scikit-learn warns and puts a number, the
value here is NaN and `Metric.undefined` says why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

RANKINGS = ("roc_auc", "average_precision")  # metrics that compare samples by their scores: one scale for all of them
BLOCK = 256  # weightings at a time, so that the cumulative sums stay in the processor's cache: six times faster


@dataclass(frozen=True)
class Metric:
    """How a metric is called and explained, and when it has no value.

    Parameters
    ----------
    undefined : why there can be no value, after the metric's title: "needs a face".
    percent : whether it is a share, read in per cent.
    lower_is_better : whether it is an error.
    """

    title: str
    meaning: str
    undefined: str
    percent: bool = True
    lower_is_better: bool = False


def among(outcome: Any, samples: np.ndarray) -> Any:
    """The outcome of some of the samples, picked by a mask or by rows: every array of the dataclass is cut."""
    arrays = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    return replace(outcome, **{name: a[samples] for name, a in arrays.items() if isinstance(a, np.ndarray)})


def wholly_right(outcome: Any) -> np.ndarray:
    """Samples whose class, or all of whose labels, were called as they are: bool, shape (N,)."""
    wrong = outcome.label != outcome.predicted
    return ~wrong.reshape(len(wrong), -1).any(axis=1)


def asked(values: dict[str, np.ndarray], names: Collection[str] | None) -> dict[str, np.ndarray]:
    """The values of some metrics, by default of all."""
    return values if names is None else {name: values[name] for name in names}


def ranked(names: Collection[str] | None) -> bool:
    """Whether some of the metrics rank samples, which costs most of the time; all metrics do."""
    return names is None or bool(set(RANKINGS) & set(names))


def checked(weights: np.ndarray) -> np.ndarray:
    """Weightings as float64, shape (R, N)."""
    return np.atleast_2d(np.asarray(weights, dtype=np.float64))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is nothing (or NaN)."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def ranking(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC (ties count half) and average precision (steps, no interpolation) under every weighting.

    Parameters
    ----------
    positive : bool, shape (N,)
    score : float, shape (N,)
    weights : float, shape (R, N)

    Returns
    -------
    roc_auc, average_precision : float64, shape (R,)
    """
    if len(score) == 0:
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    order = np.argsort(-score, kind="stable")
    places = _places(score[order], np.flatnonzero(positive[order]))
    blocks = [_ranking(weights[i : i + BLOCK][:, order], *places) for i in range(0, len(weights), BLOCK)]
    roc_auc, average_precision = np.concatenate(blocks, axis=1)
    return roc_auc, average_precision


def rankings(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """`ranking` of every output against the rest: ``roc_auc`` and ``average_precision``, each of shape (R, C).

    Parameters
    ----------
    positive : bool, shape (N, C)
    scores : float, shape (N, C)
    """
    columns = [ranking(positive[:, c], scores[:, c], weights) for c in range(positive.shape[1])]
    return {
        "roc_auc": np.stack([roc_auc for roc_auc, _ in columns], axis=1),
        "average_precision": np.stack([precision for _, precision in columns], axis=1),
    }


def _places(score: np.ndarray, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The positive samples, and where the ties begin and end that they are in, (P,) each: numbers by falling score.

    Parameters
    ----------
    score : float, shape (N,), falling.
    positives : int, shape (P,), which of them are positive.
    """
    begins = np.flatnonzero(np.r_[True, np.diff(score) != 0])
    tie = np.searchsorted(begins, positives, side="right") - 1
    return positives, begins[tie], np.r_[begins[1:], len(score)][tie]


def _ranking(weights: np.ndarray, positives: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Both values of `ranking` for one block of weightings of samples by falling score, shape (2, R).

    Only the positive samples are summed over, which makes a rare class cheap.
    """
    hits = weights[:, positives]
    above, hits_above = _sums_before(weights), _sums_before(hits)
    total, positive = above[:, -1], hits_above[:, -1]
    called, right = above[:, end], hits_above[:, np.searchsorted(positives, end)]  # at the score of each, ties among it
    wrong = called - right
    wrong_before = above[:, begin] - hits_above[:, np.searchsorted(positives, begin)]
    beaten = (total - positive)[:, None] - (wrong + wrong_before) / 2
    precision = right / np.maximum(called, np.finfo(float).tiny)
    roc_auc = ratio((hits * beaten).sum(axis=1), positive * (total - positive))
    return np.stack([roc_auc, ratio((hits * precision).sum(axis=1), positive)])


def _sums_before(values: np.ndarray) -> np.ndarray:
    """Along each row the sum of all that stands before each place, and of all at the end, shape (R, N + 1)."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    values.cumsum(axis=1, out=sums[:, 1:])
    return sums
