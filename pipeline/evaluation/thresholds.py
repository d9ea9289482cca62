"""Above which probability a label is called: a threshold for each, fitted on validation and owned by the model.

It is fitted once, as the network's weights are: resamples of the test part measure the model with its thresholds, and
do not fit them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import predictions
from pipeline.evaluation.question import Question

USUAL = 0.5  # what is called without a threshold of one's own


@dataclass(frozen=True)
class Threshold:
    """Probabilities above ``value`` are called; ``reason`` says why it is the usual one."""

    value: float
    reason: str = ""


def best(label: np.ndarray, probability: np.ndarray) -> Threshold:
    """The threshold with the largest F1 of one label.

    Thresholds between two neighbouring probabilities call the same samples, and the middle stands for them. Of several
    with one F1 it is the one nearest to one half, and of two as near the higher.

    Parameters
    ----------
    label : 0 or 1, shape (N,)
    probability : float in [0, 1], shape (N,)
    """
    positive = np.asarray(label) == 1
    if not positive.any() or positive.all():
        lacking = "without" if positive.all() and len(positive) else "with"
        return Threshold(USUAL, f"no validation sample {lacking} the label")
    levels = np.unique(probability)  # ascending
    called = len(positive) - np.searchsorted(np.sort(probability), levels)
    right = positive.sum() - np.searchsorted(np.sort(probability[positive]), levels)
    f1 = 2 * right / (called + positive.sum())
    middle = _between(np.r_[0.0, levels[:-1]], levels)[f1 == f1.max()]
    return Threshold(float(min(middle, key=lambda value: (abs(value - USUAL), -value))))


def fitted(validation: pd.DataFrame, question: Question) -> dict[str, Threshold]:
    """The threshold of every label, by its name, from a table of predictions."""
    return {
        name: best(validation[f"label_{name}"].to_numpy(), validation[f"prob_{name}"].to_numpy())
        for name in question.outputs
    }


def applied(frame: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """A table of predictions that calls labels above other thresholds.

    Parameters
    ----------
    values : by label its threshold, or thresholds of shape (N,).
    """
    called = {f"predicted_{name}": (frame[f"prob_{name}"] > value).astype(int) for name, value in values.items()}
    return frame.assign(**called)


def measured(
    test: pd.DataFrame, validation: pd.DataFrame, question: Question, replicates: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Thresholds fitted on validation and every metric of the test part under them, as values that JSON can hold.

    Parameters
    ----------
    test, validation : predictions of the two parts.

    Returns
    -------
    What `pipeline.evaluation.predictions.scores` gives, and ``thresholds``: by label value and reason, and of how many
    samples of which part they are.
    """
    found = fitted(validation, question)
    called = applied(test, {name: threshold.value for name, threshold in found.items()})
    return {
        "thresholds": {name: asdict(threshold) for name, threshold in found.items()},
        "fitted_on": {"part": "val", "samples": len(validation)},
        **predictions.scores(called, question, replicates, confidence, seed),
    }


def _between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The middle of two numbers, at least ``low`` and below ``high`` however near they are."""
    middle = low + (high - low) / 2
    return np.where(middle < high, middle, low)
