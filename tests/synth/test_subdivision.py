"""Catmull-Clark on a cube, where the answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.synth.subdivision import subdivide

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
FACES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def test_a_cube_becomes_what_the_rule_says():
    refine, quads, parents = subdivide(FACES, 8)
    points = refine @ CORNERS
    assert points.shape == (8 + 12 + 6, 3)
    assert quads.shape == (24, 4)
    assert np.array_equal(np.bincount(parents), np.full(6, 4))
    # (Q + 2R + (n - 3)P) / n with Q = 1/3, R = 2/3 and n = 3.
    assert np.allclose(np.abs(points[:8]), 5 / 9)
    # An edge point averages its ends (0, 1, 1) and its two face points (0, 1/2, 1/2).
    assert np.allclose(np.sort(np.abs(points[8:20]), axis=1), [0, 0.75, 0.75])
    assert np.allclose(np.sort(np.abs(points[20:]), axis=1), [0, 0, 1])


def test_orientation_is_kept():
    refine, quads, _ = subdivide(FACES, 8)
    for faces, points in ((FACES, CORNERS), (quads, refine @ CORNERS)):
        a, b, c = (points[faces[:, k]] for k in range(3))
        outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a)
        assert (outward > 0).all() or (outward < 0).all()


def test_a_flat_sheet_stays_flat_and_keeps_its_border_straight():
    grid = np.arange(9).reshape(3, 3)
    quads = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4)
    points = np.array([[x, y, 2.0] for x in range(3) for y in range(3)])
    refine, _, _ = subdivide(quads, 9)
    fine = refine @ points
    assert np.allclose(refine.sum(1), 1)
    assert np.allclose(fine[:, 2], 2)
    assert fine[:, :2].min() >= 0
    assert fine[:, 0].max() == pytest.approx(2 - 1 / 8, abs=0.2)


def test_unused_vertices_stay_where_they_are():
    refine, _, _ = subdivide(FACES, 9)
    assert np.allclose((refine @ np.vstack([CORNERS, [7, 8, 9]]))[8], [7, 8, 9])
