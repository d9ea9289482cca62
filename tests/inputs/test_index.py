"""From a listing to the sample table."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped
from pipeline.inputs.index import attributes_of, check_skipped, first_files, inspect, sample_rows, targets_of

PAIN, NEUTRAL = Region({"pain": "pain", "pspi": "7"}, 1), Region({"pain": "no_pain"})
BOX = {"full": (0, 0, 30, 40)}


def entry(file: str, face: Region = PAIN, **more) -> Entry:
    return Entry(file, subject_id=file, regions={"full": face}, **more)


def rows_of(entries: list[Entry], digests: dict[str, str], inspected: dict):
    rows, skipped = sample_rows(Listing(entries, []), digests, inspected)
    return [row["file"] for row in rows], {item.file: item.reason for item in skipped}


def test_inspection_gives_the_boxes_of_a_pair_and_of_a_whole_picture(tmp_path, pair):
    picture, (start, width) = pair(0)
    Image.fromarray(picture).save(tmp_path / "a.png")
    boxes, likeness = inspect(tmp_path / "a.png", paired=True)
    assert likeness is None
    assert (boxes["left"][0], boxes["right"][2]) == (0, 640)
    assert boxes["left"][2] <= start < start + width <= boxes["right"][0]
    assert inspect(tmp_path / "a.png", paired=False)[0] == {"full": (0, 0, 640, 360)}


def test_inspection_gives_the_reason_for_what_cannot_be_used(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    Image.fromarray(np.zeros((100, 46, 3), np.uint8)).save(tmp_path / "b.png")
    assert inspect(tmp_path / "a.jpg", paired=False)[0].startswith("empty file")
    assert inspect(tmp_path / "b.png", paired=True)[0].startswith("too small: 46 x 100 pixels")
    assert isinstance(inspect(tmp_path / "b.png", paired=False)[0], dict)


def test_a_duplicate_is_decoded_once_and_names_the_first():
    entries, digests = [entry("a"), entry("b"), entry("c")], {"a": "1", "b": "2", "c": "1"}
    assert first_files(entries, digests) == {"a": False, "b": False}
    files, skipped = rows_of(entries, digests, {"a": BOX, "b": BOX})
    assert files == ["a", "b"]
    assert skipped == {"c": "duplicate: of a"}


def test_one_picture_with_two_labels_is_used_with_neither():
    files, skipped = rows_of([entry("a"), entry("b", NEUTRAL)], {"a": "1", "b": "1"}, {"a": BOX})
    assert files == []
    assert skipped["a"] == "contradiction: b with another label is the same picture"
    assert skipped["b"] == "contradiction: a with another label is the same picture"


def test_all_copies_of_an_unreadable_picture_say_why():
    _, skipped = rows_of([entry("a"), entry("b")], {"a": "1", "b": "1"}, {"a": "empty file: 0 bytes"})
    assert skipped == dict.fromkeys("ab", "empty file: 0 bytes")


def test_a_row_has_the_columns_the_targets_the_attributes_and_the_fold_if_there_are_folds():
    with_fold = entry("a", attributes={"age": "7"}, fold="test")
    rows, _ = sample_rows(Listing([with_fold, entry("b", NEUTRAL)], []), {"a": "1", "b": "2"}, {"a": BOX, "b": BOX})
    assert list(rows[0].items()) == [
        ("sample_id", "a#full"), ("file", "a"), ("region", "full"), ("x0", 0), ("y0", 0), ("x1", 30), ("y1", 40),
        ("subject_id", "a"), ("expressive", 1), ("pain", "pain"), ("pspi", "7"), ("age", "7"), ("fold", "test"),
    ]  # fmt: skip
    assert list(rows[1]) == list(rows[0])
    assert [rows[1][name] for name in ("expressive", "pain", "pspi", "age", "fold")] == ["", "no_pain", "", "", ""]


def test_what_nobody_knows_is_no_column():
    rows, _ = sample_rows(Listing([entry("b", NEUTRAL)], []), {"b": "2"}, {"b": BOX})
    assert not {"fold", "expressive", "pspi"} & set(rows[0])


def test_targets_are_in_the_order_of_the_reader_the_primary_first():
    listing = Listing([entry("b", NEUTRAL), entry("a", attributes={"age": "7"})], [])
    assert (targets_of(listing), attributes_of(listing)) == (["pain", "pspi"], ["age"])


def test_more_skipped_than_allowed_is_an_error_that_counts_the_reasons(tmp_path):
    skipped = [Skipped("a", "unreadable: x"), Skipped("b", "unreadable: y"), Skipped("c", "name: z")]
    check_skipped(97, skipped, 100, 0.03, tmp_path / "skipped.csv")
    with pytest.raises(DataError, match=r"3 of 100 pictures .* at most 2% may be: 2 unreadable, 1 name.*skipped\.csv"):
        check_skipped(97, skipped, 100, 0.02, tmp_path / "skipped.csv")


def test_a_dataset_without_a_usable_picture_is_an_error_whatever_is_allowed(tmp_path):
    with pytest.raises(DataError, match="1 of 1 pictures cannot be used, none is usable: 1 name"):
        check_skipped(0, [Skipped("a", "name: z")], 1, 1.0, tmp_path / "skipped.csv")
    with pytest.raises(DataError, match="the dataset lists none"):
        check_skipped(0, [], 0, 1.0, tmp_path / "skipped.csv")
