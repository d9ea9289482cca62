"""What the curve below a video shows, and in which colours."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import ImageColor

from pipeline.serving import curve
from pipeline.serving.colors import of_class


def network(kind: str, names: list[str], **task):
    return SimpleNamespace(names=names, task={"kind": kind, **task})


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (network("classify", ["no_pain", "pain"], positive="pain"), ("prob_pain",)),
        (network("classify", ["a", "b"]), ("prob_b",)),
        (network("classify", ["a", "b", "c"]), ("prob_a", "prob_b", "prob_c")),
        (network("multilabel", ["fire", "smoke"], positive="smoke"), ("prob_fire", "prob_smoke")),
        (network("regress", ["pspi"], bounds=(0, 16)), ("value_pspi",)),
    ],
)
def test_two_classes_are_one_line_and_two_labels_are_two(asked, columns):
    assert curve.of_network(asked).columns == columns


def test_points_have_no_curve():
    assert curve.of_network(network("points", ["p0_x", "p0_y"])) is None


def test_each_label_has_a_line_and_its_name_in_its_colour():
    drawn = curve.of_network(network("multilabel", ["fire", "smoke"]))
    entries = [(second, 1, {"prob_fire": 0.9, "prob_smoke": 0.1}) for second in (0.0, 5.0, 9.0)]
    pixels = np.asarray(curve.panel(drawn, entries, 9.0, (400, 60)))
    for number, height in enumerate((0.1, 0.9)):
        colored = (pixels == ImageColor.getrgb(of_class(number))).all(2)
        assert colored[round(height * 59), 300]
        assert colored[:20, :100].any()


def test_names_that_do_not_fit_beside_the_time_are_left_out():
    drawn = curve.of_network(network("multilabel", ["fire", "smoke"]))
    pixels = np.asarray(curve.panel(drawn, [], 3.0, (70, 60)))
    assert not (pixels == ImageColor.getrgb(of_class(1))).all(2).any()
