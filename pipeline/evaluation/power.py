"""What a comparison could have shown: the smallest difference that it would have found, and what a smaller one needs.

A test at level alpha finds a true difference d with probability P when

    d = (z_{1 - alpha/2} + z_P) SE,

with SE the standard error of the estimated difference: the normal approximation, the other tail of the test neglected
(Cohen 1988, Statistical Power Analysis, section 2.5; Bloom 1995, Evaluation Review 19, 547-556, who calls d the minimum
detectable effect). SE is that of the bootstrap from which intervals and p-values come. Its square has three parts, as
in an analysis of variance: of subjects, of seeds, and of both together, since seeds err on different subjects. Each
falls as one over the number that it comes from. So with n subjects and S seeds now,

    SE(n', S')^2 = SE_subjects^2 n / n' + SE_seeds^2 S / S' + SE_both^2 n S / (n' S').

This assumes new subjects like those that were tested, new seeds like those that were run, and models as good as these:
more test subjects, not more to learn from. The standard error is itself an estimate, and a rough one from few subjects
or seeds. A bootstrap that draws both counts the third part three times (Owen 2007, Annals of Applied Statistics 1,
386-411). Where it is large, intervals are too wide rather than too narrow, and the power is above P.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.evaluation.metrics.weighted import Metric

POWER = 0.8  # Cohen's convention
DIFFERENCE = 0.02  # two percentage points, or as much on a scale up to 1: what subjects and seeds are counted for
OF_AN_ERROR = 0.002  # likewise of errors that are shares, which are a few percent themselves
NOTHING = 1e-9  # of a share: what rounding leaves of a difference that no resample changes


def difference_of(metric: Metric) -> float:
    """The difference of a metric that the subjects and seeds are counted for."""
    return OF_AN_ERROR if metric.percent and metric.lower_is_better else DIFFERENCE


@dataclass(frozen=True)
class Design:
    """A number of subjects and of seeds; None where one seed says nothing of how many are needed."""

    subjects: int
    seeds: int | None


@dataclass(frozen=True)
class StandardError:
    """The bootstrap's standard error of a difference, and where it comes from.

    Parameters
    ----------
    total : NaN where there is no interval, or where no resample changes the difference.
    of_subjects, of_seeds, of_both : its parts, whose squares add up to that of the total; with one seed all of it is
        of subjects, and the others are NaN.
    subjects, seeds : how many were drawn from.
    """

    total: float
    of_subjects: float
    of_seeds: float
    of_both: float
    subjects: int
    seeds: int

    def smallest(self, alpha: float, power: float = POWER) -> float:
        """The smallest true difference that a two-sided test at level ``alpha`` finds with this power."""
        return float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power)) * self.total

    def expected(self, design: Design) -> float:
        """The standard error with other numbers of subjects and seeds; with one seed now, of subjects alone."""
        subjects = self.subjects / design.subjects
        if design.seeds is None or self.seeds < 2:
            return self.of_subjects * math.sqrt(subjects)
        seeds = self.seeds / design.seeds
        return math.sqrt(self.of_subjects**2 * subjects + self.of_seeds**2 * seeds + self.of_both**2 * subjects * seeds)

    def needed(self, difference: float, alpha: float, power: float = POWER) -> Design | None:
        """Subjects and seeds, both scaled by one factor, with which the smallest difference is this one.

        None where there is no standard error. Two of each are the least that say anything of others.
        """
        if math.isnan(self.total):
            return None
        wanted = (difference / self.smallest(alpha, power) * self.total) ** 2  # single / factor + both / factor**2
        both = self.of_both**2 if self.seeds > 1 else 0.0
        single = max(0.0, self.total**2 - both)
        factor = (single + math.sqrt(single**2 + 4 * both * wanted)) / (2 * wanted)
        seeds = None if self.seeds < 2 else max(2, math.ceil(factor * self.seeds))
        return Design(max(2, math.ceil(factor * self.subjects)), seeds)


def standard_error(
    rows: np.ndarray, of_subjects: np.ndarray, of_seeds: np.ndarray, subjects: int, seeds: int
) -> StandardError:
    """Standard error of a difference from its resamples, and its parts.

    Parameters
    ----------
    rows : float, shape (1 + replicates,): the difference on the sample, then on resamples of subjects and of seeds.
    of_subjects, of_seeds : the same resamples of subjects with the seeds that were run, and of seeds with the subjects
        that were tested; of the same shape.
    """
    drawn = np.stack([rows, of_subjects, of_seeds])[:, 1:]
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    total = float(np.std(drawn[0], ddof=1)) if drawn.shape[1] > 1 and not np.isnan(rows[0]) else math.nan
    if not total > NOTHING:
        return StandardError(math.nan, math.nan, math.nan, math.nan, subjects, seeds)
    if seeds < 2:
        return StandardError(total, total, math.nan, math.nan, subjects, seeds)
    by_subjects, by_seeds = np.var(drawn[1:], axis=1, ddof=1)
    both = np.var(drawn[0] - drawn[1] - drawn[2], ddof=1)
    # Draws of one alone have the noise of both once, draws of both three times.
    parts = np.maximum([by_subjects - both, by_seeds - both, 3 * both], 0.0)
    scaled = total * np.sqrt(parts / parts.sum())  # their sum differs from the total by the noise of the draws
    return StandardError(total, *map(float, scaled), subjects, seeds)
