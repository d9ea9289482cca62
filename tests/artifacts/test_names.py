"""Names that a file system takes."""

from __future__ import annotations

import pytest

from pipeline.artifacts.names import MOST_BYTES, bounded


@pytest.mark.parametrize("name", ["", "teacher-swin", "größer", "x" * MOST_BYTES])
def test_a_name_that_fits_stays_as_it_is(name):
    assert bounded(name) == name


@pytest.mark.parametrize("name", ["x" * (MOST_BYTES + 1), "é" * 900, "\udcff" * 900])
def test_a_longer_one_is_cut_and_tells_itself_from_others_by_a_hash(name):
    assert len(bounded(name).encode()) <= MOST_BYTES
    assert bounded(name) != bounded(f"{name}y")
    assert bounded(name) == bounded(name)
