from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import brier_score_loss, log_loss

from pipeline.evaluation import bootstrap, calibration
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS
from tests.helpers.outcomes import TWO

SEVEN = Question.of(TASKS["expression"])


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pair(log_odds) -> np.ndarray:
    """Logits of two classes with the given log-odds of the second."""
    half = np.asarray(log_odds, dtype=float) / 2
    return np.stack([-half, half], axis=1)


def faces(n: int = 400, sureness: float = 1.0, seed: int = 0):
    """Labels drawn from known log-odds, and what a model says that is ``sureness`` times too sure."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 2, n)
    return (rng.random(n) < expit(log_odds)).astype(int), sureness * log_odds


@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_scikit_learn_and_ece_with_its_definition(seed):
    label, log_odds = faces(seed=seed)
    p = expit(log_odds)
    weights = np.random.default_rng(seed).integers(0, 4, (4, len(label))).astype(float)
    ours = calibration.compute(label, pair(log_odds), weights, TWO)
    assert set(ours) == set(calibration.figures(TWO))
    for row, w in enumerate(weights):
        assert ours["brier"][row] == pytest.approx(brier_score_loss(label, p, sample_weight=w))
        assert ours["nll"][row] == pytest.approx(log_loss(label, p, sample_weight=w))
        ece = 0.0
        for i in range(10):
            inside = (p >= i / 10) & (p < (i + 1) / 10)
            if w[inside].sum() > 0:
                gap = np.average(label[inside], weights=w[inside]) - np.average(p[inside], weights=w[inside])
                ece += w[inside].sum() / w.sum() * abs(gap)
        assert ours["ece"][row] == pytest.approx(ece)


def test_by_hand():
    label, probability = np.array([1, 0, 1, 0]), np.array([0.95, 0.95, 0.35, 0.25])
    values = calibration.compute(label, pair(np.log(probability / (1 - probability))), np.ones((1, 4)), TWO)
    assert values["ece"][0] == pytest.approx((abs(1 - 1.9) + 0.65 + 0.25) / 4)
    assert values["brier"][0] == pytest.approx((0.05**2 + 0.95**2 + 0.65**2 + 0.25**2) / 4)


def test_honest_probabilities_are_found_calibrated_and_sure_ones_too_sure():
    label, log_odds = faces(20_000)
    honest = {
        name: v[0] for name, v in calibration.compute(label, pair(log_odds), np.ones((1, len(label))), TWO).items()
    }
    assert honest["slope"] == pytest.approx(1, abs=0.05)
    assert [honest["intercept"], honest["in_the_large"]] == pytest.approx([0, 0], abs=0.06)
    assert honest["ece"] < 0.015
    sure = {
        name: v[0] for name, v in calibration.compute(label, pair(3 * log_odds), np.ones((1, len(label))), TWO).items()
    }
    assert sure["slope"] == pytest.approx(honest["slope"] / 3)
    assert sure["intercept"] == pytest.approx(honest["intercept"])
    assert sure["ece"] > 0.08
    assert sure["brier"] > honest["brier"]
    cautious = calibration.compute(label, pair(log_odds - 1), np.ones((1, len(label))), TWO)
    assert cautious["in_the_large"][0] == pytest.approx(1 + honest["in_the_large"])


def test_temperature_is_where_the_loss_is_least():
    label, log_odds = faces(1000, sureness=2.5)
    found = calibration.temperature(label, pair(log_odds), TWO)
    assert found.value == pytest.approx(2.5, rel=0.15)
    assert calibration.temperature(label, pair(7 * log_odds), TWO).value == pytest.approx(7 * found.value, rel=1e-5)

    def loss(temperature):
        return log_loss(label, expit(log_odds / temperature))

    assert loss(found.value) < min(loss(0.99 * found.value), loss(1.01 * found.value), loss(1))
    # The derivative of the loss vanishes there: scaled residuals do not lean with the log-odds.
    assert np.mean((expit(log_odds / found.value) - label) * log_odds) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("label", "log_odds", "reason"),
    [
        ([0, 1, 1], [-1.0, 2.0, 0.5], "gets wrong"),
        ([0, 1, 1], [1.0, -2.0, 0.5], "right more than wrong"),
        ([], [], "needs a validation face"),
    ],
)
def test_no_temperature_has_a_reason(label, log_odds, reason):
    found = calibration.temperature(np.array(label, int), pair(log_odds), TWO)
    assert np.isnan(found.value)
    assert reason in found.reason


def test_separated_classes_have_no_slope_but_scores():
    label = np.array([0, 0, 1, 1])
    values = calibration.compute(label, pair(np.array([-900.0, -2, 2, 900])), np.ones((3, 4)), TWO)
    undefined = {name for name, value in values.items() if np.isnan(value).all()}
    assert undefined == {"slope", "intercept"}
    one_class = calibration.compute(np.ones(4, int), pair(np.arange(4.0)), np.ones((1, 4)), TWO)
    assert {n for n, v in one_class.items() if np.isnan(v).all()} == {"slope", "intercept", "in_the_large"}
    nothing = calibration.compute(np.zeros(0, int), pair(np.zeros(0)), np.ones((2, 0)), TWO)
    assert all(np.isnan(value).all() for value in nothing.values())


def test_curve_is_the_share_of_pain_in_bins_with_intervals_over_subjects():
    label, log_odds = faces(600)
    weights = bootstrap.resamples(np.repeat(np.arange(200), 3), 300, seed=0)
    p, bins = expit(log_odds), calibration.curve(label, pair(log_odds), weights, TWO)
    assert sum(b.samples for b in bins) == 600
    for b in bins:
        inside = (p >= b.low) & (p < b.high)
        assert b.samples == inside.sum()
        assert b.probability == pytest.approx(p[inside].mean())
        assert b.share.value == pytest.approx(label[inside].mean())
        assert b.share.low < b.share.value < b.share.high
    assert sum(b.share.low <= b.probability <= b.share.high for b in bins) >= 8


def test_certain_and_missing_probabilities_in_the_curve():
    bins = calibration.curve(np.array([0, 1]), pair([-900.0, 900.0]), np.ones((1, 2)), TWO)
    assert [b.samples for b in bins] == [1, *[0] * 8, 1]
    assert (bins[0].share.value, bins[-1].share.value, bins[-1].probability) == (0, 1, 1)
    assert np.isnan([bins[4].probability, bins[4].share.value]).all()
    assert bins[4].share.reason == "needs a face"


def expressions(n: int = 600, sureness: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the probabilities of some logits, and logits that make ``sureness`` times as much of them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 7))
    label = (rng.random(n)[:, None] > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1).clip(max=6)
    return label, sureness * logits


@pytest.mark.parametrize("seed", range(2))
def test_seven_classes_agree_with_scikit_learn_and_ece_with_its_definition(seed):
    label, logits = expressions(sureness=2, seed=seed)
    p = softmax(logits, axis=1)
    weights = np.random.default_rng(100 + seed).integers(0, 4, (3, len(label))).astype(float)
    ours = calibration.compute(label, logits, weights, SEVEN)
    assert set(ours) == set(calibration.figures(SEVEN)) == {"ece", "brier", "nll"}
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label
    for row, w in enumerate(weights):
        expected = brier_score_loss(label, p, sample_weight=w, labels=range(7), scale_by_half=False)
        assert ours["brier"][row] == pytest.approx(expected)
        assert ours["nll"][row] == pytest.approx(log_loss(label, p, sample_weight=w, labels=range(7)))
        number = np.minimum((confidence * 10).astype(int), 9)
        gaps = [abs((w * (right - confidence))[number == i].sum()) for i in range(10)]
        assert ours["ece"][row] == pytest.approx(sum(gaps) / w.sum())


def test_the_curve_of_seven_classes_speaks_of_the_chosen_one():
    label, logits = expressions(2000)
    p = softmax(logits, axis=1)
    bins = calibration.curve(label, logits, np.ones((1, 2000)), SEVEN)
    assert [b.samples for b in bins[:1]] == [0]  # the most likely of seven has at least a seventh
    for b in bins[1:]:
        inside = (p.max(axis=1) >= b.low) & (p.max(axis=1) < b.high)
        assert b.samples == inside.sum()
        assert b.share.value == pytest.approx((p.argmax(axis=1) == label)[inside].mean())
        assert b.samples < 50 or b.share.value == pytest.approx(b.probability, abs=0.1)


def test_temperature_of_seven_classes_is_where_the_loss_is_least():
    label, logits = expressions(1500, sureness=2.5)
    best = calibration.temperature(label, logits, SEVEN).value
    assert best == pytest.approx(2.5, rel=0.1)
    shifted = logits + np.random.default_rng(0).normal(size=(1500, 1))  # says the same
    assert calibration.temperature(label, shifted, SEVEN).value == pytest.approx(best, rel=1e-6)
    # The derivative of the loss by the inverse temperature vanishes there.
    expected = (softmax(logits / best, axis=1) * logits).sum(axis=1)
    assert np.mean(expected - logits[np.arange(1500), label]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("label", "reason"),
    [([0, 1], "needs a validation face that the model gets wrong"), ([1, 2], "right more than wrong")],
)
def test_no_temperature_of_seven_classes_has_a_reason(label, reason):
    logits = np.eye(7)[:2] * 3
    found = calibration.temperature(np.array(label), logits, SEVEN)
    assert np.isnan(found.value)
    assert reason in found.reason


def test_nothing_has_no_figures():
    nothing = calibration.compute(np.zeros(0, int), np.zeros((0, 7)), np.ones((2, 0)), SEVEN)
    assert all(np.isnan(value).all() for value in nothing.values())
