"""Percentile bootstrap over subjects (Efron & Tibshirani 1993, chapters 13 and 14).

Faces of one subject are not independent, so subjects are drawn, not faces. All models are weighed by the same
draws: row 0 of the weights is the sample itself, the others are the resamples. Metrics keep that order, so a
difference of two models or a mean over seeds is plain arithmetic on their rows, and the difference is paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    ``undefined`` counts the resamples that gave no value (they are left out of the interval); ``reason`` says
    why when there is no value at all.
    """

    value: float
    low: float
    high: float
    undefined: int = 0
    reason: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def resamples(subject_ids: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """Weights of every face: ones, then ``replicates`` draws of all subjects with replacement.

    The draws depend on the set of subjects and the seed alone, so models tested on the same subjects share
    them, whatever the order of their rows. One subject says nothing of others: its resamples weigh NaN, so that no
    metric has an interval.

    Parameters
    ----------
    subject_ids : shape (N,)

    Returns
    -------
    float64, shape (1 + replicates, N)
    """
    subjects, subject_of_face = np.unique(np.asarray(subject_ids), return_inverse=True)
    count = len(subjects)
    drawn = np.random.default_rng(seed).integers(count, size=(replicates, count))
    cells = drawn + count * np.arange(replicates)[:, None]
    times = np.bincount(cells.ravel(), minlength=replicates * count).reshape(replicates, count)
    weights = np.ones((1 + replicates, len(subject_of_face)))
    weights[1:] = times[:, subject_of_face] if count > 1 else np.nan
    return weights


def interval(values: np.ndarray, confidence: float = 0.95, reason: str = "") -> Estimate:
    """The value in row 0 with the percentile interval of the resamples after it.

    Parameters
    ----------
    values : float, shape (1 + replicates,); NaN where undefined.
    reason : why a value can be undefined, kept when row 0 is.
    """
    value, drawn = float(values[0]), values[1:]
    if np.isnan(value):
        return Estimate(np.nan, np.nan, np.nan, int(np.isnan(drawn).sum()), reason or "undefined")
    defined = drawn[~np.isnan(drawn)]
    if len(defined) == 0:
        return Estimate(value, np.nan, np.nan, len(drawn), "no resample has a value")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), len(drawn) - len(defined))


def over_seeds(values: np.ndarray) -> np.ndarray:
    """Mean over seeds inside every resample: (seeds, 1 + replicates) to (1 + replicates,).

    The interval of the result speaks of the subjects, with the seeds that were run; `seed_spread` stands
    beside it.
    """
    return np.mean(values, axis=0)


def seed_spread(values: np.ndarray) -> float:
    """Standard deviation over seeds of the values on the sample itself; NaN for one seed."""
    return float(np.std(values[:, 0], ddof=1)) if len(values) > 1 else float("nan")
