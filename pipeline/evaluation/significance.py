"""Tests of differences between models, and the correction for testing many.

The resampled difference is the test that the report leads with: it knows that the samples of one subject are not
independent, and it averages over seeds. The classical tests stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.evaluation.bootstrap import Estimate

NOTHING = 1e-12  # what rounding leaves of a difference of areas that is zero
MOST_ENUMERATED = 13  # seeds whose 2**n sign changes scipy goes through one by one (its default is 9,999)


def bootstrap_p(rows: np.ndarray) -> float:
    """Two-sided p-value of a difference from its resamples.

    Twice the share of resamples on the other side of zero or on it, the sample itself counted among them: min(1,
    2 (1 + count) / (1 + B)). With 2 / (1 - confidence) - 1 resamples or more, this is the smallest level at which the
    percentile interval of `pipeline.evaluation.bootstrap.interval` no longer includes zero: the two never disagree.

    Source: Davison & Hinkley 1997, Bootstrap Methods and their Application, sections 4.4 and 5.3 (inverting the
    percentile interval).

    Parameters
    ----------
    rows : float, shape (1 + replicates,): the difference on the sample, then on every resample; NaN where undefined.

    Returns
    -------
    NaN where the sample or every resample has no difference.
    """
    drawn = rows[1:][~np.isnan(rows[1:])]
    if np.isnan(rows[0]) or len(drawn) == 0:
        return float("nan")
    count = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (1 + count) / (1 + len(drawn))))


@dataclass(frozen=True)
class McNemar:
    """Samples that one model alone got right, and the p-value of their numbers being equal."""

    first_only: int
    second_only: int
    p: float


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> McNemar:
    """McNemar's exact test of two models' errors on the same samples.

    It takes the samples as independent; where subjects have several, its p-value is a little too sure.

    Source: McNemar 1947, Psychometrika 12, 153-157; exact binomial form, two-sided.

    Parameters
    ----------
    first_right, second_right : bool, shape (N,): whether the model got the sample right.
    """
    first_right, second_right = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    first_only, second_only = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    discordant = first_only + second_only
    p = stats.binomtest(first_only, discordant).pvalue if discordant else 1.0
    return McNemar(first_only, second_only, float(p))


@dataclass(frozen=True)
class DeLong:
    """Areas under two ROC curves, their difference, and the p-value of its being zero (NaN when undefined)."""

    first: float
    second: float
    difference: Estimate
    p: float


def delong(
    label: np.ndarray,
    first_score: np.ndarray,
    second_score: np.ndarray,
    subject_ids: np.ndarray | None = None,
    confidence: float = 0.95,
) -> DeLong:
    """Difference of two models' ROC-AUC on the same samples, with its normal approximation.

    Sources: DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44, 837-845; the variance for subjects of several samples
    is Obuchowski's 1997, Biometrics 53, 567-578, and equals DeLong's when every sample is its own subject.

    Parameters
    ----------
    label : int, shape (N,); 1 is the positive class, whichever its number in the task.
    first_score, second_score : float, shape (N,); higher for the positive class, ties count half.
    subject_ids : shape (N,); None when every sample is its own subject.
    """
    positive = np.asarray(label) == 1
    subjects = np.arange(len(positive)) if subject_ids is None else np.unique(subject_ids, return_inverse=True)[1]
    if not positive.any() or positive.all():
        return _no_delong(np.nan, np.nan, "needs both classes")
    components = [_components(positive, np.asarray(score)) for score in (first_score, second_score)]
    first, second = (float(part[positive].mean()) for part in components)
    if min(len(set(subjects[positive])), len(set(subjects[~positive]))) < 2:
        return _no_delong(first, second, "needs two subjects of each class")
    # A difference of areas has the differences of their components: one variance instead of a matrix.
    variance = max(0.0, _clustered_variance(components[0] - components[1], positive, subjects))
    value, error = first - second, float(np.sqrt(variance))
    if error <= NOTHING and abs(value) > NOTHING:
        return _no_delong(first, second, "the difference has no variance")
    if error <= NOTHING:
        return DeLong(first, second, Estimate(0.0, 0.0, 0.0), 1.0)
    margin = stats.norm.isf((1 - confidence) / 2) * error
    p = float(2 * stats.norm.sf(abs(value) / error))
    return DeLong(first, second, Estimate(value, float(value - margin), float(value + margin)), p)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values corrected for testing all of them, so that the chance of any false finding stays below the level.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Parameters
    ----------
    p_values : float, shape (M,); NaN is no test: it is left out of the count and stays NaN.

    Returns
    -------
    float64, shape (M,), in the order of ``p_values``.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    stepped = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted


@dataclass(frozen=True)
class Wilcoxon:
    """A signed-rank test over seeds.

    Parameters
    ----------
    p : NaN without a seed.
    smallest : the smallest p-value that this number of seeds can give: with five seeds or fewer no result is below
        0.05.
    """

    statistic: float
    p: float
    smallest: float
    seeds: int
    reason: str = ""


def wilcoxon(differences: np.ndarray) -> Wilcoxon:
    """Wilcoxon's signed-rank test of differences between two methods, seed by seed or subject by subject; two-sided.

    Over seeds it speaks of other seeds on these very test samples, over subjects of other subjects. Exact up to 50
    differences; with equal ones among them, up to 13.

    Source: Wilcoxon 1945, Biometrics Bulletin 1, 80-83; those without a difference are left out, as there.

    Parameters
    ----------
    differences : float, shape (seeds,) or (subjects,); NaN where undefined.
    """
    differences = np.asarray(differences, dtype=np.float64)
    seeds = len(differences)
    smallest = float(min(1.0, 2.0 ** (1 - seeds))) if seeds else float("nan")
    if seeds == 0 or np.isnan(differences).any():
        return Wilcoxon(float("nan"), float("nan"), smallest, seeds, "needs a difference for every seed")
    sizes = np.round(differences, 12)  # equal shares of samples must be equal ranks, and none where there is none
    sizes = sizes[sizes != 0]
    if len(sizes) == 0:
        return Wilcoxon(0.0, 1.0, smallest, seeds, "no seed differs")
    tied = len(np.unique(np.abs(sizes))) < len(sizes)
    enumerate_all = tied and len(sizes) <= MOST_ENUMERATED
    test = stats.wilcoxon(sizes, method=stats.PermutationMethod() if enumerate_all else "auto")
    return Wilcoxon(float(test.statistic), float(test.pvalue), smallest, seeds)


def _components(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """DeLong's placement of every sample: the share of the other class that it ranks rightly against, shape (N,)."""
    rank = stats.rankdata(score)
    own = np.empty(len(score))
    for side in (positive, ~positive):
        own[side] = stats.rankdata(score[side])
    below = rank - own  # samples of the other class with a lower score, ties half
    return np.where(positive, below / (~positive).sum(), 1 - below / positive.sum())


def _clustered_variance(component: np.ndarray, positive: np.ndarray, subjects: np.ndarray) -> float:
    """Obuchowski's variance of the mean placement of samples that come in subjects.

    Parameters
    ----------
    component : float, shape (N,): of an area or of a difference of areas.
    positive : bool, shape (N,)
    subjects : int, shape (N,), from 0.
    """
    centred = component - component[positive].mean()
    count = subjects.max() + 1
    of_positive, of_negative = (
        np.bincount(subjects[side], centred[side], minlength=count) / side.sum() for side in (positive, ~positive)
    )
    positives, negatives = len(np.unique(subjects[positive])), len(np.unique(subjects[~positive]))
    return float(
        positives / (positives - 1) * (of_positive**2).sum()
        + negatives / (negatives - 1) * (of_negative**2).sum()
        + 2 * count / (count - 1) * (of_positive * of_negative).sum()
    )


def _no_delong(first: float, second: float, reason: str) -> DeLong:
    return DeLong(first, second, Estimate(first - second, np.nan, np.nan, reason=reason), float("nan"))
