from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from pipeline.evaluation import bootstrap, calibration


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


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
    ours = calibration.compute(label, log_odds, weights)
    assert set(ours) == set(calibration.FIGURES)
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
    values = calibration.compute(label, np.log(probability / (1 - probability)), np.ones((1, 4)))
    assert values["ece"][0] == pytest.approx((abs(1 - 1.9) + 0.65 + 0.25) / 4)
    assert values["brier"][0] == pytest.approx((0.05**2 + 0.95**2 + 0.65**2 + 0.25**2) / 4)


def test_honest_probabilities_are_found_calibrated_and_sure_ones_too_sure():
    label, log_odds = faces(20_000)
    honest = {name: v[0] for name, v in calibration.compute(label, log_odds, np.ones((1, len(label)))).items()}
    assert honest["slope"] == pytest.approx(1, abs=0.05)
    assert [honest["intercept"], honest["in_the_large"]] == pytest.approx([0, 0], abs=0.06)
    assert honest["ece"] < 0.015
    sure = {name: v[0] for name, v in calibration.compute(label, 3 * log_odds, np.ones((1, len(label)))).items()}
    assert sure["slope"] == pytest.approx(honest["slope"] / 3)
    assert sure["intercept"] == pytest.approx(honest["intercept"])
    assert sure["ece"] > 0.08
    assert sure["brier"] > honest["brier"]
    cautious = calibration.compute(label, log_odds - 1, np.ones((1, len(label))))
    assert cautious["in_the_large"][0] == pytest.approx(1 + honest["in_the_large"])


def test_temperature_is_where_the_loss_is_least():
    label, log_odds = faces(1000, sureness=2.5)
    found = calibration.temperature(label, log_odds)
    assert found.value == pytest.approx(2.5, rel=0.15)
    assert calibration.temperature(label, 7 * log_odds).value == pytest.approx(7 * found.value, rel=1e-5)

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
    found = calibration.temperature(np.array(label, int), np.array(log_odds))
    assert np.isnan(found.value)
    assert reason in found.reason


def test_separated_classes_have_no_slope_but_scores():
    label = np.array([0, 0, 1, 1])
    values = calibration.compute(label, np.array([-900.0, -2, 2, 900]), np.ones((3, 4)))
    undefined = {name for name, value in values.items() if np.isnan(value).all()}
    assert undefined == {"slope", "intercept"}
    one_class = calibration.compute(np.ones(4, int), np.arange(4.0), np.ones((1, 4)))
    assert {n for n, v in one_class.items() if np.isnan(v).all()} == {"slope", "intercept", "in_the_large"}
    nothing = calibration.compute(np.zeros(0, int), np.zeros(0), np.ones((2, 0)))
    assert all(np.isnan(value).all() for value in nothing.values())


def test_curve_is_the_share_of_pain_in_bins_with_intervals_over_subjects():
    label, log_odds = faces(600)
    weights = bootstrap.resamples(np.repeat(np.arange(200), 3), 300, seed=0)
    p, bins = expit(log_odds), calibration.curve(label, log_odds, weights)
    assert sum(b.faces for b in bins) == 600
    for b in bins:
        inside = (p >= b.low) & (p < b.high)
        assert b.faces == inside.sum()
        assert b.probability == pytest.approx(p[inside].mean())
        assert b.share.value == pytest.approx(label[inside].mean())
        assert b.share.low < b.share.value < b.share.high
    assert sum(b.share.low <= b.probability <= b.share.high for b in bins) >= 8


def test_certain_and_missing_probabilities_in_the_curve():
    bins = calibration.curve(np.array([0, 1]), np.array([-900.0, 900.0]), np.ones((1, 2)))
    assert [b.faces for b in bins] == [1, *[0] * 8, 1]
    assert (bins[0].share.value, bins[-1].share.value, bins[-1].probability) == (0, 1, 1)
    assert np.isnan([bins[4].probability, bins[4].share.value]).all()
    assert bins[4].share.reason == "needs a face"
