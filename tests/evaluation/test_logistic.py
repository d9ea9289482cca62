from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm

from pipeline.evaluation import logistic


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def faces(seed: int, n: int = 120, shift: float = 1.0):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return positive, rng.normal(shift * positive, 1) * 3 + 2, rng.integers(0, 4, (6, n)).astype(float)


def reference(positive, design, weights, offset=None):
    """Coefficients of the same regression by statsmodels."""
    model = sm.GLM(positive.astype(float), design, sm.families.Binomial(), offset=offset, freq_weights=weights)
    return model.fit(tol=1e-12).params


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_statsmodels_under_any_weights(seed):
    positive, x, weights = faces(seed)
    slope, intercept = logistic.regress(positive, x, weights)
    shift = logistic.shift(positive, x, weights)
    for row, w in enumerate(weights):
        expected = reference(positive, sm.add_constant(x), w)
        np.testing.assert_allclose([intercept[row], slope[row]], expected, rtol=1e-6)
        [expected] = reference(positive, np.ones((len(x), 1)), w, offset=x)
        assert shift[row] == pytest.approx(expected, rel=1e-6)


def test_fits_nearly_separated_classes_on_any_scale():
    x = np.r_[np.linspace(-3, -1, 30), np.linspace(1, 3, 30)]
    positive = x > 0
    positive[[29, 30]] = True, False  # one pair overlaps
    for scale, centre in ((1, 0), (1e-4, 5), (1e5, -1e6)):
        slope, intercept = logistic.regress(positive, x * scale + centre, np.ones((1, 60)))
        expected = reference(positive, sm.add_constant(x), np.ones(60))
        assert slope[0] * scale == pytest.approx(expected[1], rel=1e-5)
        assert intercept[0] + slope[0] * centre == pytest.approx(expected[0], abs=1e-3)


@pytest.mark.parametrize(
    ("positive", "x"),
    [
        ([0, 0, 1, 1], [1, 2, 3, 4]),  # separated
        ([0, 0, 1, 1], [4, 3, 2, 1]),  # separated, the wrong way round
        ([0, 0, 1, 1], [1, 2, 2, 3]),  # separated but for a tie
        ([0, 0, 1, 1], [1, np.nextafter(2, 3), 2, 3]),  # a tie but for rounding
        ([0, 1, 0, 1], [2, 2, 2, 2]),  # nothing to go by
        ([1, 1, 1, 1], [1, 2, 3, 4]),  # one class
    ],
)
def test_data_without_a_best_fit_are_undefined(positive, x):
    slope, intercept = logistic.regress(np.array(positive) == 1, np.array(x, float), np.ones((2, 4)))
    assert np.isnan([slope, intercept]).all()


def test_a_weighting_decides_for_itself_whether_there_is_a_fit():
    positive, x = np.array([0, 1, 0, 1]) == 1, np.array([0.0, 1.0, 2.0, 3.0])
    weights = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0], [2, 1, 1, 2], [np.nan] * 4])
    slope, _ = logistic.regress(positive, x, weights)
    assert np.isnan(slope).tolist() == [False, True, True, False, True]
    assert np.isnan(logistic.shift(positive, x, weights)).tolist() == [False, False, True, False, True]


def test_shift_makes_the_mean_probability_the_share_even_between_sure_answers():
    positive = np.arange(100) % 3 == 0
    for x in (np.where(positive, 900.0, -900.0), np.where(np.arange(100) % 2 == 0, 900.0, -900.0), np.full(100, 40.0)):
        shift = logistic.shift(positive, x, np.ones((1, 100)))
        probability = 1 / (1 + np.exp(-np.clip(x + shift, -700, 700)))
        assert probability.mean() == pytest.approx(positive.mean(), abs=1e-6)
    assert np.isnan(logistic.shift(np.ones(3, bool), np.zeros(3), np.ones((1, 3)))).all()
    assert np.isnan(logistic.shift(np.zeros(0, bool), np.zeros(0), np.ones((2, 0)))).all()
