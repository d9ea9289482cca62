"""WFLW: lists of 207 fields."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import wflw
from pipeline.inputs.datasets.entries import Listing

SHAPE = np.arange(196).reshape(98, 2) / 4
BOX, FLAGS = (3, 4, 60, 80), (0, 1, 0, 0, 1, 0)
TRAIN, TEST = (f"list/list_98pt_rect_attr_{part}.txt" for part in ("train", "test"))


def line(name: str, shape: np.ndarray = SHAPE, box=BOX, flags=FLAGS) -> str:
    return " ".join([*(f"{value:.6f}" for value in shape.ravel()), *map(str, (*box, *flags)), name])


def read(folder, train: list[str] = (), test: list[str] = (), **pictures: str) -> Listing:
    (folder / "list").mkdir()
    for name, lines in ((TRAIN, train), (TEST, test)):
        (folder / name).write_text("".join(f"{text}\n" for text in lines))
    files = {f"WFLW_images/{name}": "" for name in ("0--Parade/a.jpg", "0--Parade/b.jpg", "c.jpg")} | pictures
    files |= {TRAIN: "", TEST: ""}
    assert datasets.recognise(folder, files) == "wflw"
    return wflw.read(folder, files)


def test_a_line_is_a_face_with_points_a_box_flags_and_a_part(tmp_path):
    listing = read(tmp_path, [line("0--Parade/a.jpg")], [line("c.jpg", SHAPE + 1, flags=(1, 0, 0, 0, 0, 1))])
    test, train = listing.entries
    region = train.regions["full"]
    assert (train.file, train.fold, train.subject_id) == ("WFLW_images/0--Parade/a.jpg", "train", train.file)
    assert np.reshape(region.points, (98, 2)) == pytest.approx(SHAPE + 0.5)
    assert region.box == (3.5, 4.5, 60.5, 80.5)
    assert (region.point_set, region.hidden, region.targets) == ("points98", (), {})
    assert region.attributes == dict(
        large_pose="0", expression_strong="1", illumination="0", make_up="0", occluded="1", blurred="0"
    )
    assert (test.file, test.fold) == ("WFLW_images/c.jpg", "test")
    assert test.regions["full"].attributes["large_pose"] == "1"


def test_faces_of_one_picture_are_its_regions_with_flags_of_their_own(tmp_path):
    faces = [line("c.jpg"), line("c.jpg", SHAPE + 9, flags=(1, 1, 1, 1, 1, 1)), line("c.jpg", SHAPE + 20)]
    (entry,) = read(tmp_path, faces).entries
    assert list(entry.regions) == ["1", "2", "3"]
    assert [region.attributes["large_pose"] for region in entry.regions.values()] == ["0", "1", "0"]
    assert entry.fold == ""  # there is no test part


def test_a_picture_of_the_test_list_is_not_for_training(tmp_path):
    listing = read(tmp_path, [line("c.jpg"), line("0--Parade/a.jpg")], [line("c.jpg", SHAPE + 9)])
    assert {entry.file.rpartition("/")[2]: entry.fold for entry in listing.entries} == {
        "c.jpg": "test",
        "a.jpg": "train",
    }
    assert [item.reason for item in listing.skipped] == ["dropped: a face of the same picture is in the test part"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line("gone.jpg"), "missing: there is no picture 'gone.jpg'"),
        (line("c.jpg").partition(" ")[2], "unreadable line: 206 fields, expected 207"),
        ("1 " + line("c.jpg"), "unreadable line: 208 fields, expected 207"),
        ("c.jpg", "unreadable line: 1 fields, expected 207"),
        (line("c.jpg").replace("0.250000", "nan"), "unreadable line: 'nan' is no coordinate"),
        (line("c.jpg").replace("0.250000", "left"), "unreadable line: 'left' is no coordinate"),
        (line("c.jpg", flags=(0, 1, 0, 2, 1, 0)), "unknown make_up: '2', expected 0 or 1"),
        (line("c.jpg", flags=(0, 1, 0, "", "0 1", 0)), None),
        (line("c.jpg", box=(60, 4, 3, 80)), "unknown box: 60.5, 4.5, 3.5, 80.5, expected x0 below x1"),
        (line("c.jpg", box=(3, 4, 3, 80)), "unknown box"),
        (line("c.jpg", box=("inf", 4, 3, 80)), "unreadable line: 'inf' is no coordinate"),
    ],
)
def test_a_damaged_line_is_skipped_with_the_reason(tmp_path, text, reason):
    listing = read(tmp_path, [text, line("0--Parade/a.jpg")])
    if reason is None:  # the same fields with other blanks between them
        assert len(listing.entries) == 2
        return
    assert [entry.file for entry in listing.entries] == ["WFLW_images/0--Parade/a.jpg"]
    (item,) = listing.skipped
    assert item.reason.startswith(reason)
    assert item.file in ("WFLW_images/c.jpg", f"{TRAIN}, line 1")


def test_a_list_that_is_no_text_and_no_list_are_errors(tmp_path):
    (tmp_path / "list").mkdir()
    (tmp_path / TRAIN).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        wflw.read(tmp_path, {TRAIN: ""})
    with pytest.raises(DataError, match=r"has no list_98pt_rect_attr_test\.txt and no list_98pt_rect_attr_train\.txt"):
        wflw.read(tmp_path, {"a.jpg": ""})
