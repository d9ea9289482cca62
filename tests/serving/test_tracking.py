"""Faces keep their numbers: boxes computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.serving import tracking
from pipeline.serving.tracking import Tracks


def box(x, y=0, side=10):
    return (x, y, x + side, y + side)


def followed(*looks, lost=tracking.LOST):
    """The numbers at each look."""
    tracks, numbers = Tracks(), []
    for boxes in looks:
        numbers.append(tracking.assigned(tracks, boxes))
        tracks = tracking.seen(tracks, numbers[-1], boxes, lost)
    return numbers


def test_overlap_is_intersection_over_union():
    shares = tracking.overlaps(np.array([box(0), box(5)], float), np.array([box(0), box(0, 5), box(30)], float))
    np.testing.assert_allclose(shares, [[1, 1 / 3, 0], [1 / 3, 25 / 175, 0]])


def test_faces_keep_their_numbers_in_any_order():
    assert followed([box(0), box(40)], [box(41), box(1)], [box(2), box(42)]) == [[1, 2], [2, 1], [1, 2]]


def test_a_new_face_gets_a_new_number_and_one_that_is_gone_leaves_its_own_free_for_nobody():
    assert followed([box(0)], [box(0), box(40)], [box(40)], [box(40), box(80)]) == [[1], [1, 2], [2], [2, 3]]


@pytest.mark.parametrize(("away", "number"), [(2, 1), (3, 2)])
def test_a_face_that_comes_back_in_time_is_the_same(away, number):
    assert followed([box(0)], *[[]] * away, [box(1)], lost=2)[-1] == [number]


def test_two_that_cross_go_on_as_they_went():
    """At equal height, each one 3 pixels a look: they lie upon each other and then have passed."""
    looks = [[box(3 * i), box(60 - 3 * i)] for i in range(21)]
    assert followed(*looks) == [[1, 2]] * 21


def test_one_that_is_hidden_while_they_cross_is_found_where_it_should_be():
    looks = [[box(3 * i), box(60 - 3 * i)] if not 8 <= i <= 12 else [box(60 - 3 * i)] for i in range(21)]
    numbers = followed(*looks)
    assert numbers[:8] + numbers[13:] == [[1, 2]] * 16
    assert numbers[8:13] == [[2]] * 5


def test_all_are_assigned_together():
    """The best pair first would leave the other face without one."""
    tracks = tracking.seen(Tracks(), [1, 2], [box(0), box(4)])
    assert tracking.assigned(tracks, [box(2), box(-3)]) == [2, 1]


def test_nobody_and_nothing():
    assert followed([], [box(0)], []) == [[], [1], []]
