"""300W: files of points beside pictures, and the official parts by their folders."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from pipeline.inputs import datasets
from pipeline.inputs.datasets import ibug, pts
from pipeline.inputs.datasets.entries import Listing
from tests.helpers import specials

SHAPE = np.stack([np.linspace(20, 80, 68), 50 + 20 * np.sin(np.arange(68))], axis=1)


def put(folder, name: str, points: np.ndarray | str | None = SHAPE, colour: int | None = None) -> None:
    """A picture and its points; each is of another colour, unless one is given."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = colour if colour is not None else int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
    Image.new("RGB", (100, 100), (shade >> 16 & 255, shade >> 8 & 255, shade & 255)).save(path)
    if points is not None:
        path.with_suffix(".pts").write_text(points if isinstance(points, str) else pts.text_of(points))


def files_of(folder) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def read(folder) -> Listing:
    files = files_of(folder)
    assert datasets.recognise(folder, files) == "300w"
    return ibug.read(folder, files)


def reasons(listing: Listing) -> dict[str, str]:
    return {item.file: item.reason for item in listing.skipped}


def test_points_are_those_of_the_file_and_the_region_is_about_them(tmp_path):
    put(tmp_path, "helen/trainset/1_1.png", "version: 1\nn_points: 68\n{\n" + "1 1\n" * 67 + "3.5 9\n}")
    (entry,) = read(tmp_path).entries
    region = entry.regions["full"]
    assert (region.points[:2], region.points[-2:]) == ((0.5, 0.5), (3.0, 8.5))
    assert (region.point_set, region.box, region.about_points) == ("points68", (), True)


def test_the_usual_folders_have_parts_and_subsets(tmp_path):
    expected = {
        "afw/1_1.png": ("train", "train"),
        "helen/trainset/2_1.png": ("train", "train"),
        "lfpw/trainset/image_0001.png": ("train", "train"),
        "helen/testset/3_1.png": ("test", "common"),
        "lfpw/testset/image_0001.png": ("test", "common"),
        "ibug/image_003_1.png": ("test", "challenging"),
        "300W/01_Indoor/indoor_001.png": ("test", "indoor"),
        "300W/02_Outdoor/outdoor_001.png": ("test", "outdoor"),
    }
    for name in expected:
        put(tmp_path, name)
    listing = read(tmp_path)
    assert not listing.skipped
    assert expected == {
        entry.file: (entry.fold, entry.regions["full"].attributes["subset"]) for entry in listing.entries
    }
    assert len({entry.subject_id for entry in listing.entries}) == len(expected)


def test_the_folder_itself_may_be_one_of_the_usual_ones(tmp_path):
    for name in ("trainset/1.png", "testset/2.png"):
        put(tmp_path / "LFPW", name)
    assert [entry.fold for entry in read(tmp_path / "LFPW").entries] == ["test", "train"]


def test_one_part_alone_is_none(tmp_path):
    put(tmp_path, "helen/trainset/1.png")
    put(tmp_path, "afw/2.png")
    put(tmp_path, "mine/3.png")
    assert {entry.fold for entry in read(tmp_path).entries} == {""}


def test_other_folders_have_neither_and_every_picture_is_a_subject(tmp_path):
    put(tmp_path, "mine/face_1.jpg")
    put(tmp_path, "mine/face_2.jpg")
    listing = read(tmp_path)
    assert [(entry.subject_id, entry.fold) for entry in listing.entries] == [
        ("mine/face_1.jpg", ""),
        ("mine/face_2.jpg", ""),
    ]
    assert all(entry.regions["full"].attributes == {} for entry in listing.entries)


def test_a_picture_that_is_there_for_each_of_its_faces_is_one_with_regions(tmp_path):
    put(tmp_path, "afw/77_1.png", SHAPE, colour=7)
    put(tmp_path, "afw/77_2.png", SHAPE + 5, colour=7)
    put(tmp_path, "afw/77_3.png", SHAPE + 5, colour=7)
    put(tmp_path, "afw/78_1.png", SHAPE)
    listing = read(tmp_path)
    assert [(entry.file, list(entry.regions)) for entry in listing.entries] == [
        ("afw/77_1.png", ["1", "2"]),
        ("afw/78_1.png", ["full"]),
    ]
    assert reasons(listing) == {"afw/77_3.png": "duplicate: the same face is in afw/77_1.png"}


def test_mirrored_copies_and_faces_of_one_picture_are_one_subject(tmp_path):
    names = ("helen/trainset/99_1.png", "helen/trainset/99_1_mirror.png", "helen/trainset/99_2.png")
    for name in (*names, "lfpw/trainset/image_0001.png", "lfpw/trainset/image_0002.png"):
        put(tmp_path, name)
    subjects = {entry.file: entry.subject_id for entry in read(tmp_path).entries}
    assert {subjects[name] for name in names} == {"helen/trainset/99"}
    assert len(set(subjects.values())) == 3


def test_a_picture_of_the_test_part_is_not_for_training(tmp_path):
    put(tmp_path, "afw/1_1.png", SHAPE, colour=7)
    put(tmp_path, "ibug/image_001.png", SHAPE + 5, colour=7)
    put(tmp_path, "afw/2_1.png")
    listing = read(tmp_path)
    assert {entry.file: entry.fold for entry in listing.entries} == {
        "ibug/image_001.png": "test",
        "afw/2_1.png": "train",
    }
    assert reasons(listing) == {"afw/1_1.png": "dropped: a face of the same picture is in the test part"}


@pytest.mark.parametrize("count", [98, 29])
def test_other_sets_of_points_are_those_sets(tmp_path, count):
    put(tmp_path, "a.png", np.resize(SHAPE, (count, 2)))
    assert read(tmp_path).entries[0].regions["full"].point_set == f"points{count}"


GOOD = pts.text_of(SHAPE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable: b.pts, no list of points"),
        (GOOD[: len(GOOD) // 2], "unreadable: b.pts, no list of points"),
        (
            GOOD.replace("n_points: 68", "n_points: 67"),
            "unreadable: b.pts, 136 coordinates, expected two for each of 67",
        ),
        (pts.text_of(SHAPE[:51]), "unknown points: b.pts, 51 of them, expected 68, 98 or 29"),
        (pts.text_of(SHAPE[:0]), "unknown points: b.pts, 0 of them"),
        (GOOD.replace("20.500", "nan"), "unreadable: b.pts, 'nan' is no coordinate"),
        (GOOD.replace("20.500", "left"), "unreadable: b.pts, 'left' is no coordinate"),
        ("\udcff", "unreadable: b.pts, it is no text"),
    ],
)
def test_a_picture_with_damaged_points_is_skipped_with_the_reason(tmp_path, text, reason):
    put(tmp_path, "a.png")
    put(tmp_path, "b.png", None)
    (tmp_path / "b.pts").write_bytes(text.encode(errors="surrogateescape"))
    listing = read(tmp_path)
    assert [entry.file for entry in listing.entries] == ["a.png"]
    assert reasons(listing)["b.png"].startswith(reason)


def test_pictures_and_points_without_the_other_are_named(tmp_path):
    for name in ("a.png", "c.png"):
        put(tmp_path, name)
    put(tmp_path, "b.png", None)
    (tmp_path / "c.png").rename(tmp_path / "d.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    found = {file: reason.partition(":")[0] for file, reason in reasons(read(tmp_path)).items()}
    assert found == {"a.png": "contradiction", "b.png": "no points", "c.pts": "missing", "d.png": "no points"}


@pytest.mark.parametrize("kind", specials.KINDS)
def test_points_that_are_no_file_are_skipped(tmp_path, kind):
    put(tmp_path, "a.png", None)
    specials.put(tmp_path / "a.pts", kind)
    with specials.within(5):
        (item,) = ibug.read(tmp_path, {"a.png": "", "a.pts": ""}).skipped
    assert (item.file, item.reason) == ("a.png", f"not a file: a.pts, it is {kind}")


def test_classes_of_folders_go_before_points(tmp_path):
    put(tmp_path, "pain/a.png")
    put(tmp_path, "no_pain/b.png")
    assert datasets.recognise(tmp_path, files_of(tmp_path)) == "folders"
