from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics.classify import Outcome, compute
from tests.helpers.outcomes import two_classes


def faces(subjects: int = 24, per_subject: int = 2, seed: int = 0) -> tuple[np.ndarray, Outcome]:
    rng = np.random.default_rng(seed)
    subject = np.repeat([f"s{i}" for i in range(subjects)], per_subject)
    label = rng.integers(0, 2, len(subject))
    score = np.round(np.clip(rng.normal(0.35 + 0.3 * label, 0.25), 0, 1), 2)
    return subject, two_classes(label, score)


def naive(subject, outcome, weights):
    """Metrics of resamples made the slow way: the drawn subjects' faces, repeated, given to scikit-learn."""
    rows = []
    for w in weights.astype(int):
        i = np.repeat(np.arange(len(subject)), w)
        label, score = outcome.label[i], outcome.probabilities[i, 1]
        rows.append(
            (
                balanced_accuracy_score(label, outcome.predicted[i]),
                roc_auc_score(label, score),
                average_precision_score(label, score),
            )
        )
    return np.array(rows)


def test_weighting_equals_naive_resampling():
    subject, outcome = faces()
    weights = bootstrap.resamples(subject, 60, seed=3)
    ours = compute(outcome, weights)
    ours = np.stack([ours["balanced_accuracy"], ours["roc_auc"], ours["average_precision"]], axis=1)
    np.testing.assert_allclose(ours, naive(subject, outcome, weights), atol=1e-12)


def test_subjects_are_drawn_whole():
    subject, _ = faces(subjects=10, per_subject=3)
    weights = bootstrap.resamples(subject, 500, seed=0)
    assert (weights[0] == 1).all()
    per_subject = weights.reshape(501, 10, 3)
    assert (per_subject == per_subject[:, :, :1]).all()
    assert (per_subject[:, :, 0].sum(axis=1) == 10).all()
    assert per_subject[1:, :, 0].mean(axis=0) == pytest.approx(np.ones(10), abs=0.15)


def test_draws_do_not_depend_on_the_order_of_rows():
    subject, _ = faces()
    shuffle = np.random.default_rng(1).permutation(len(subject))
    weights = bootstrap.resamples(subject, 20, seed=5)
    np.testing.assert_array_equal(weights[:, shuffle], bootstrap.resamples(subject[shuffle], 20, seed=5))
    assert (weights[1:] != bootstrap.resamples(subject, 20, seed=6)[1:]).any()


def test_paired_difference_is_narrower_than_the_models_apart():
    subject, good = faces(subjects=60)
    worse = replace(good, predicted=np.where(np.arange(120) < 6, 1 - good.label, good.predicted))
    weights = bootstrap.resamples(subject, 1000, seed=0)
    a, b = compute(good, weights)["accuracy"], compute(worse, weights)["accuracy"]
    paired, alone = bootstrap.interval(a - b), bootstrap.interval(a)
    assert paired.value == pytest.approx(a[0] - b[0])
    assert paired.high - paired.low < alone.high - alone.low
    same = bootstrap.interval(a - a)
    assert (same.low, same.high, same.excludes_zero) == (0, 0, False)


def test_interval_covers_a_known_proportion():
    """Percentile intervals of a proportion of 0.8 among 80 subjects hold it about 95 times in 100."""
    rng, held = np.random.default_rng(0), 0
    subject = np.arange(80)
    weights = bootstrap.resamples(subject, 400, seed=0)
    for _ in range(200):
        right = rng.random(80) < 0.8
        estimate = bootstrap.interval(weights @ right / weights.sum(axis=1))
        held += estimate.low <= 0.8 <= estimate.high
    assert 178 <= held <= 199


def test_undefined_resamples_are_counted_and_left_out():
    estimate = bootstrap.interval(np.array([0.5, np.nan, 0.4, 0.6, 0.5]))
    assert (estimate.value, estimate.undefined) == (0.5, 1)
    assert 0.4 <= estimate.low <= estimate.high <= 0.6
    none = bootstrap.interval(np.array([np.nan, 0.1, 0.2]), reason="needs a face in pain")
    assert np.isnan(none.value)
    assert none.reason == "needs a face in pain"


def test_one_subject_has_values_and_no_intervals():
    subject, outcome = faces(subjects=1, per_subject=8)
    weights = bootstrap.resamples(subject, 50, seed=0)
    for values in compute(outcome, weights).values():
        estimate = bootstrap.interval(values)
        assert np.isnan([estimate.low, estimate.high]).all()
        assert not estimate.excludes_zero
    assert compute(outcome, weights)["accuracy"][0] == np.mean(outcome.label == outcome.predicted)


def test_seeds_are_averaged_inside_a_resample():
    values = np.array([[0.8, 0.7, 0.9], [0.9, 0.9, 0.7]])
    np.testing.assert_allclose(bootstrap.over_seeds(values), [0.85, 0.8, 0.8])
    assert bootstrap.seed_spread(values) == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert np.isnan(bootstrap.seed_spread(values[:1]))


def clustered(rng, subjects: int = 50, per_subject: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Whether faces were classified correctly, 7 in 10 on average, subjects easy or hard as a whole."""
    easy = rng.beta(1.4, 0.6, subjects)
    return np.repeat(np.arange(subjects), per_subject), (rng.random((subjects, per_subject)) < easy[:, None]).ravel()


def test_intervals_cover_the_truth_when_faces_come_in_subjects():
    rng, covered = np.random.default_rng(0), {"subjects": 0, "faces": 0}
    for trial in range(400):
        subject, right = clustered(rng)
        for unit, ids in {"subjects": subject, "faces": np.arange(len(subject))}.items():
            weights = bootstrap.resamples(ids, 300, seed=trial)
            estimate = bootstrap.interval(weights @ right / weights.sum(axis=1))
            covered[unit] += estimate.low <= 0.7 <= estimate.high
    assert 0.91 <= covered["subjects"] / 400 <= 0.98
    assert covered["faces"] / 400 < 0.80


def test_interval_ends_are_order_statistics():
    rows = np.r_[0.5, np.random.default_rng(0).permutation(np.arange(1, 1000))]
    estimate = bootstrap.interval(rows)
    assert (estimate.low, estimate.high) == (25, 975)
    estimate = bootstrap.interval(rows, confidence=0.9)
    assert (estimate.low, estimate.high) == (50, 950)
    few = bootstrap.interval(np.array([0.0, 1, 2, 3]))
    assert (few.low, few.high) == (1, 3)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (3, 10), (10, 10), (41, 2000)])
def test_exact_proportion_agrees_with_statsmodels(count, total):
    estimate = bootstrap.proportion(count, total, confidence=0.9)
    expected = proportion_confint(count, total, alpha=0.1, method="beta")
    assert estimate.value == count / total
    np.testing.assert_allclose([estimate.low, estimate.high], expected, rtol=1e-9, atol=1e-12)


def test_a_proportion_of_nothing_has_a_reason():
    estimate = bootstrap.proportion(0, 0)
    assert np.isnan(estimate.value)
    assert estimate.reason


# Six targets and four judges: Shrout & Fleiss 1979, table 2.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_intraclass_correlation_of_the_published_example():
    found = bootstrap.intraclass(RATINGS)
    assert found.agreement.value == pytest.approx(0.29, abs=0.005)
    assert found.consistency.value == pytest.approx(0.71, abs=0.005)
    # Limits of R's psych::ICC for this table.
    assert (found.agreement.low, found.agreement.high) == pytest.approx((0.019, 0.761), abs=5e-4)
    assert (found.consistency.low, found.consistency.high) == pytest.approx((0.342, 0.946), abs=5e-4)


def test_a_judge_who_is_always_higher_disagrees_but_is_consistent():
    truth = np.random.default_rng(0).normal(size=30)
    found = bootstrap.intraclass(np.stack([truth, truth + 3], axis=1))
    assert found.consistency.value == 1
    assert found.agreement.value < 0.5
    same = bootstrap.intraclass(np.stack([truth, truth], axis=1))
    assert (same.agreement.value, same.agreement.low) == (1, 1)


def test_intraclass_interval_covers_a_known_correlation():
    rng, covered = np.random.default_rng(0), np.zeros(2)
    for _ in range(400):
        targets, judges = rng.normal(size=(25, 1)), rng.normal(0, 0.5, (1, 6))
        found = bootstrap.intraclass(targets + judges + rng.normal(0, 1, (25, 6)))
        known = (found.agreement, 1 / 2.25), (found.consistency, 1 / 2)
        covered += [estimate.low <= truth <= estimate.high for estimate, truth in known]
    assert (covered / 400 > 0.92).all()
    assert (covered / 400 < 0.98).all()


@pytest.mark.parametrize("ratings", [np.ones((4, 3)), np.ones((1, 3)), np.arange(4.0)[:, None]])
def test_intraclass_correlation_says_when_there_is_none(ratings):
    found = bootstrap.intraclass(ratings)
    for estimate in (found.agreement, found.consistency):
        assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
        assert estimate.reason


def test_plain_estimates_have_no_nan():
    plain = bootstrap.plain(bootstrap.Estimate(0.5, np.nan, np.nan, 3, "why"))
    assert plain == {"value": 0.5, "low": None, "high": None, "undefined": 3, "reason": "why"}


def test_draws_of_seeds_give_their_mean_its_variance():
    values = np.array([0.1, 0.5, 0.3])
    weights = bootstrap.seed_draws((0, 1, 2), 20_000)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert np.array_equal(weights[0], np.full(3, 1 / 3))
    means = weights[1:] @ values
    assert means.mean() == pytest.approx(values.mean(), abs=2e-3)
    assert means.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)


def test_equal_seeds_are_drawn_alike_and_one_seed_always_counts():
    assert np.array_equal(bootstrap.seed_draws((3, 5), 50), bootstrap.seed_draws((3, 5), 50))
    assert not np.array_equal(bootstrap.seed_draws((3, 5), 50), bootstrap.seed_draws((3, 6), 50))
    assert (bootstrap.seed_draws((7,), 50) == 1).all()


def test_a_difference_that_every_seed_shows_alike_gains_no_width_from_them():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(3, 501))
    second = first - 0.2
    weights = bootstrap.seed_draws((0, 1, 2), 500)
    rows = bootstrap.over_seeds(first, weights) - bootstrap.over_seeds(second, weights)
    np.testing.assert_allclose(rows, 0.2)
