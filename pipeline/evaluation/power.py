"""What a comparison could have shown: the smallest difference that it would have found, and what a smaller one needs.

A test at level alpha finds a true difference d with probability P when

    d = (z_{1 - alpha/2} + z_P) SE,

with SE the standard error of the estimated difference: the normal approximation, the other tail of the test neglected
(Cohen 1988, Statistical Power Analysis, section 2.5; Bloom 1995, Evaluation Review 19, 547-556, who calls d the minimum
detectable effect). SE is that of the bootstrap from which intervals and p-values come. Its square has two parts, by
the law of total variance over the draws of seeds: that of subjects, with the seeds that were run, falls as one over the
number of subjects; what other seeds add falls as one over the number of seeds. So with n subjects and S seeds now,

    SE(n', S')^2 = SE_subjects^2 n / n' + SE_seeds^2 S / S',

and a difference that is k times smaller needs k^2 times the subjects and k^2 times the seeds.

This assumes new subjects like those that were tested, new seeds like those that were run, and models as good as these:
more test subjects, not more to learn from. The standard error is itself an estimate. From few subjects or seeds it is
rough, and where seeds err on different samples, drawing both counts that noise up to three times (Owen 2007, Annals of
Applied Statistics 1, 386-411): intervals are then too wide rather than too narrow, and the power is above P.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

POWER = 0.8  # Cohen's convention
DIFFERENCE = 0.02  # two percentage points: what the subjects and seeds are counted for
NOTHING = 1e-9  # of a share: what rounding leaves of a difference that no resample changes


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
    of_subjects : its part with the seeds that were run.
    of_seeds : what other seeds add; NaN with one seed. The squares of both parts add up to that of the total.
    subjects, seeds : how many were drawn from.
    """

    total: float
    of_subjects: float
    of_seeds: float
    subjects: int
    seeds: int

    def smallest(self, alpha: float, power: float = POWER) -> float:
        """The smallest true difference that a two-sided test at level ``alpha`` finds with this power."""
        return float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power)) * self.total

    def expected(self, design: Design) -> float:
        """The standard error with other numbers of subjects and seeds; with one seed now, of subjects alone."""
        subjects = self.of_subjects**2 * self.subjects / design.subjects
        if design.seeds is None or math.isnan(self.of_seeds):
            return math.sqrt(subjects)
        return math.sqrt(subjects + self.of_seeds**2 * self.seeds / design.seeds)

    def needed(self, difference: float, alpha: float, power: float = POWER) -> Design | None:
        """Subjects and seeds, both scaled by one factor, with which the smallest difference is this one.

        None where there is no standard error. Two of each are the least that say anything of others.
        """
        if math.isnan(self.total):
            return None
        factor = (self.smallest(alpha, power) / difference) ** 2
        seeds = None if self.seeds < 2 else max(2, math.ceil(factor * self.seeds))
        return Design(max(2, math.ceil(factor * self.subjects)), seeds)


def standard_error(rows: np.ndarray, fixed: np.ndarray, subjects: int, seeds: int) -> StandardError:
    """Standard error of a difference from its resamples, split into the parts of subjects and of seeds.

    Parameters
    ----------
    rows : float, shape (1 + replicates,): the difference on the sample, then on resamples of subjects and of seeds.
    fixed : the same with resamples of the same subjects and equal weights of the seeds that were run.
    """
    drawn = np.stack([rows, fixed])[:, 1:]
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    if np.isnan(rows[0]) or drawn.shape[1] < 2:
        return StandardError(math.nan, math.nan, math.nan, subjects, seeds)
    total = float(np.std(drawn[0], ddof=1))
    if total <= NOTHING:
        return StandardError(math.nan, math.nan, math.nan, subjects, seeds)
    of_subjects, of_seeds = float(np.var(drawn[1], ddof=1)), float(np.var(drawn[0] - drawn[1], ddof=1))
    share = of_subjects / (of_subjects + of_seeds)  # their sum differs from the total by the noise of the draws
    by_seed = total * math.sqrt(1 - share) if seeds > 1 else math.nan
    return StandardError(total, total * math.sqrt(share), by_seed, subjects, seeds)
