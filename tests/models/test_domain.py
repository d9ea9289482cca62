"""The distance of features from those of the training inputs: what it is, and what it tells apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models import domain
from pipeline.models.domain import FLAGGED, MOST, RIDGE, Gaussian, Moments
from pipeline.models.strangeness import Distance


def features(count: int, width: int = 64, seed: int = 0) -> np.ndarray:
    """Features that vary in few directions around a mean of length one, float32."""
    ways = np.random.default_rng(99).normal(size=(6, width)) / np.sqrt(width)
    drawn = np.random.default_rng(seed)
    far = np.eye(width)[0] + 0.2 * drawn.normal(size=(count, 6)) @ ways
    return (far + 0.003 * drawn.normal(size=(count, width))).astype(np.float32)


def fitted(train: np.ndarray, val: np.ndarray | None = None) -> Gaussian:
    """What some features look like."""
    moments = Moments()
    for start in range(0, len(train), 50):
        moments.add(train[start : start + 50])
    around = domain.fit(moments)
    return around if val is None else domain.with_thresholds({"look": around}, distance(around, val)[:, None])["look"]


def distance(around: Gaussian, numbers: np.ndarray) -> np.ndarray:
    """How far some inputs are, float32, shape (N,)."""
    return Distance(around)(torch.from_numpy(numbers)).numpy()


def score(around: Gaussian, numbers: np.ndarray) -> np.ndarray:
    """How far they are, in shares of the threshold."""
    return distance(around, numbers) / around.threshold


def test_with_all_directions_it_is_the_mahalanobis_distance():
    train, others = features(300, width=MOST + 1), features(20, width=MOST + 1, seed=1)
    covariance = np.cov(train.astype(float).T)
    raised = covariance + RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    centred = others - train.astype(float).mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(raised), centred))
    np.testing.assert_allclose(score(fitted(train), others), expected, rtol=1e-3)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (10, 10), (98, 98), (99, 99), (199, 198), (999, 990)])
def test_the_quantile_is_that_of_split_conformal_prediction(count, rank):
    values = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert domain.quantile(values) == rank


def test_all_thresholds_lie_as_many_deviations_of_the_logarithm_out_and_false_alarms_are_counted_together():
    drawn = np.random.default_rng(0)
    distances = np.exp(drawn.normal(size=(999, 2)) * [0.1, 0.5] + [3.0, 0.0])
    limits = domain.thresholds(distances)
    assert (distances > limits).any(axis=1).sum() == 9  # of 999 the 990th is not beyond it
    logarithms = np.log(distances)
    deviations = (np.log(limits) - logarithms.mean(axis=0)) / logarithms.std(axis=0)
    assert deviations[0] == pytest.approx(deviations[1], rel=1e-2)
    others = np.exp(drawn.normal(size=(100_000, 2)) * [0.1, 0.5] + [3.0, 0.0])
    assert (others > limits).any(axis=1).mean() == pytest.approx(FLAGGED, abs=0.005)
    np.testing.assert_allclose(domain.thresholds(distances[:, :1])[0], np.sort(distances[:, 0])[989], rtol=1e-3)


@pytest.mark.parametrize("count", [20, 500])
def test_at_most_the_share_of_validation_is_strange_and_about_so_much_of_what_is_like_it(count):
    around = fitted(features(1000), features(count, seed=1))
    assert (score(around, features(count, seed=1)) > 1).mean() <= FLAGGED
    assert (score(around, features(1000, seed=2)) > 1).mean() < (0.03 if count == 500 else 0.15)


def test_features_in_a_direction_in_which_training_features_do_not_vary_are_strange():
    around = fitted(features(1000), features(200, seed=1))
    aside = features(100, seed=2)
    aside[:, 40] += 0.1  # a tenth of what they vary elsewhere
    assert (score(around, aside) > 1).all()
    noise = np.random.default_rng(0).normal(size=(100, 64)).astype(np.float32)
    assert score(around, noise).min() > 10


def test_features_that_do_not_vary_have_a_domain_and_those_that_are_no_numbers_do_not():
    same = np.ones((5, 8), np.float32)
    around = fitted(same, same)
    assert np.isfinite(score(around, same)).all()
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
    arrays = domain.arrays_of({"features": fitted(features(50, width=8))})
    with pytest.raises(ValueError, match=message):
        domain.of_arrays({**arrays, f"features/{name}": array})


@pytest.mark.parametrize("name", ["other", "look/other", "other/mean"])
def test_other_arrays_are_named(name):
    with pytest.raises(ValueError, match=f"it holds {name}"):
        domain.of_arrays({name: np.zeros(1, np.float32)})


def test_a_domain_is_what_its_arrays_say_and_those_of_version_0_7_know_features_alone():
    both = {"features": fitted(features(50, width=8)), "look": fitted(features(50, width=16))}
    again = domain.of_arrays(domain.arrays_of(both))
    assert list(again) == ["features", "look"]
    for name, one in both.items():
        for key, array in vars(one).items():
            np.testing.assert_array_equal(vars(again[name])[key], array)
    old = domain.of_arrays(vars(both["features"]))
    assert list(old) == ["features"]
    np.testing.assert_array_equal(old["features"].mean, both["features"].mean)
