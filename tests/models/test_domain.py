"""The distance of features from those of the training inputs: what it is, and what it tells apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models import domain
from pipeline.models.domain import FLAGGED, MOST, RIDGE, Domain, Gaussian, Moments
from pipeline.models.strangeness import Distance


def features(count: int, width: int = 64, seed: int = 0) -> np.ndarray:
    """Features that vary in few directions around a mean of length one, float32."""
    ways = np.random.default_rng(99).normal(size=(6, width)) / np.sqrt(width)
    drawn = np.random.default_rng(seed)
    far = np.eye(width)[0] + 0.2 * drawn.normal(size=(count, 6)) @ ways
    return (far + 0.003 * drawn.normal(size=(count, width))).astype(np.float32)


def fitted(train: np.ndarray) -> Gaussian:
    """What some features look like."""
    moments = Moments()
    for start in range(0, len(train), 50):
        moments.add(train[start : start + 50])
    return domain.fit(moments)


def distance(around: Gaussian, numbers: np.ndarray) -> np.ndarray:
    """How far some inputs are, float32, shape (N,)."""
    return Distance(around)(torch.from_numpy(numbers)).numpy()


def known(train: np.ndarray, val: np.ndarray) -> Domain:
    """The domain of some features alone."""
    around = fitted(train)
    return domain.calibrated({"features": around}, distance(around, val)[:, None])


def score(around: Domain, numbers: np.ndarray) -> np.ndarray:
    """How far they are, in shares of the threshold."""
    return distance(around.gaussians["features"], numbers) / around.threshold


def test_with_all_directions_it_is_the_mahalanobis_distance():
    train, others = features(300, width=MOST + 1), features(20, width=MOST + 1, seed=1)
    covariance = np.cov(train.astype(float).T)
    raised = covariance + RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    centred = others - train.astype(float).mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(raised), centred))
    np.testing.assert_allclose(distance(fitted(train), others), expected, rtol=1e-3)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (10, 10), (98, 98), (99, 99), (199, 198), (999, 990)])
def test_the_quantile_is_that_of_split_conformal_prediction(count, rank):
    values = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert domain.quantile(values) == rank


def test_a_respect_counts_by_the_inverse_of_what_its_logarithm_varies_and_false_alarms_are_counted_together():
    drawn = np.random.default_rng(0)
    distances = np.exp(drawn.normal(size=(999, 2)) * [0.1, 0.5] + [3.0, 0.0])
    weights, threshold = domain.calibration(distances)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(5, rel=0.1)
    together = np.exp(np.log(distances) @ weights)
    assert (together > threshold).sum() == 9  # of 999 the 990th is not beyond it
    others = np.exp((drawn.normal(size=(100_000, 2)) * [0.1, 0.5] + [3.0, 0.0]) @ weights)
    assert (others > threshold).mean() == pytest.approx(FLAGGED, abs=0.005)
    weights, threshold = domain.calibration(distances[:, :1])
    assert weights == 1
    assert threshold == pytest.approx(np.sort(distances[:, 0])[989], rel=1e-3)


@pytest.mark.parametrize("count", [20, 500])
def test_at_most_the_share_of_validation_is_strange_and_about_so_much_of_what_is_like_it(count):
    around = known(features(1000), features(count, seed=1))
    assert (score(around, features(count, seed=1)) > 1).mean() <= FLAGGED
    assert (score(around, features(1000, seed=2)) > 1).mean() < (0.03 if count == 500 else 0.15)


def test_features_in_a_direction_in_which_training_features_do_not_vary_are_strange():
    around = known(features(1000), features(200, seed=1))
    aside = features(100, seed=2)
    aside[:, 40] += 0.1  # a tenth of what they vary elsewhere
    assert (score(around, aside) > 1).all()
    noise = np.random.default_rng(0).normal(size=(100, 64)).astype(np.float32)
    assert score(around, noise).min() > 10


def test_features_that_do_not_vary_have_a_domain_and_those_that_are_no_numbers_do_not():
    same = np.ones((5, 8), np.float32)
    around = known(same, same)
    assert np.isfinite(score(around, same)).all()
    for numbers, varies in (
        (same, False),
        (same + np.float32([[1e-6], [0], [0], [0], [0]]), False),
        (features(9), True),
    ):
        moments = Moments()
        moments.add(numbers)
        assert moments.varies == varies
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
        ("weight", np.full(1, -1, np.float32), "above zero"),
        ("weight", np.full(1, np.nan, np.float32), "finite"),
        ("/threshold", np.zeros(1, np.float32), "above zero"),
        ("/threshold", np.ones(2, np.float32), "shape"),
        ("mean", np.zeros(8), "finite float32"),
    ],
)
def test_arrays_from_which_no_distance_follows_are_named(name, array, message):
    arrays = domain.arrays_of(known(features(50, width=8), features(20, width=8)))
    key = name.removeprefix("/") if name.startswith("/") else f"features/{name}"
    assert key in arrays
    with pytest.raises(ValueError, match=message):
        domain.of_arrays({**arrays, key: array})


def test_other_arrays_are_named():
    arrays = domain.arrays_of(known(features(50, width=8), features(20, width=8)))
    one = np.ones(1, np.float32)
    for name in ("other", "features/other", "new/mean"):
        with pytest.raises(ValueError, match="it holds"):
            domain.of_arrays({**arrays, name: one})
    with pytest.raises(ValueError, match="it holds features/directions"):
        domain.of_arrays({name: array for name, array in arrays.items() if name != "threshold"})
    with pytest.raises(ValueError, match="no respects"):
        domain.of_arrays({"threshold": one})


def test_a_domain_is_what_its_arrays_say_and_one_of_version_0_7_knows_features_alone():
    gaussians = {"features": fitted(features(50, width=8)), "look": fitted(features(50, width=16))}
    both = domain.calibrated(gaussians, np.random.default_rng(0).uniform(1, 2, (20, 2)))
    again = domain.of_arrays(dict(reversed(domain.arrays_of(both).items())))
    assert set(again.gaussians) == {"features", "look"}
    for name, array in domain.arrays_of(both).items():
        np.testing.assert_array_equal(domain.arrays_of(again)[name], array)
    old = {name: array for name, array in vars(gaussians["features"]).items() if name != "weight"}
    read = domain.of_arrays({**old, "threshold": np.full(1, 3, np.float32)})
    assert read.gaussians["features"].weight == 1
    assert read.threshold == 3
    np.testing.assert_array_equal(read.gaussians["features"].mean, old["mean"])
