"""What the rasteriser says about a triangle, against what the pinhole camera says."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from pipeline.errors import MissingDependencyError
from pipeline.synth import raster

POINTS = np.float32([[-2, -2, -10], [3, -1, -14], [0, 2, -8], [-2, -2, -20], [3, -2, -20], [0, 3, -20]])
CORNERS = np.array([[3, 4, 5], [0, 1, 2]])
SIZE, FOCAL = (90, 120), 150.0


@pytest.fixture(scope="module")
def rasteriser():
    pytest.importorskip("vtkmodules", reason="VTK (extra synth) is not installed")
    try:
        return raster.Rasteriser()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_interpolated_positions_project_onto_their_own_pixels(rasteriser):
    hits = rasteriser.draw(POINTS, CORNERS, SIZE, FOCAL)
    there = raster.project(hits.sample(POINTS), SIZE, FOCAL)
    pixel = np.stack([hits.flat % SIZE[1] + 0.5, hits.flat // SIZE[1] + 0.5], axis=-1)
    assert len(hits.flat) > 500
    assert set(hits.triangle) == {0, 1}
    assert np.abs(there - pixel).max() < 0.6  # the rasteriser may include a border pixel
    assert np.abs(there - pixel).mean() < 0.01


def test_the_nearer_triangle_wins(rasteriser):
    hits = rasteriser.draw(POINTS, CORNERS, SIZE, FOCAL)
    centre = hits.flat == SIZE[0] // 2 * SIZE[1] + SIZE[1] // 2
    assert hits.triangle[centre].tolist() == [1]


def test_parallel_projection_has_one_unit_a_pixel(rasteriser):
    square = np.float32([[-10, -5, 3], [10, -5, 3], [10, 5, 3], [-10, 5, 3]])
    hits = rasteriser.draw(square, np.array([[0, 1, 2], [0, 2, 3]]), (40, 60), None)
    assert len(hits.flat) == 200


def test_more_triangles_than_a_byte_can_number(rasteriser):
    side = 300
    y, x = np.mgrid[0 : side + 1, 0 : side + 1]
    points = np.stack([x - side / 2, y - side / 2, np.full_like(x, -1)], axis=-1).reshape(-1, 3).astype(np.float32)
    grid = np.arange((side + 1) ** 2).reshape(side + 1, -1)
    corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:]], axis=-1).reshape(-1, 3)
    hits = rasteriser.draw(points, corners, (side, side), None)
    assert hits.triangle.max() > 2**16
    assert np.abs(raster.project(hits.sample(points), (side, side), None)[:, 0] - (hits.flat % side + 0.5)).max() < 1


def test_a_machine_without_egl_gets_one_clear_error(monkeypatch):
    pytest.importorskip("vtkmodules", reason="VTK (extra synth) is not installed")

    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(MissingDependencyError, match="libegl1"):
        raster.Rasteriser()
