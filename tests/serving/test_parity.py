"""How alike answers are, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.serving.parity import ANSWERS, compared
from pipeline.tasks import TASKS

RAW = np.array([[0.5, -2.0], [0.1, 0.2]], np.float32)


def card(kind: str) -> dict:
    task = {"kind": kind, "bounds": (0.0, 16.0), "target": "pspi"}
    return {"task": task, "network": {"image_size": 100}}


def test_every_kind_has_its_comparison():
    assert {task.kind for task in TASKS.values()} <= set(ANSWERS)


@pytest.mark.parametrize(("kind", "share"), [("classify", 0.5), ("multilabel", 1.0)])
def test_the_share_of_equal_answers(kind, share):
    near = RAW + np.array([[0, 0], [0.0002, -0.0002]], np.float32) * 0.9
    near[1] = near[1, ::-1] if kind == "classify" else near[1]
    alike = compared(RAW * 1e-3, near * 1e-3, card(kind))
    assert alike.holds
    assert alike.agreement == share
    assert f"{100 * share:g} % of 2" in alike.words


def test_the_difference_of_numbers_is_in_their_units():
    alike = compared(RAW[:, :1], RAW[:, :1] + np.float32(0.0005), card("regress"))
    assert alike.in_units == pytest.approx(16 * 0.0005, rel=1e-3)
    assert "pspi of 2 inputs" in alike.words


def test_the_difference_of_points_is_a_distance_in_pixels_of_the_input():
    shift = np.array([0.0003, 0.0004], np.float32)
    assert compared(RAW, RAW + shift, card("points")).in_units == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize(
    ("largest", "difference", "holds"), [(0.1, 9e-4, True), (0.1, 1.1e-3, False), (50, 0.04, True)]
)
def test_the_bound_is_a_share_of_the_largest_output_and_at_least_of_one(largest, difference, holds):
    raw = np.array([[largest, 0.0]])
    assert compared(raw, raw + [[0, difference]], card("classify")).holds is holds


@pytest.mark.parametrize("found", [np.full((2, 2), np.nan), np.zeros((1, 2)), np.zeros((2, 3))])
def test_what_cannot_be_compared_is_not_alike(found):
    assert not compared(RAW, found, card("classify")).holds
