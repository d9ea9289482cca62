"""A file for each subject: its windows are samples of it."""

from __future__ import annotations

import numpy as np

from pipeline.inputs.datasets import npz
from tests.helpers.recordings import archive, write

X = np.zeros((3, 2816)) + np.arange(2816)


def read(folder, **members):
    write(folder / "072414_m_23.npz", archive(members))
    return npz.read(folder, {"072414_m_23.npz": ""})


def levels(listing) -> dict[str, str]:
    return {region: known.targets["level"] for entry in listing.entries for region, known in entry.regions.items()}


def test_each_window_is_a_region_with_its_level(tmp_path):
    listing = read(tmp_path, x=X, y=np.array([0, 4, 2]))
    (entry,) = listing.entries
    assert levels(listing) == {"0": "BL1", "1": "PA4", "2": "PA2"}
    assert (entry.subject_id, entry.attributes) == ("072414_m_23", {"sex": "m", "age": "23"})
    assert not listing.skipped


def test_levels_may_be_words_or_fractions(tmp_path):
    assert levels(read(tmp_path, x=X, y=np.array([[0.0], [1.0], [4.0]]))) == {"0": "BL1", "1": "PA1", "2": "PA4"}
    assert levels(read(tmp_path, x=X, y=np.array(["pa3", "BL1", "PA1"]))) == {"0": "PA3", "1": "BL1", "2": "PA1"}


def test_a_window_without_a_level_is_a_row_with_its_reason(tmp_path):
    listing = read(tmp_path, x=X, y=np.array([0, 7, 1.5]))
    assert levels(listing) == {"0": "BL1"}
    assert {item.region for item in listing.skipped} == {"1", "2"}
    assert all(item.reason.startswith("unknown level: ") for item in listing.skipped)


def test_a_file_under_any_other_name_is_a_subject_of_its_own(tmp_path):
    write(tmp_path / "s/P7.npz", archive({"x": X, "y": np.arange(3)}))
    (entry,) = npz.read(tmp_path, {"s/P7.npz": ""}).entries
    assert (entry.subject_id, entry.attributes) == ("P7", {})


def test_a_file_that_cannot_be_read_is_a_row_with_its_reason(tmp_path):
    write(tmp_path / "a.npz", b"PK\x03\x04 and nothing")
    write(tmp_path / "b.npz", archive({"x": X[:0], "y": np.arange(0)}))
    listing = npz.read(tmp_path, {"a.npz": "", "b.npz": ""})
    assert [item.reason.partition(":")[0] for item in listing.skipped] == ["unreadable", "empty file"]
