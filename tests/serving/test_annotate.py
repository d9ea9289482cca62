"""Faces are marked where they are, in the colour of their class."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from pipeline.serving.annotate import PALETTE, annotate
from pipeline.serving.predictor import FacePrediction
from pipeline.tasks import TASKS


def prediction(number: int, box=(40, 60, 120, 160)) -> FacePrediction:
    names = TASKS["expression"].outputs
    probabilities = tuple(0.7 if i == number else 0.05 for i in range(len(names)))
    return FacePrediction("full", box, 0.99, probabilities, number, names[number])


def test_every_class_has_its_colour_on_the_box():
    image = np.full((200, 200, 3), 90, np.uint8)
    seen = set()
    for number, _ in enumerate(TASKS["expression"].outputs):
        drawn = np.asarray(annotate(image, [prediction(number)]))
        assert tuple(drawn[159, 80]) == ImageColor.getrgb(PALETTE[number])
        assert (drawn[155, 80] == 90).all()
        seen.add(tuple(drawn[159, 80]))
    assert len(seen) == len(TASKS["expression"].outputs)


def test_classes_beyond_the_palette_begin_it_again():
    image = np.full((200, 200, 3), 90, np.uint8)
    face = FacePrediction("full", (40, 60, 120, 160), 0.9, (0.1,) * 10, len(PALETTE) + 1, "ninth")
    assert tuple(np.asarray(annotate(image, [face]))[159, 80]) == ImageColor.getrgb(PALETTE[1])


def test_the_text_stays_in_the_picture():
    image = np.full((200, 200, 3), 90, np.uint8)
    drawn = np.asarray(annotate(image, [prediction(3, (150, 0, 199, 60))]))
    ground = (drawn == ImageColor.getrgb(PALETTE[3])).all(axis=2)
    assert ground[:30].any(axis=0).sum() > 80  # a name and a number are wider than the box
    assert drawn.shape == image.shape


def test_a_picture_without_faces_stays_as_it_is():
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert (np.asarray(annotate(image, [])) == image).all()


def test_white_letters_are_read_on_every_colour():
    """WCAG 2's contrast of 4.5."""
    for color in PALETTE:
        levels = np.array(ImageColor.getrgb(color)) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5, color
