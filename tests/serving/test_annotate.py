"""Faces are marked where they are: in the colour of their class or number, or by their points."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor

from pipeline.serving.annotate import annotate
from pipeline.serving.answers import KINDS
from pipeline.serving.colors import PALETTE, POINT, on_scale
from pipeline.serving.predictor import FacePrediction
from pipeline.tasks import TASKS

BOX = (40, 60, 120, 160)


def prediction(number: int, box=BOX, names=TASKS["expression"].outputs) -> FacePrediction:
    probabilities = np.array([0.7 if i == number else 0.05 for i in range(len(names))])
    return FacePrediction("full", box, 0.99, KINDS["classify"].answer(names, probabilities, ()))


def number(value: float) -> FacePrediction:
    return FacePrediction("full", BOX, 0.99, KINDS["regress"].answer(["pspi"], np.array([value]), (0.0, 16.0)))


def pointed(*points: tuple[float, float], box=BOX) -> FacePrediction:
    names = [f"p{i}_{axis}" for i in range(len(points)) for axis in "xy"]
    return FacePrediction("full", box, 0.99, KINDS["points"].answer(names, np.array(points, float).ravel(), ()))


def marked(drawn: np.ndarray, color: str) -> np.ndarray:
    """Where a picture has a colour."""
    return (drawn == ImageColor.getrgb(color)).all(axis=2)


def test_every_class_has_its_colour_on_the_box():
    image = np.full((200, 200, 3), 90, np.uint8)
    seen = set()
    for number, _ in enumerate(TASKS["expression"].outputs):
        drawn = np.asarray(annotate(image, [prediction(number)]))
        assert tuple(drawn[159, 80]) == ImageColor.getrgb(PALETTE[number])
        assert (drawn[155, 80] == 90).all()
        seen.add(tuple(drawn[159, 80]))
    assert len(seen) == len(TASKS["expression"].outputs)


@pytest.mark.parametrize("value", [0.0, 3.2, 16.0])
def test_a_number_has_the_colour_of_its_place_on_the_scale(value):
    drawn = np.asarray(annotate(np.full((200, 200, 3), 90, np.uint8), [number(value)]))
    assert tuple(drawn[159, 80]) == ImageColor.getrgb(on_scale(value / 16))
    assert marked(drawn, on_scale(value / 16))[:60].any()  # the ground of its text, above the box


def test_points_are_dots_with_a_thin_box_and_no_text():
    drawn = np.asarray(annotate(np.full((400, 400, 3), 90, np.uint8), [pointed((60.5, 80.5), (100.5, 140.5))]))
    dots = marked(drawn, POINT)
    assert dots[80, 60]
    assert dots[140, 100]
    assert dots[80, 56:65].tolist() == [False] * 3 + [True] * 3 + [False] * 3  # no more than that of a small face
    assert not dots[62:159, 42:119][:, 30:40].any()
    assert dots[60, 80]
    assert not dots[61:80, 80].any()  # the box is one pixel wide
    assert (drawn[:60] == 90).all()


def test_dots_grow_with_the_face():
    image = np.full((1000, 1000, 3), 90, np.uint8)
    small = marked(np.asarray(annotate(image, [pointed((500, 500), box=(450, 450, 560, 560))])), POINT)[
        480:520, 480:520
    ]
    large = marked(np.asarray(annotate(image, [pointed((500, 500), box=(100, 100, 900, 900))])), POINT)[
        480:520, 480:520
    ]
    assert 4 < small.sum() * 4 < large.sum() < 250


def test_points_beyond_the_picture_are_not_drawn():
    image = np.full((200, 200, 3), 90, np.uint8)
    alone = np.asarray(annotate(image, [pointed((60, 80))]))
    more = annotate(image, [pointed((60, 80), (-3, 50), (50, 200), (1e30, 10), (np.nan, 10))])
    np.testing.assert_array_equal(np.asarray(more), alone)


def test_the_text_stays_in_the_picture():
    image = np.full((200, 200, 3), 90, np.uint8)
    drawn = np.asarray(annotate(image, [prediction(3, (150, 0, 199, 60))]))
    assert marked(drawn, PALETTE[3])[:30].any(axis=0).sum() > 80  # a name and a number are wider than the box
    assert drawn.shape == image.shape


def test_a_picture_without_faces_stays_as_it_is():
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert (np.asarray(annotate(image, [])) == image).all()
