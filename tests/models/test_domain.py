"""The distance of features from those of the training inputs: what it is, and what it tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.models import domain
from pipeline.models.domain import FLAGGED, MOST, RIDGE, Domain, Moments


def features(count: int, width: int = 64, seed: int = 0) -> np.ndarray:
    """Features that vary in few directions around a mean of length one, float32."""
    ways = np.random.default_rng(99).normal(size=(6, width)) / np.sqrt(width)
    drawn = np.random.default_rng(seed)
    far = np.eye(width)[0] + 0.2 * drawn.normal(size=(count, 6)) @ ways
    return (far + 0.003 * drawn.normal(size=(count, width))).astype(np.float32)


def fitted(train: np.ndarray, val: np.ndarray | None = None) -> Domain:
    """The domain of some features."""
    moments = Moments()
    for start in range(0, len(train), 50):
        moments.add(train[start : start + 50])
    around = domain.fit(moments)
    return around if val is None else domain.with_threshold(around, around.score(val))


def test_with_all_directions_it_is_the_mahalanobis_distance():
    train, others = features(300, width=MOST + 1), features(20, width=MOST + 1, seed=1)
    unit = [x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True) for x in (train, others)]
    covariance = np.cov(unit[0].T)
    raised = covariance + RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    centred = unit[1] - unit[0].mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(raised), centred))
    np.testing.assert_allclose(fitted(train).score(others), expected, rtol=1e-3)


def test_the_same_features_have_the_same_domain_whatever_their_length():
    first, second, longer = fitted(features(200)), fitted(features(200)), fitted(4 * features(200))
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, vars(second)[name])
    others = features(30, seed=2)
    np.testing.assert_array_equal(first.score(others), second.score(others))
    np.testing.assert_allclose(longer.score(0.1 * others), first.score(others), rtol=1e-4)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (10, 10), (98, 98), (99, 99), (199, 198), (999, 990)])
def test_the_threshold_is_the_quantile_of_split_conformal_prediction(count, rank):
    distances = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert domain.threshold(distances) == rank


@pytest.mark.parametrize("count", [20, 500])
def test_at_most_the_share_of_validation_is_strange_and_about_so_much_of_what_is_like_it(count):
    around = fitted(features(1000), features(count, seed=1))
    assert (around.score(features(count, seed=1)) > 1).mean() <= FLAGGED
    assert (around.score(features(1000, seed=2)) > 1).mean() < (0.03 if count == 500 else 0.15)


def test_features_in_a_direction_in_which_training_features_do_not_vary_are_strange():
    around = fitted(features(1000), features(200, seed=1))
    aside = features(100, seed=2)
    aside[:, 40] += 0.1  # a tenth of what they vary elsewhere
    assert (around.score(aside) > 1).all()
    noise = np.random.default_rng(0).normal(size=(100, 64))
    assert around.score(noise).min() > 10


def test_features_that_do_not_vary_have_a_domain_and_those_that_are_no_numbers_do_not():
    same = np.ones((5, 8), np.float32)
    around = fitted(same, same)
    assert np.isfinite(around.score(same)).all()
    with pytest.raises(ConfigError, match="no numbers"):
        fitted(np.full((5, 8), np.nan, np.float32))
    with pytest.raises(ConfigError, match="no numbers"):
        domain.fit(Moments())


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("mean", np.zeros((8, 8), np.float32), "shape"),
        ("directions", np.zeros((3, 9), np.float32), "shape"),
        ("variances", np.zeros((), np.float32), "shape"),
        ("variances", np.zeros(7, np.float32), "above zero"),
        ("rest", np.zeros(1, np.float32), "above zero"),
        ("threshold", np.full(1, -1, np.float32), "above zero"),
        ("threshold", np.full(1, np.nan, np.float32), "finite"),
        ("mean", np.zeros(8), "finite float32"),
    ],
)
def test_arrays_from_which_no_distance_follows_are_named(name, array, message):
    arrays = vars(fitted(features(50, width=8)))
    with pytest.raises(ValueError, match=message):
        domain.of_arrays({**arrays, name: array})


def test_other_arrays_are_named():
    with pytest.raises(ValueError, match="it holds other"):
        domain.of_arrays({"other": np.zeros(1, np.float32)})
