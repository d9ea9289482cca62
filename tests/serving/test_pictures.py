"""What lies in a folder of the user's: every name that is a picture's is found, and its copy has a name of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.serving import pictures


def listed(source: Path, left_out: Path = Path("nowhere")) -> dict[str, str]:
    """Names with their reasons."""
    return {picture.shown: picture.reason for picture in pictures.find(source, left_out).pictures}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain.jpg", "plain.jpg"),
        (b"caf\xc3\xa9 \xe2\x80\xaf.PNG", "café \u202f.PNG"),
        (b"not utf-8 \xff.jpg", r"not utf-8 \xff.jpg"),
        (b"a\rb\nc\td\x1b.jpg", r"a\x0db\x0ac\x09d\x1b.jpg"),
        (b"back\\slash.jpg", r"back\\slash.jpg"),
        (b"..dots.jpg", "..dots.jpg"),
        (b"...jpg", "...jpg"),
        (b".jpg", ".jpg"),
        (b".hidden.jpg", ".hidden.jpg"),
        (b"-rf.jpg", "-rf.jpg"),
        (b"x" * 251 + b".jpg", "x" * 251 + ".jpg"),
    ],
)
def test_every_name_is_found_and_shown_on_one_line(name, shown, tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/")).mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/" + name, "wb"):
        pass
    assert listed(tmp_path / "in") == {shown: ""}


def test_what_only_bears_the_name_of_a_picture_has_its_reason(tmp_path):
    folder = tmp_path / "in"
    (folder / "folder.jpg").mkdir(parents=True)
    (folder / "folder.jpg" / "inside.jpg").touch()
    os.mkfifo(folder / "pipe.jpg")
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.fspath(folder / "socket.jpg"))
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "gone.jpg").symlink_to("nowhere")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "above").symlink_to("..")
    (folder / "linked.jpg").symlink_to(folder / "folder.jpg" / "inside.jpg")
    os.mkfifo(folder / "pipe without a suffix")
    (folder / "notes.txt").touch()
    found = pictures.find(folder, tmp_path / "out")
    assert {picture.name: picture.reason for picture in found.pictures} == {
        "above": "a link to a folder, which is not followed",
        "device.jpg": "not a file: it is a device",
        "folder.jpg": "not a file: it is a folder",
        "folder.jpg/inside.jpg": "",
        "gone.jpg": "missing: there is no such file",
        "itself.jpg": "unreadable: Too many levels of symbolic links",
        "linked.jpg": "",
        "pipe.jpg": "not a file: it is a pipe",
        "socket.jpg": "not a file: it is a socket",
    }
    assert [picture.name for picture in found.pictures] == sorted(picture.name for picture in found.pictures)
    assert found.others == 1
    server.close()


def test_earlier_results_are_left_out_and_nothing_else(tmp_path):
    for name in ("one.jpg", "out/annotated/one.jpg", "outer/two.jpg", "deep/out/three.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(listed(tmp_path, tmp_path / "out")) == {"one.jpg", "outer/two.jpg", "deep/out/three.jpg"}


@pytest.fixture
def deep(tmp_path):
    """A folder with a picture, and with folders in each other to a depth that has no path any more."""
    (tmp_path / "one.jpg").touch()
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(2100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield tmp_path
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # Python's own way down is a recursion


def test_folders_so_deep_that_no_path_leads_there_are_a_row(deep):
    (folder, reason), one = sorted(listed(deep).items())
    assert one == ("one.jpg", "")
    assert folder.startswith("d/d/d/")
    assert reason == "a folder that cannot be looked through: File name too long"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_an_input_that_is_neither_picture_nor_folder_is_not_opened(make, tmp_path):
    make(tmp_path / "one.jpg")
    with pytest.raises(DataError, match="neither picture nor folder"):
        pictures.find(tmp_path / "one.jpg", tmp_path / "out")


def test_an_input_of_too_many_characters_is_said(tmp_path):
    with pytest.raises(DataError, match="File name too long"):
        pictures.find(tmp_path / ("x" * 300), tmp_path / "out")


PART = st.one_of(
    st.sampled_from(["a.png", "a.png.jpg", "a.jpg", "a.JPG", "é" * 126 + ".png", "é" * 126 + "x.png", "x" * 252]),
    st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=60),
).filter(lambda part: part not in (".", "..") and len(part.encode()) <= 255)
NAMES = st.sets(st.lists(PART, min_size=1, max_size=2).map("/".join), max_size=8)


@given(NAMES)
def test_every_copy_has_a_name_of_its_own_that_a_disk_takes(names):
    copies = [pictures.copy_name(name, names) for name in names]
    assert len(set(copies)) == len(names)
    for name, copy in zip(names, copies, strict=True):
        assert os.path.dirname(copy) == os.path.dirname(name)
        assert len(os.fsencode(os.path.basename(copy))) <= 255
        assert copy.lower().endswith((".jpg", ".jpeg"))
        assert copy == pictures.copy_name(name, names)


@given(NAMES, st.integers(1, 30))
def test_the_points_of_every_face_have_a_name_of_their_own_that_a_disk_takes(names, faces):
    pictures_of = {name if pictures.suffix_of(name) in pictures.PICTURES else f"{name[:200]}.png" for name in names}
    alone = [pictures.points_name(name) for name in pictures_of]
    several = [pictures.points_name(name, face) for name in pictures_of for face in range(1, faces + 1)]
    assert len({*alone, *several}) == len(pictures_of) * (1 + faces)
    for name in pictures_of:
        for points in (pictures.points_name(name), pictures.points_name(name, faces)):
            assert os.path.dirname(points) == os.path.dirname(name)
            assert len(os.fsencode(os.path.basename(points))) <= 255
            assert points.endswith(".pts")


def test_points_bear_the_name_of_their_picture_and_the_number_of_one_of_several_faces():
    assert pictures.points_name("deep/a.png") == "deep/a.png.pts"
    assert pictures.points_name("deep/a.png", 2) == "deep/a.png-2.pts"
    long = pictures.points_name("x" * 251 + ".png", 2)
    assert long.startswith("x" * 230)
    assert long.endswith("-2.pts")
