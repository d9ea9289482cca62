"""Estimates with intervals: the percentile bootstrap over subjects, exact proportions, intraclass correlation.

The bootstrap is Efron & Tibshirani's (1993, chapters 13 and 14). Samples of one subject are not independent, so
subjects are drawn, not samples. All models are weighed by the same draws: row 0 of the weights is the test part
itself, the others are the resamples. Metrics keep that order, so a difference of two models or a mean over seeds is
plain arithmetic on their rows, and the difference is paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

ROUNDING = 1e-9  # (1 - 0.95) / 2 is a little more than 0.025 in floating point, and other levels a little less
SEED_STREAM = 1  # of the generator: draws of seeds owe nothing to those of subjects
NOTHING = 1e-12  # of another mean square: what rounding leaves of a sum of squares that is zero


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
    """Weights of every sample: ones, then ``replicates`` draws of all subjects with replacement.

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
    subjects, subject_of_sample = np.unique(np.asarray(subject_ids), return_inverse=True)
    count = len(subjects)
    drawn = np.random.default_rng(seed).integers(count, size=(replicates, count))
    cells = drawn + count * np.arange(replicates)[:, None]
    times = np.bincount(cells.ravel(), minlength=replicates * count).reshape(replicates, count)
    weights = np.ones((1 + replicates, len(subject_of_sample)))
    weights[1:] = times[:, subject_of_sample] if count > 1 else np.nan
    return weights


def interval(values: np.ndarray, confidence: float = 0.95, reason: str = "") -> Estimate:
    """The value in row 0 with the percentile interval of the resamples after it.

    The ends are order statistics, the k-th smallest and the k-th largest with k = (B + 1) (1 - confidence) / 2 rounded
    down, at least 1 (Efron & Tibshirani 1993, section 12.5): values that a resample gave, so that the interval excludes
    zero exactly when `pipeline.evaluation.significance.bootstrap_p` is at most 1 - confidence.

    Parameters
    ----------
    values : float, shape (1 + replicates,); NaN where undefined.
    reason : why a value can be undefined, kept when row 0 is.
    """
    value, drawn = float(values[0]), values[1:]
    if np.isnan(value):
        return Estimate(np.nan, np.nan, np.nan, int(np.isnan(drawn).sum()), reason or "undefined")
    defined = np.sort(drawn[~np.isnan(drawn)])
    if len(defined) == 0:
        return Estimate(value, np.nan, np.nan, len(drawn), "no resample has a value")
    rank = max(1, math.floor((len(defined) + 1) * (1 - confidence) / 2 + ROUNDING))
    return Estimate(value, float(defined[rank - 1]), float(defined[-rank]), len(drawn) - len(defined))


def over_seeds(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over seeds inside every resample: (seeds, 1 + replicates) to (1 + replicates,).

    Without weights the interval of the result speaks of the subjects, with the seeds that were run; `seed_spread`
    stands beside it. With those of `seed_draws` it speaks of other seeds too.

    Parameters
    ----------
    weights : float, shape (1 + replicates, seeds), each row of sum 1.
    """
    return np.mean(values, axis=0) if weights is None else np.einsum("sr,rs->r", values, weights)


def seed_draws(seeds: Sequence[int], replicates: int) -> np.ndarray:
    """Weights of S seeds: equal ones, then ``replicates`` draws of S - 1 seeds with replacement.

    One draw less than there are seeds leaves the variance of their mean unbiased, which matters for three of them
    (Rao & Wu 1988, J. Am. Stat. Assoc. 83:231). Equal seeds are drawn alike, so that differences are paired.

    Returns
    -------
    float64, shape (1 + replicates, S); one seed says nothing of others and always weighs 1.
    """
    count = len(seeds)
    weights = np.full((1 + replicates, count), 1 / count)
    if count > 1:
        generator = np.random.default_rng([SEED_STREAM, *seeds])
        drawn = generator.multinomial(count - 1, np.full(count, 1 / count), size=replicates)
        weights[1:] = drawn / (count - 1)
    return weights


def seed_spread(values: np.ndarray) -> float:
    """Standard deviation over seeds of the values on the sample itself; NaN for one seed."""
    return float(np.std(values[:, 0], ddof=1)) if len(values) > 1 else float("nan")


def plain(estimate: Estimate) -> dict[str, Any]:
    """An estimate for JSON, which has no NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(estimate).items()
    }


def proportion(count: int, total: int, confidence: float = 0.95) -> Estimate:
    """A share of independent trials with its exact interval (Clopper & Pearson 1934)."""
    if total == 0:
        return Estimate(np.nan, np.nan, np.nan, reason="needs at least one")
    ends = stats.binomtest(int(count), int(total)).proportion_ci(confidence, method="exact")
    return Estimate(count / total, float(ends.low), float(ends.high))


@dataclass(frozen=True)
class Intraclass:
    """Intraclass correlations of single ratings, every target rated by every rater.

    Parameters
    ----------
    agreement : ICC(2,1), raters drawn at random: a rater who is always higher than another counts as disagreement.
    consistency : ICC(3,1), these very raters: only the order and the distances of the targets count.
    """

    agreement: Estimate
    consistency: Estimate


def intraclass(ratings: np.ndarray, confidence: float = 0.95) -> Intraclass:
    """Intraclass correlation of a complete table of ratings, with intervals from the F distribution.

    Source: Shrout & Fleiss 1979, Psychological Bulletin 86, 420-428; intervals as in McGraw & Wong 1996, Psychological
    Methods 1, 30-46, table 7: cases 2 and 3 of single ratings.

    Parameters
    ----------
    ratings : float, shape (targets, raters); for example the answers of the seeds of one method to the test samples.
    """
    ratings = np.asarray(ratings, dtype=np.float64)
    targets, raters = ratings.shape
    if targets < 2 or raters < 2:
        return _no_intraclass("needs two targets and two raters")
    mean = ratings.mean()
    rows, columns = ratings.mean(axis=1, keepdims=True), ratings.mean(axis=0, keepdims=True)
    free = (targets - 1) * (raters - 1)
    between = raters * ((rows - mean) ** 2).sum() / (targets - 1)
    judges = targets * ((columns - mean) ** 2).sum() / (raters - 1)
    error = ((ratings - rows - columns + mean) ** 2).sum() / free
    if max(between, error) <= NOTHING * (ratings**2).mean():
        return _no_intraclass("needs targets that are rated differently")
    tail = 1 - (1 - confidence) / 2
    return Intraclass(
        _agreement(between, judges, error, targets, raters, tail),
        _consistency(between, error, targets, raters, tail),
    )


def _agreement(between: float, judges: float, error: float, targets: int, raters: int, tail: float) -> Estimate:
    """ICC(2,1) from the mean squares of targets, raters and error."""
    if max(judges, error) <= NOTHING * between:
        return Estimate(1.0, 1.0, 1.0)
    other = raters * judges + (raters * targets - raters - targets) * error
    value = (between - error) / (between + (raters - 1) * error + raters * (judges - error) / targets)
    # Satterthwaite's degrees of freedom of judges and error together.
    a = raters * value / (targets * (1 - value))
    b = 1 + raters * value * (targets - 1) / (targets * (1 - value))
    parts = (a * judges) ** 2 / (raters - 1) + (b * error) ** 2 / ((targets - 1) * (raters - 1))
    free = (a * judges + b * error) ** 2 / parts
    below, above = stats.f.ppf(tail, targets - 1, free), stats.f.ppf(tail, free, targets - 1)
    low = targets * (between - below * error) / (below * other + targets * between)
    high = targets * (above * between - error) / (other + targets * above * between)
    return Estimate(float(value), float(low), float(high))


def _consistency(between: float, error: float, targets: int, raters: int, tail: float) -> Estimate:
    """ICC(3,1) from the mean squares of targets and error."""
    if error <= NOTHING * between:
        return Estimate(1.0, 1.0, 1.0)
    free = (targets - 1) * (raters - 1)
    ratio = between / error
    low = ratio / stats.f.ppf(tail, targets - 1, free)
    high = ratio * stats.f.ppf(tail, free, targets - 1)
    value, low, high = ((f - 1) / (f + raters - 1) for f in (ratio, low, high))
    return Estimate(float(value), float(low), float(high))


def _no_intraclass(reason: str) -> Intraclass:
    nothing = Estimate(np.nan, np.nan, np.nan, reason=reason)
    return Intraclass(nothing, nothing)
