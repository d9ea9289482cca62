"""Boxes of one face, and boxes of two people side by side."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inputs.faces.boxes import same_face, side_by_side


def box(*corners) -> np.ndarray:
    return np.array(corners, float)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (box(0, 0, 100, 100), True),
        (box(20, 0, 120, 100), True),  # 80 of 120
        (box(0, 0, 60, 60), False),  # a part of it: 36 of 100
        (box(50, 0, 150, 100), False),  # 50 of 150
        (box(300, 0, 400, 100), False),
        (box(0, 300, 100, 400), False),
    ],
)
def test_one_face_covers_nearly_the_same(other, expected):
    assert same_face(box(0, 0, 100, 100), other) is expected
    assert same_face(other, box(0, 0, 100, 100)) is expected


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([box(50, 50, 150, 170), box(350, 60, 450, 180)], True),
        ([box(350, 60, 450, 180), box(50, 50, 150, 170)], True),
        ([box(50, 50, 150, 170), box(180, 60, 240, 180)], False),  # both in the left half
        ([box(200, 50, 300, 170), box(350, 60, 450, 180)], False),  # one across the middle
        ([box(50, 50, 150, 170), box(350, 60, 400, 110)], False),  # one much smaller
        ([box(50, 10, 150, 110), box(350, 200, 450, 300)], False),  # one much lower
        ([box(50, 50, 150, 170)], False),
        ([box(50, 50, 150, 170), box(200, 50, 220, 70), box(350, 60, 450, 180)], False),
    ],
)
def test_two_faces_make_a_side_by_side_picture(boxes, expected):
    assert side_by_side(boxes, 500) is expected
