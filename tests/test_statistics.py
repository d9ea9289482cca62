from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from pipeline import statistics
from pipeline.metrics import Outcome, compute


def faces(subjects: int = 24, per_subject: int = 2, seed: int = 0) -> tuple[np.ndarray, Outcome]:
    rng = np.random.default_rng(seed)
    subject = np.repeat([f"s{i}" for i in range(subjects)], per_subject)
    label = rng.integers(0, 2, len(subject))
    score = np.round(np.clip(rng.normal(0.35 + 0.3 * label, 0.25), 0, 1), 2)
    return subject, Outcome(label, score, (score > 0.5).astype(int), np.ones(len(subject), bool))


def naive(subject, outcome, weights):
    """Metrics of resamples made the slow way: the drawn subjects' faces, repeated, given to scikit-learn."""
    rows = []
    for w in weights.astype(int):
        i = np.repeat(np.arange(len(subject)), w)
        label, score = outcome.label[i], outcome.score[i]
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
    weights = statistics.resamples(subject, 60, seed=3)
    ours = compute(outcome, weights)
    ours = np.stack([ours["balanced_accuracy"], ours["roc_auc"], ours["average_precision"]], axis=1)
    np.testing.assert_allclose(ours, naive(subject, outcome, weights), atol=1e-12)


def test_subjects_are_drawn_whole():
    subject, _ = faces(subjects=10, per_subject=3)
    weights = statistics.resamples(subject, 500, seed=0)
    assert (weights[0] == 1).all()
    per_subject = weights.reshape(501, 10, 3)
    assert (per_subject == per_subject[:, :, :1]).all()
    assert (per_subject[:, :, 0].sum(axis=1) == 10).all()
    assert per_subject[1:, :, 0].mean(axis=0) == pytest.approx(np.ones(10), abs=0.15)


def test_draws_do_not_depend_on_the_order_of_rows():
    subject, _ = faces()
    shuffle = np.random.default_rng(1).permutation(len(subject))
    weights = statistics.resamples(subject, 20, seed=5)
    np.testing.assert_array_equal(weights[:, shuffle], statistics.resamples(subject[shuffle], 20, seed=5))
    assert (weights[1:] != statistics.resamples(subject, 20, seed=6)[1:]).any()


def test_paired_difference_is_narrower_than_the_models_apart():
    subject, good = faces(subjects=60)
    worse = Outcome(
        good.label, good.score, np.where(np.arange(120) < 6, 1 - good.label, good.predicted), good.expressive
    )
    weights = statistics.resamples(subject, 1000, seed=0)
    a, b = compute(good, weights)["accuracy"], compute(worse, weights)["accuracy"]
    paired, alone = statistics.interval(a - b), statistics.interval(a)
    assert paired.value == pytest.approx(a[0] - b[0])
    assert paired.high - paired.low < alone.high - alone.low
    same = statistics.interval(a - a)
    assert (same.low, same.high, same.excludes_zero) == (0, 0, False)


def test_interval_covers_a_known_proportion():
    """Percentile intervals of a proportion of 0.8 among 80 subjects hold it about 95 times in 100."""
    rng, held = np.random.default_rng(0), 0
    subject = np.arange(80)
    weights = statistics.resamples(subject, 400, seed=0)
    for _ in range(200):
        right = rng.random(80) < 0.8
        estimate = statistics.interval(weights @ right / weights.sum(axis=1))
        held += estimate.low <= 0.8 <= estimate.high
    assert 178 <= held <= 199


def test_undefined_resamples_are_counted_and_left_out():
    estimate = statistics.interval(np.array([0.5, np.nan, 0.4, 0.6, 0.5]))
    assert (estimate.value, estimate.undefined) == (0.5, 1)
    assert 0.4 <= estimate.low <= estimate.high <= 0.6
    none = statistics.interval(np.array([np.nan, 0.1, 0.2]), reason="needs a face in pain")
    assert np.isnan(none.value)
    assert none.reason == "needs a face in pain"


def test_one_subject_has_values_and_no_intervals():
    subject, outcome = faces(subjects=1, per_subject=8)
    weights = statistics.resamples(subject, 50, seed=0)
    for values in compute(outcome, weights).values():
        estimate = statistics.interval(values)
        assert np.isnan([estimate.low, estimate.high]).all()
        assert not estimate.excludes_zero
    assert compute(outcome, weights)["accuracy"][0] == np.mean(outcome.label == outcome.predicted)


def test_seeds_are_averaged_inside_a_resample():
    values = np.array([[0.8, 0.7, 0.9], [0.9, 0.9, 0.7]])
    np.testing.assert_allclose(statistics.over_seeds(values), [0.85, 0.8, 0.8])
    assert statistics.seed_spread(values) == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert np.isnan(statistics.seed_spread(values[:1]))
