"""Means over the last seconds, by hand."""

from __future__ import annotations

import pytest

from pipeline.serving.smoothing import Recent


def test_a_mean_is_of_one_face_and_of_the_last_seconds():
    recent = Recent(10)
    for time, face, value in ((0, 1, 1.0), (1, 1, 2.0), (1, 2, 50.0), (2, 1, 6.0)):
        recent.add(time, face, {"p": value})
    assert recent.means(1, 10) == {"p": 3.0}
    assert recent.means(1, 2) == {"p": 4.0}  # the one at 0 is two seconds old
    assert recent.means(1, 0.5) == {"p": 6.0}
    assert recent.means(2, 10) == {"p": 50.0}
    assert recent.means(3, 10) == {}


def test_what_is_older_is_forgotten():
    recent = Recent(2)
    for time in range(100):
        recent.add(time, 1, {"p": float(time)})
    assert [time for time, *_ in recent.entries] == [97, 98, 99]


def test_it_remembers_what_the_table_holds():
    recent = Recent(2)
    recent.add(0, 1, {"p": 1 / 3})
    assert recent.means(1, 1)["p"] == pytest.approx(0.333333333, abs=0)
