"""What raw outputs mean, computed by hand for each kind of task."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.serving.answers import KINDS
from pipeline.serving.colors import PALETTE, SCALE
from pipeline.tasks import TASKS

NO_BOUNDS: tuple[float, ...] = ()


def told(kind, names, raw, bounds=NO_BOUNDS, warps=None):
    values = KINDS[kind].values(np.array(raw, dtype=float), bounds, warps)
    return [KINDS[kind].answer(names, row, bounds) for row in values]


def test_every_kind_of_task_is_told():
    assert {task.kind for task in TASKS.values()} == set(KINDS)


def test_of_classes_the_most_probable_is_called():
    (one,) = told("classify", ["no_pain", "pain"], [[0.0, np.log(3)]])
    np.testing.assert_allclose(one.values, [0.25, 0.75])
    assert one.cells == {"class": "pain", "prob_no_pain": one.values[0], "prob_pain": one.values[1]}
    assert [(mark.text, mark.called) for mark in one.marks] == [("no pain 0.25", False), ("pain 0.75", True)]
    assert (one.title.text, one.title.color) == ("pain 0.75", PALETTE[1])
    assert one.points.shape == (0, 2)


def test_each_label_is_called_above_one_half_as_evaluation_does():
    one, even = told("multilabel", ["fire", "smoke"], [[1.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(one.values, [1 - 1 / (1 + np.e), 1 / (1 + np.e)])
    assert one.cells == {"fire": 1, "smoke": 0, "prob_fire": one.values[0], "prob_smoke": one.values[1]}
    assert [mark.called for mark in one.marks] == [True, False]
    assert [mark.called for mark in even.marks] == [False, False]


def test_numbers_are_in_units_of_the_target_and_within_its_bounds():
    answers = told("regress", ["phq_score"], [[0.25], [-0.1], [1.3], [0.0], [1.0]], (2.0, 12.0))
    assert [one.cells for one in answers] == [{"value_phq_score": value} for value in (4.5, 2, 12, 2, 12)]
    assert answers[0].title.text == "phq score 4.5"
    assert [one.title.color for one in answers[1:]] == [SCALE[0], SCALE[-1], SCALE[0], SCALE[-1]]


def test_the_colour_of_a_number_is_its_place_between_the_bounds():
    answers = told("regress", ["pspi"], [[0.25], [0.5]], (0.0, 16.0))
    assert [one.title.color for one in answers] == [SCALE[1], SCALE[2]]


@pytest.mark.parametrize(
    ("high", "text"), [(1, "x 0.32"), (16, "x 5.1"), (27, "x 8.6"), (100, "x 32"), (1e4, "x 3200")]
)
def test_a_number_is_written_as_finely_as_its_range_asks(high, text):
    assert told("regress", ["x"], [[0.32]], (0, high))[0].title.text == text


def test_several_numbers_are_all_written_at_a_face():
    (one,) = told("regress", ["valence", "arousal"], [[0.5, 0.75]], (-1.0, 1.0))
    assert one.title.text == "valence 0.00  arousal 0.50"
    assert len(one.marks) == 2


def test_points_go_back_through_the_warp_of_their_own_face():
    """Of a face of 100 pixels about (200, 100) whose x runs down the picture and whose y runs to its left."""
    turned = np.array([[0, 0.01, -1.0], [-0.01, 0, 2.0]])
    straight = np.array([[0.005, 0, -0.5], [0, 0.005, -0.5]])  # 200 pixels in the corner
    names = ["p0_x", "p0_y", "p1_x", "p1_y"]
    raw = [[0.5, 0, -0.1, 0.25]] * 2
    one, other = told("points", names, raw, warps=np.stack([turned, straight]))
    np.testing.assert_allclose(one.points, [[200, 150], [175, 90]])
    np.testing.assert_allclose(other.points, [[200, 100], [80, 150]])
    assert one.cells == {"p0_x": 200.0, "p0_y": 150.0, "p1_x": 175.0, "p1_y": 90.0}
    assert (one.title, one.marks) == (None, ())


def test_points_stand_in_tables_to_a_hundredth_of_a_pixel():
    warp = np.array([[1 / 300, 0, -0.5], [0, 1 / 300, -0.5]])
    (one,) = told("points", ["p0_x", "p0_y"], [[0.123456, 2.0]], warps=warp[None])
    np.testing.assert_allclose(one.points, [[187.0368, 750.0]])  # beyond the picture is still told
    assert one.cells == {"p0_x": 187.04, "p0_y": 750.0}


def test_of_no_faces_nothing_is_told():
    assert told("points", ["p0_x", "p0_y"], np.empty((0, 2)), warps=np.array([])) == []
    assert told("regress", ["pspi"], np.empty((0, 1)), (0.0, 16.0)) == []
