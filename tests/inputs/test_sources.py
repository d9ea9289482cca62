"""Several datasets as one listing."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region
from pipeline.inputs.index import targets_of
from pipeline.inputs.sources import merged

FACE = Region({}, points=(1.0, 2.0) * 68, box=(1, 2, 30, 40))


def listing(region: Region, sequence: str = "") -> Listing:
    return Listing([Entry("a.jpg", "p1", {"full": region}, sequence=sequence)], [])


def test_sequences_bear_the_name_of_their_source_and_none_stays_none():
    both = merged({"one": listing(FACE, "s1"), "two": listing(FACE)})
    assert [entry.sequence for entry in both.entries] == ["one/s1", ""]


def test_points_can_be_what_sources_share():
    both = merged({"one": listing(FACE), "two": listing(Region({"pain": "pain"}, points=FACE.points))})
    assert targets_of(both) == ["pain", "points68"]
    assert both.entries[0].regions["full"] == FACE


def test_other_sets_of_points_are_other_targets():
    with pytest.raises(DataError, match="one and two share no target: there points68, here points29"):
        merged({"one": listing(FACE), "two": listing(Region({}, points=(1.0, 2.0) * 29))})
