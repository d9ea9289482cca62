"""Rendered pairs: reproducible, and true to their own truth. Needs anny and an off-screen OpenGL."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("anny", reason="anny (extra synth) is not installed")
pytest.importorskip("vtkmodules", reason="VTK (extra synth) is not installed")

from pipeline.errors import MissingDependencyError
from pipeline.synth.expressions import ACTION_UNITS, Expression, pspi
from pipeline.synth.geometry import Pose, build_bust
from pipeline.synth.identity import sample_identity
from pipeline.synth.pairs import plan, render_pair
from pipeline.synth.scene import Studio
from pipeline.synth.setting import sample_setting

HEIGHT = 120


@pytest.fixture(scope="module")
def studio() -> Studio:
    try:
        return Studio()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pairs(studio):
    return [render_pair(studio, plan(11, number), HEIGHT) for number in range(6)]


def test_the_same_seed_gives_the_same_bytes(studio, pairs):
    picture, rows = render_pair(studio, plan(11, 2), HEIGHT)
    assert np.array_equal(picture, pairs[2][0])
    assert rows == pairs[2][1]
    assert not np.array_equal(pairs[1][0], pairs[2][0])


def test_pictures_have_synpains_shape_and_something_to_see(pairs):
    for picture, _ in pairs:
        assert picture.dtype == np.uint8
        assert picture.shape == (HEIGHT, round(HEIGHT * 1312 / 736), 3)
        assert picture.std() > 15


def test_truth_follows_its_rules(pairs):
    for number, (_, (left, right)) in enumerate(pairs):
        what = plan(11, number)
        assert (left["region"], right["region"]) == ("left", "right")
        assert (left["expression"], left["label"]) == ("neutral", 0)
        assert right["label"] == int(what.pain) == int(right["expression"] == "pain")
        for row in (left, right):
            assert row["file"] == what.file
            assert row["pspi"] == pytest.approx(pspi({u: row[f"au{u:02d}"] for u in ACTION_UNITS}), abs=1e-3)
            assert abs(row["yaw_deg"]) <= 25


def test_landmarks_lie_in_their_half_in_the_order_of_a_face(pairs):
    for picture, rows in pairs:
        middle = picture.shape[1] / 2
        for row, (low, high) in zip(rows, ((0, middle), (middle, picture.shape[1])), strict=True):
            points = np.array([[row[f"l68_{k}_{axis}"] for axis in "xy"] for k in range(68)])
            assert (points[:, 0] > low).all()
            assert (points[:, 0] < high).all()
            assert (points[:, 1] > 0).all()
            assert (points[:, 1] < HEIGHT).all()
            eyes = [[row[f"l5_{k}_{axis}"] for axis in "xy"] for k in range(5)]
            assert eyes[0][0] < eyes[2][0] < eyes[1][0]
            assert eyes[3][0] < eyes[4][0]
            assert eyes[0][1] < eyes[2][1] < eyes[3][1]


def eye_opening(points: np.ndarray) -> float:
    return points[[37, 38, 43, 44], 1].mean() - points[[40, 41, 46, 47], 1].mean()


def test_expressions_move_the_landmarks_they_should(studio):
    person = sample_identity(11, 0, studio.head.labels)

    def points(**levels: float) -> np.ndarray:
        units = dict.fromkeys(ACTION_UNITS, 0.0) | {int(name[2:]): level for name, level in levels.items()}
        face = Expression("test", units)
        bust = build_bust(studio.head, person, face, Pose(0, 0, 0), studio.masks.around_ears)
        return bust.vertices[studio.landmarks]

    calm = points()
    assert eye_opening(points(au43=1)) < 0.35 * eye_opening(calm)
    assert eye_opening(points(au05=5)) > 1.1 * eye_opening(calm)
    assert points(au04=5)[[20, 21, 22, 23], 1].mean() < calm[[20, 21, 22, 23], 1].mean() - 0.2
    assert points(au12=5)[[48, 54], 1].mean() > calm[[48, 54], 1].mean() + 0.3
    assert points(au27=5)[66, 1] < calm[66, 1] - 1.0
    assert points(au10=5)[[50, 52], 1].mean() > calm[[50, 52], 1].mean() + 0.15


def test_settings_know_nothing_of_the_expression():
    first, second = (sample_setting(np.random.default_rng(3)) for _ in range(2))
    assert first.pose == second.pose
    assert np.array_equal(first.light.key, second.light.key)
