"""From a listing to the sample table."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped
from pipeline.inputs.index import (
    about,
    attributes_of,
    check_skipped,
    face_columns,
    first_files,
    inspect,
    sample_rows,
    targets_of,
)

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


WHOLE = {"full": (0, 0, 200, 100)}


def face(*corners: float, count: int = 68, **more) -> Region:
    """A face whose points run from one corner to the other."""
    x0, y0, x1, y1 = corners
    line = np.stack([np.linspace(x0, x1, count), np.linspace(y0, y1, count)], axis=1)
    return Region({}, points=tuple(line.ravel().tolist()), **more)


def rectangle(region: Region):
    return about({"full": region}, WHOLE, 200, 100)["full"]


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((90, 40, 110, 50), (80, 25, 120, 65)),
        ((90.25, 40, 110.25, 50), (80, 25, 121, 65)),
        ((0, 0, 20, 20), (0, 0, 30, 30)),
        ((170, 60, 210, 100), (150, 40, 200, 100)),
        ((-50, -50, 300, 300), (0, 0, 200, 100)),
    ],
)
def test_a_face_with_a_box_is_in_a_square_of_twice_its_longer_side_cut_at_the_edges(box, square):
    assert rectangle(Region({}, box=box)) == square
    assert rectangle(face(*box, about_points=True)) == square
    assert rectangle(face(60, 60, 70, 70, box=box)) == square


def test_points_from_beside_the_picture_change_no_rectangle():
    assert rectangle(face(90, 40, 110, 50)) == WHOLE["full"]
    halves = {"left": (0, 0, 99, 100), "right": (101, 0, 200, 100)}
    pair = {"left": face(20, 40, 50, 60), "right": Region({"pain": "pain"})}
    assert about(pair, halves, 200, 100) == halves


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (Region({}, box=(200, 10, 260, 60)), "outside: the face is at 200, 10, 260, 60, the picture has 200 x 100"),
        (face(-60, -60, -10, -10), "outside: the face is at"),
        (face(1, 1, 1, 1), "outside: the face is at 1, 1, 1, 1"),
        (face(10, 10, 40, 40, box=(10, 10, 20, 30)), None),
        (face(-19, 10, 40, 40, box=(0, 10, 20, 30)), None),
        (face(-21, 10, 40, 40, box=(0, 10, 20, 30)), "outside: point 0 is at -21, 10, the picture has 200 x 100"),
        (face(10, 10, 40, 121, box=(0, 10, 20, 30)), "outside: point 67 is at 40, 121"),
        (face(10, 10, 1e6, 40), "outside: point 1 is at 14935.2, 10.4478"),
        (Region({}, box=(-199, 10, 40, 40)), None),
        (Region({}, box=(-201, 10, 40, 40)), "outside: the box is -201, 10, 40, 40, the picture has 200 x 100"),
        (Region({}, box=(10, 10, 40, 1e9)), "outside: the box is 10, 10, 40, 1e+09"),
        (Region({}, box=(90, 40, 101, 51)), "too small: 23 x 23 pixels about the face, it needs 24 x 24"),
        (Region({}, box=(195, 40, 215, 50)), "too small: 15 x 40 pixels"),
    ],
)
def test_a_face_that_is_not_in_the_picture_has_a_reason(region, reason):
    found = rectangle(region)
    assert isinstance(found, str) == (reason is not None)
    assert reason is None or found.startswith(reason)


def test_the_faces_of_a_picture_are_regions_each_with_its_own_reason(tmp_path):
    Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save(tmp_path / "a.png")
    faces = {
        "1": Region({}, box=(10, 10, 40, 40), attributes={"blurred": "0"}),
        "2": Region({}, box=(300, 10, 340, 40), attributes={"blurred": "1"}),
        "3": face(100, 30, 140, 70, about_points=True, attributes={"blurred": "1"}),
    }
    entries = [Entry("a", "a", faces, attributes={"site": "x"})]
    assert first_files(entries, {"a": "1"}) == {"a": False}
    boxes, _ = inspect(tmp_path / "a.png", paired=False, faces=faces)
    listing = Listing(entries, [])
    rows, skipped = sample_rows(listing, {"a": "1"}, {"a": boxes})
    assert [(row["sample_id"], row["x0"], row["x1"], row["site"], row["blurred"]) for row in rows] == [
        ("a#1", 0, 55, "x", "0"),
        ("a#3", 80, 160, "x", "1"),
    ]
    assert [(item.region, item.reason.partition(":")[0]) for item in skipped] == [("2", "outside")]
    assert attributes_of(listing) == ["site", "blurred"]


def test_sets_of_points_are_targets_behind_the_others_and_no_columns():
    listing = Listing([entry("a", face(0, 0, 9, 9, count=29)), entry("b", face(0, 0, 9, 9)), entry("c")], [])
    digests = dict(zip("abc", "123", strict=True))
    assert targets_of(listing) == ["pain", "pspi", "points29", "points68"]
    rows, _ = sample_rows(listing, digests, dict.fromkeys("abc", BOX))
    assert list(rows[0])[-3:] == ["expressive", "pain", "pspi"]
    assert targets_of(Listing(listing.entries[:2], [])) == ["points29", "points68"]


def test_columns_of_faces_have_a_row_for_each_sample():
    known = face(0, 0, 9, 9, count=29, hidden=(1,) + (0,) * 28, box=(1, 2, 3, 4))
    listing = Listing([entry("a"), entry("b", known), entry("c", face(0, 0, 9, 9))], [])
    rows = [{"file": name, "region": "full"} for name in "cba"]
    columns = face_columns(listing, rows)
    assert {name: (column.shape, column.dtype) for name, column in columns.items()} == {
        "points29": ((3, 29, 2), np.float32),
        "points68": ((3, 68, 2), np.float32),
        "hidden": ((3, 29), np.uint8),
        "box": ((3, 4), np.float32),
    }
    assert np.isnan(columns["points29"]).all(axis=(1, 2)).tolist() == [True, False, True]
    assert columns["points29"][1, -1].tolist() == [9, 9]
    assert columns["hidden"].sum(axis=1).tolist() == [0, 1, 0]
    assert columns["box"][1].tolist() == [1, 2, 3, 4]
    assert np.isnan(columns["box"][0]).all()


def test_without_points_and_boxes_there_are_no_columns_of_faces():
    assert face_columns(Listing([entry("a")], []), [{"file": "a", "region": "full"}]) == {}


def test_a_sequence_is_a_column_where_any_entry_has_one():
    listing = Listing([entry("a", sequence="s1"), entry("b")], [])
    rows, _ = sample_rows(listing, {"a": "1", "b": "2"}, {"a": BOX, "b": BOX})
    assert [row["sequence"] for row in rows] == ["s1", ""]
    assert "sequence" not in targets_of(listing) + attributes_of(listing)
