from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation import bootstrap, power, significance
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.power import Design, StandardError

ALPHA = 0.05
FACTOR = stats.norm.isf(ALPHA / 2) + stats.norm.isf(0.2)


def test_the_smallest_difference_is_the_textbooks():
    error = StandardError(0.01, 0.008, 0.006, 0.0, 54, 3)
    assert error.smallest(0.05) == pytest.approx(0.01 * (1.959964 + 0.841621))
    assert error.smallest(0.05, power=0.9) == pytest.approx(0.01 * (1.959964 + 1.281552))
    assert error.smallest(0.05 / 3) == pytest.approx(0.01 * (2.393980 + 0.841621))


@pytest.mark.parametrize(
    ("percent", "lower_is_better", "expected"),
    [(True, False, 0.02), (False, False, 0.02), (False, True, 0.02), (True, True, 0.002)],
)
def test_what_is_counted_for_is_two_points_and_less_of_an_error_of_a_few_percent(percent, lower_is_better, expected):
    assert power.difference_of(Metric("", "", "", percent, lower_is_better)) == expected


def test_subjects_and_seeds_are_scaled_by_one_factor():
    error = StandardError(0.02, 0.016, 0.012, 0.0, 54, 3)  # can show 5.6 points, 2.8 times two
    needed = error.needed(0.02, ALPHA)
    assert needed == Design(math.ceil(FACTOR**2 * 54), math.ceil(FACTOR**2 * 3)) == Design(424, 24)
    assert error.needed(0.04, ALPHA) == Design(math.ceil(FACTOR**2 / 4 * 54), math.ceil(FACTOR**2 / 4 * 3))
    assert FACTOR * error.expected(needed) == pytest.approx(0.02, rel=0.01)
    assert FACTOR * error.expected(needed) <= 0.02  # rounded up
    assert error.expected(Design(54, 3)) == pytest.approx(error.total)
    assert error.expected(Design(216, 3)) == pytest.approx(math.hypot(0.008, 0.012))  # subjects alone
    assert error.needed(0.5, ALPHA) == Design(2, 2)  # the least that say anything of others


def test_what_comes_of_both_falls_with_both():
    noise = StandardError(0.02, 0.0, 0.0, 0.02, 50, 3)
    assert noise.expected(Design(200, 3)) == pytest.approx(0.01)
    assert noise.expected(Design(100, 6)) == pytest.approx(0.01)
    assert noise.needed(0.02, ALPHA) == Design(math.ceil(FACTOR * 50), math.ceil(FACTOR * 3))  # not its square
    mixed = StandardError(0.02, 0.012, 0.0096, 0.0128, 50, 3)
    needed = mixed.needed(0.02, ALPHA)
    assert FACTOR * mixed.expected(needed) == pytest.approx(0.02, rel=0.02)
    assert FACTOR * mixed.expected(needed) <= 0.02


def test_the_parts_are_those_of_an_analysis_of_variance():
    """Of scores that are linear, resamples are known: subjects' and seeds' parts and, three times, that of both."""
    generator, subjects, seeds, replicates = np.random.default_rng(0), 60, 6, 20_000
    scores = generator.normal(0, 0.2, subjects) + generator.normal(0, 0.05, (seeds, 1))
    scores = scores + generator.normal(0, 0.3, (seeds, subjects))
    weights = bootstrap.resamples(np.arange(subjects), replicates, 0)
    values = scores @ weights.T / weights.sum(axis=1)
    drawn = bootstrap.seed_draws(range(seeds), replicates)
    error = power.standard_error(*resampled(values, drawn), subjects, seeds)
    of_both = np.var(scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()) / (subjects * (seeds - 1))
    of_subjects = scores.mean(axis=0).var() / subjects - of_both
    of_seeds = scores.mean(axis=1).var(ddof=1) / seeds - of_both
    assert error.of_subjects**2 == pytest.approx(of_subjects, rel=0.1)
    assert error.of_seeds**2 == pytest.approx(of_seeds, rel=0.1)
    assert error.of_both**2 == pytest.approx(3 * of_both, rel=0.1)


def test_one_seed_says_nothing_of_other_seeds():
    rows = np.r_[0.1, np.random.default_rng(0).normal(0.1, 0.02, 999)]
    error = power.standard_error(rows, rows, np.full_like(rows, 0.1), subjects=20, seeds=1)
    assert error.total == error.of_subjects == pytest.approx(np.std(rows[1:], ddof=1))
    assert math.isnan(error.of_seeds)
    needed = error.needed(0.02, ALPHA)
    assert needed == Design(math.ceil((FACTOR * error.total / 0.02) ** 2 * 20), None)
    assert error.expected(needed) <= 0.02 / FACTOR


@pytest.mark.parametrize(
    ("rows", "subjects"),
    [
        (np.r_[0.1, np.full(9, np.nan)], 1),  # one subject
        (np.r_[np.nan, np.arange(9.0)], 5),  # no value
        (np.r_[0.1, 0.2, np.full(8, np.nan)], 5),  # one resample with a value
        (np.zeros(10), 5),  # models that never differ
        (np.full(10, 0.1), 5),
    ],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_without_an_interval_nothing_is_claimed(rows, subjects, seeds):
    error = power.standard_error(rows, rows, np.full_like(rows, rows[0]), subjects, seeds)
    assert math.isnan(error.total)
    assert math.isnan(error.smallest(ALPHA))
    assert error.needed(0.02, ALPHA) is None


def test_resamples_without_a_value_are_left_out():
    rows = np.r_[0.1, np.random.default_rng(0).normal(0.1, 0.02, 99)]
    holed = rows.copy()
    holed[5:9] = np.nan
    error = power.standard_error(holed, rows, np.full_like(rows, 0.1), 20, 2)
    assert error.total == pytest.approx(np.nanstd(holed[1:], ddof=1))


def resampled(values, drawn):
    """Resamples of subjects and seeds, of subjects, and of seeds; values of shape (seeds, 1 + replicates)."""
    tested = np.broadcast_to(values[:, :1], values.shape)
    return bootstrap.over_seeds(values, drawn), bootstrap.over_seeds(values), bootstrap.over_seeds(tested, drawn)


class Study:
    """Two methods tested on the same subjects, several samples each, in several seeds.

    Parameters
    ----------
    of_subjects : standard deviation over subjects of the difference between the methods.
    of_seeds : the same over seeds.
    noise : share of samples on which a seed is as good as a coin, independently of other seeds.
    """

    def __init__(self, subjects, seeds, of_subjects, of_seeds, noise=0.0, samples=6):
        self.subjects, self.seeds, self.samples = subjects, seeds, samples
        self.of_subjects, self.of_seeds, self.noise = of_subjects, of_seeds, noise

    def difference(self, truth: float, generator: np.random.Generator) -> np.ndarray:
        """Who is right on each sample, as the second method's minus the first's, shape (seeds, subjects * samples).

        The same samples are hard for every seed, as the same pictures are; what a seed adds is its own.
        """
        count = self.subjects * self.samples
        # Shares stay inside 0 and 1, so that the mean difference is the true one.
        skill = np.repeat(generator.normal(0.45, 0.08, self.subjects), self.samples)
        gained = np.repeat(generator.normal(truth, self.of_subjects, self.subjects), self.samples)
        gained = gained + generator.normal(0, self.of_seeds, (self.seeds, 1))
        hard = generator.random(count)
        right = [np.broadcast_to(hard < chance, (self.seeds, count)) for chance in (skill, skill + gained)]
        coins = generator.random((2, self.seeds, count))
        tossed = coins[0] < self.noise
        right[1] = np.where(tossed, coins[1] < skill + truth, right[1])
        return right[1].astype(float) - right[0]

    def run(self, truth: float, generator: np.random.Generator, replicates: int = 599):
        """The difference of the methods on the sample and on resamples, as `standard_error` takes them."""
        subject_ids = np.repeat(np.arange(self.subjects), self.samples)
        weights = bootstrap.resamples(subject_ids, replicates, int(generator.integers(2**31)))
        values = self.difference(truth, generator) @ weights.T / weights.sum(axis=1)
        drawn = bootstrap.seed_draws(generator.integers(2**31, size=self.seeds).tolist(), replicates)
        return resampled(values, drawn)

    def error(self, truth: float, generator: np.random.Generator, studies: int = 60) -> StandardError:
        """The standard error as studies like this one see it, in quadratic mean."""
        seen = [power.standard_error(*self.run(truth, generator), self.subjects, self.seeds) for _ in range(studies)]
        names = ("total", "of_subjects", "of_seeds", "of_both")
        parts = [math.sqrt(np.mean([getattr(e, name) ** 2 for e in seen])) for name in names]
        return StandardError(*parts, self.subjects, self.seeds)

    def smallest(self, generator: np.random.Generator) -> float:
        """The smallest difference by the error of studies in which the difference is about as large."""
        about = self.error(0.1, generator).smallest(ALPHA)
        return self.error(about, generator).smallest(ALPHA)

    def found(self, truth: float, generator: np.random.Generator, studies: int = 300) -> float:
        """The share of studies that find the difference."""
        return float(
            np.mean([significance.bootstrap_p(self.run(truth, generator)[0]) <= ALPHA for _ in range(studies)])
        )


MARGIN = 0.07  # three standard errors of a share of 300 studies


@pytest.mark.parametrize(
    "study",
    [Study(54, 5, 0.1, 0.03), Study(54, 3, 0.1, 0.01), Study(30, 8, 0.1, 0.04)],
    ids=["five seeds", "three seeds", "seeds weigh much"],
)
def test_a_true_difference_of_that_size_is_found_in_four_of_five_studies(study):
    generator = np.random.default_rng(1)
    truth = study.smallest(generator)
    assert study.found(truth, generator) == pytest.approx(0.8, abs=MARGIN)
    assert study.found(truth / 2, generator, 100) < 0.5  # half of it is not: 29% by the formula
    assert study.found(1.5 * truth, generator, 100) > 0.93  # and half more nearly always: 99%


def test_seeds_that_err_on_different_samples_make_the_claim_a_cautious_one():
    study, generator = Study(54, 3, 0.1, 0.02, noise=0.4), np.random.default_rng(2)
    truth = study.smallest(generator)
    assert study.found(truth, generator) > 0.8 - MARGIN


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize(("subjects", "seeds"), [(120, 5), (30, 15), (90, 15)])
def test_the_parts_foresee_the_error_of_other_designs(subjects, seeds, noise):
    generator = np.random.default_rng(3)
    now = Study(30, 5, 0.1, 0.05, noise).error(0.1, generator, 100)
    then = Study(subjects, seeds, 0.1, 0.05, noise).error(0.1, generator, 100)
    assert now.total**2 == pytest.approx(now.of_subjects**2 + now.of_seeds**2 + now.of_both**2)
    assert now.expected(Design(subjects, seeds)) == pytest.approx(then.total, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_what_a_difference_needs_finds_it(noise):
    """The whole claim at once: a small study says what is needed, and studies of that size find it."""
    generator, small = np.random.default_rng(4), Study(40, 3, 0.1, 0.015, noise)
    needed = small.error(0.04, generator, 100).needed(0.04, ALPHA)
    assert needed.subjects > 60
    large = Study(needed.subjects, needed.seeds, 0.1, 0.015, noise)
    assert 0.8 - MARGIN < large.found(0.04, generator, 200) < 0.9
