"""Sets of points: mirrored, in regions, and with the corners of the eyes where faces have them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.tasks.schemes import REGIONS, SCHEMES, Scheme

EACH = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=map(str, SCHEMES))


def flipped(shape: np.ndarray, scheme: Scheme) -> np.ndarray:
    """The shape of the mirrored face, shape (K, 2), about x = 0."""
    return (shape * (-1, 1))[list(scheme.mirrored)]


@EACH
def test_mirrored_twice_every_point_is_in_its_place(scheme):
    mirrored = np.array(scheme.mirrored)
    assert mirrored[mirrored].tolist() == list(range(scheme.count))
    shape = np.random.default_rng(0).normal(size=(scheme.count, 2))
    assert (flipped(flipped(shape, scheme), scheme) == shape).all()
    assert not (flipped(shape, scheme) == shape).any(axis=1).all()


@EACH
def test_a_symmetric_mean_shape_stays_itself(scheme):
    shapes = np.random.default_rng(0).normal(size=(50, scheme.count, 2))
    both = np.concatenate([shapes, np.array([flipped(shape, scheme) for shape in shapes])])
    mean = both.mean(axis=0)
    assert flipped(mean, scheme) == pytest.approx(mean)
    alone = [point for point, other in enumerate(scheme.mirrored) if other == point]
    assert mean[alone, 0] == pytest.approx(0)


@EACH
def test_a_face_as_datasets_number_it_is_symmetric(scheme):
    shape = FACES[scheme.count]
    assert len(shape) == scheme.count
    assert flipped(shape, scheme) == pytest.approx(shape)
    left, right = scheme.corners
    assert shape[left, 0] == -shape[right, 0] < 0
    pupils = [shape[list(points)].mean(axis=0) for points in scheme.pupils]
    assert pupils[0][0] == pytest.approx(-pupils[1][0])
    assert shape[left, 0] < pupils[0][0] < 0


@EACH
def test_every_point_is_in_one_region_and_so_is_its_twin(scheme):
    assert tuple(scheme.regions) == REGIONS
    assert Counter(point for points in scheme.regions.values() for point in points) == Counter(range(scheme.count))
    for points in scheme.regions.values():
        assert {scheme.mirrored[point] for point in points} == set(points)
    assert set(scheme.corners) | {point for eye in scheme.pupils for point in eye} <= set(scheme.regions["eyes"])


def arc(count: int, width: float, top: float, depth: float) -> np.ndarray:
    """Points from left to right, the middle ones lower; y points down."""
    x = np.linspace(-1, 1, count)
    return np.stack([width * x, top + depth * (1 - x**2)], axis=1)


def ring(places: list[tuple[float, float]], x: float, y: float) -> np.ndarray:
    return np.array(places, float) + (x, y)


def both_sides(left: np.ndarray, order: list[int]) -> np.ndarray:
    """Points of the left side, and those of the right in the order in which their twins are numbered on the left."""
    return np.concatenate([left, (left * (-1, 1))[order]])


LIPS = [(-3, 0), (-2, -1), (-1, -2), (0, -1.5), (1, -2), (2, -1), (3, 0), (2, 1), (1, 2), (0, 2.5), (-1, 2), (-2, 1)]
# 300W: jaw; brows from left to right; nose; eyes clockwise from the left one's outer corner, the right one's inner.
EYE_68 = [(-2, 0), (-1, -1), (1, -1), (2, 0), (1, 1), (-1, 1)]
FACE_68 = np.concatenate([
    arc(17, 10, 0, 12),
    both_sides(arc(5, 2, -4, -1) - (5, 0), [4, 3, 2, 1, 0]),
    [(0, y) for y in range(4)],
    arc(5, 2, 4, 1),
    both_sides(ring(EYE_68, -5, -2), [3, 2, 1, 0, 5, 4]),
    ring(LIPS, 0, 8),
    ring([(-2, 0), (-1, -0.5), (0, -0.4), (1, -0.5), (2, 0), (1, 0.5), (0, 0.6), (-1, 0.5)], 0, 8),
])  # fmt: skip
# WFLW: brows closed, upper edge towards the right, lower edge back; eyes of eight points, pupils last.
BROW_98 = [(-4, 0), (-2, -1), (0, -1.5), (2, -1), (4, -0.5), (4, 0.5), (2, 0.2), (0, 0), (-2, 0.1)]
EYE_98 = [(-2, 0), (-1, -0.8), (0, -1), (1, -0.8), (2, 0), (1, 0.8), (0, 1), (-1, 0.8)]
FACE_98 = np.concatenate([
    arc(33, 10, 0, 12),
    both_sides(ring(BROW_98, -5, -4), [4, 3, 2, 1, 0, 8, 7, 6, 5]),
    [(0, y) for y in range(4)],
    arc(5, 2, 4, 1),
    both_sides(ring(EYE_98, -5, -2), [4, 3, 2, 1, 0, 7, 6, 5]),
    ring(LIPS, 0, 8),
    ring([(-2, 0), (-1, -0.5), (0, -0.4), (1, -0.5), (2, 0), (1, 0.5), (0, 0.6), (-1, 0.5)], 0, 8),
    [(-5, -2), (5, -2)],
])  # fmt: skip
# COFW: brows' outer and inner ends, their edges; eyes' outer and inner corners, lids and pupils; nose, mouth, chin.
FACE_29 = np.array([
    (-8, -4), (8, -4), (-2, -4), (2, -4), (-5, -5), (-5, -4), (5, -5), (5, -4),
    (-7, -2), (7, -2), (-3, -2), (3, -2), (-5, -3), (-5, -1), (5, -3), (5, -1), (-5, -2), (5, -2),
    (-2, 3), (2, 3), (0, 2), (0, 4), (-3, 8), (3, 8), (0, 7), (0, 7.5), (0, 8.5), (0, 9), (0, 12),
], float)  # fmt: skip
FACES = {68: FACE_68, 98: FACE_98, 29: FACE_29}
