"""Where muscles are on a face, which of them moved, and how much of a map lies there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import muscles


@pytest.fixture
def face():
    """68 points: each part a square of its own, the outer corners of the eyes half a side apart."""
    points = np.zeros((68, 2))
    for numbers, (x, y) in {(17, 27): (0, -0.4), (27, 36): (0, 0), (48, 68): (0, 0.35)}.items():
        corners = np.array([[-0.1, -0.05], [0.1, -0.05], [0.1, 0.05], [-0.1, 0.05]]) + (x, y)
        points[slice(*numbers)] = np.resize(corners, (numbers[1] - numbers[0], 2))
    for start, side in ((36, -1), (42, 1)):
        points[start : start + 6] = np.array([[-1, 0], [0, -1], [0, -1], [1, 0], [0, 1], [0, 1]]) * 0.05 + (
            0.2 * side,
            -0.2,
        )
    return points


def test_action_units_move_the_parts_that_they_are_of():
    table = pd.DataFrame({"au4": [1.0, 0.9, None], "au06": [0, 5, 0], "AU43": [0.5, 0, 0], "age": [1, 2, 3]})
    parts = muscles.moved(table)
    assert parts["brow"].tolist() == [True, False, False]
    assert parts["eyes"].tolist() == [True, True, False]
    assert not parts["nose"].any()
    assert not parts["mouth"].any()


def test_without_action_units_nothing_is_known_of_movement():
    assert muscles.moved(pd.DataFrame({"au": [1.0], "pain": ["pain"]})) is None


def test_a_part_is_the_hull_of_its_points_and_a_margin(face):
    margin = 0.1 * 0.5
    where = muscles.parts(np.array([face]), side=200)
    # A square of 0.2 by 0.1, widened on each side, and its corners by octagons of that radius.
    octagon = 2 * np.sqrt(2) * margin**2
    expected = 0.2 * 0.1 + 2 * margin * (0.2 + 0.1) + octagon
    assert where["nose"][0].mean() == pytest.approx(expected, abs=0.002)
    assert where["nose"][0, 100, 100]
    assert not where["mouth"][0, 100, 100]
    assert where["eyes"][0, 60, [60, 100, 140]].tolist() == [True, False, True]  # each eye by itself


def test_missing_points_are_nowhere(face):
    face[3] = np.nan
    assert not any(where.any() for where in muscles.parts(np.array([face])).values())


@pytest.mark.parametrize(("size", "side"), [(8, 4), (10, 4), (256, 64), (7, 7)])
def test_pooling_loses_nothing(size, side):
    maps = np.random.default_rng(0).random((2, size, size))
    coarse = muscles.pooled(maps, side)
    assert coarse.shape == (2, side, side)
    np.testing.assert_allclose(coarse.sum((1, 2)), maps.sum((1, 2)))
    if size % side == 0:
        step = size // side
        np.testing.assert_allclose(coarse[1, 0, 1], maps[1, :step, step : 2 * step].sum())


def test_shares_are_of_the_parts_that_moved(face):
    size = 128
    on_nose, everywhere = np.zeros((size, size)), np.full((size, size), 1 / size**2)
    on_nose[60:68, 60:68] = 1 / 64
    table = pd.DataFrame({"au09": [2.0, 2.0, 0.0], "au12": [0.0, 2.0, 0.0]})
    shares = muscles.shares(np.array([on_nose, everywhere, on_nose]), np.array([face] * 3), table)
    assert shares["nose"].tolist() == pytest.approx([1, shares["area_nose"][1], 1])
    assert shares["moved"][0] == pytest.approx(1)
    assert shares["area_moved"][0] == shares["area_nose"][0]
    both = shares["area_nose"][1] + shares["area_mouth"][1]
    assert shares["moved"][1] == pytest.approx(both)  # of a map that is the same everywhere it is the area
    assert np.isnan(shares.loc[2, ["moved", "area_moved"]].astype(float)).all()


def test_where_nothing_is_known_shares_are_not(face):
    heat = np.full((1, 64, 64), 1 / 64**2)
    unknown = muscles.shares(heat, np.full((1, 68, 2), np.nan), pd.DataFrame({"au04": [3.0]}))
    assert unknown.isna().all().all()
    unmoved = muscles.shares(heat, np.array([face]), pd.DataFrame({"pain": ["pain"]}))
    assert unmoved["brow"][0] > 0
    assert np.isnan(unmoved["moved"][0])
