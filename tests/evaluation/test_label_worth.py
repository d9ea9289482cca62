"""The number of labels that a result is worth, read from a curve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluation.label_worth import worth

SUBJECTS = np.array([10.0, 40.0, 160.0])


def one(reached: float, *curve: float) -> float:
    return float(worth(np.array([reached]), SUBJECTS, np.array(curve)[:, None])[0])


@pytest.mark.parametrize(
    ("reached", "expected"),
    [(0.5, 10), (0.6, 20), (0.7, 40), (0.75, 40 * 4**0.5), (0.8, 160), (0.49, 0), (0.81, math.inf)],
)
def test_between_points_it_is_straight_over_the_logarithm(reached, expected):
    assert one(reached, 0.5, 0.7, 0.8) == pytest.approx(expected)


def test_of_a_curve_that_falls_again_the_first_place_counts():
    assert one(0.6, 0.5, 0.7, 0.55) == pytest.approx(20)
    assert one(0.75, 0.5, 0.7, 0.65) == math.inf
    assert one(0.6, 0.8, 0.5, 0.7) == 0  # the first point gives more


def test_a_flat_curve_is_reached_at_its_first_point():
    assert one(0.5, 0.5, 0.5, 0.5) == 10
    assert one(0.7, 0.5, 0.7, 0.7) == pytest.approx(40)


def test_every_resample_has_its_own_curve_and_undefined_ones_none():
    reached = np.array([0.6, 0.6, np.nan, 0.6])
    curve = np.array([[0.5, 0.6, 0.5, 0.5], [0.7, 0.7, 0.7, np.nan], [0.8, 0.8, 0.8, 0.8]])
    found = worth(reached, SUBJECTS, curve)
    assert found[:2] == pytest.approx([20, 10])
    assert np.isnan(found[2:]).all()
