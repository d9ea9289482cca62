"""What INPUT= may name: patterns, lists, videos, cameras; each thing once and under a name of its own."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.serving import pictures, sources


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.png", "c.mp4", "notes.md", "deep/d.JPG", "deep/e.webm", "out/annotated/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def named(source, folder):
    return [(found.name, found.moves) for found in sources.find(source, folder / "out").pictures]


def test_a_folder_has_pictures_and_videos(folder):
    there = [("a.jpg", False), ("b.png", False), ("c.mp4", True), ("deep/d.JPG", False), ("deep/e.webm", True)]
    assert named(folder, folder) == there


def test_a_pattern_at_one_depth_or_any(folder):
    assert named(folder / "*.jpg", folder) == [("a.jpg", False)]
    assert named(folder / "**" / "*.[jJ][pP][gG]", folder) == [("a.jpg", False), ("deep/d.JPG", False)]
    assert sources.find(folder / "*", folder / "out").others == 1


@pytest.mark.parametrize(("pattern", "reason"), [("*.gone", "matches 0 files"), ("*.md", "matches 1 files")])
def test_a_pattern_of_nothing_is_said(folder, pattern, reason):
    with pytest.raises(DataError, match=reason):
        sources.find(folder / pattern, folder / "out")


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder):
    (folder / "[a].jpg").touch()
    assert named(folder / "[a].jpg", folder) == [("[a].jpg", False)]


def test_a_list_has_a_path_a_line_from_its_own_folder(folder):
    lines = ["a.jpg", "", str(folder / "deep" / "e.webm"), "a.jpg", " gone.png ", "deep"]
    (folder / "list.txt").write_text("\ufeff" + "\r\n".join(lines))
    found = sources.find(folder / "list.txt", folder / "out").pictures
    assert [(picture.name, picture.reason) for picture in found] == [
        ("a.jpg", ""),
        ("deep/e.webm", ""),
        ("gone.png", "missing: there is no such file"),
        ("deep", "not a file: it is a folder"),
    ]


@pytest.mark.parametrize(("content", "reason"), [(b"\n\n", "lists nothing"), (b"a\0b", "no list of paths")])
def test_a_list_that_is_none_is_said(tmp_path, content, reason):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        sources.find(tmp_path / "list.txt", tmp_path / "out")


def test_a_camera_by_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "DEVICES", tmp_path)
    (tmp_path / "video2").touch()
    (camera,) = sources.find("2", tmp_path / "out").pictures
    assert (camera.path, camera.name, camera.moves) == (tmp_path / "video2", "camera-2", True)
    with pytest.raises(DataError, match=r"There is no camera 7: no .*video7\. Cameras here: 2\."):
        sources.find("7", tmp_path / "out")


def test_the_copies_of_videos_have_names_of_their_own():
    names = {"a.mp4", "a.mov", "b.avi", "b", "c.mkv", "d.jpg"}
    copies = [pictures.video_name(name, names) for name in ("a.mp4", "a.mov", "b.avi", "c.mkv")]
    assert copies == ["a.mp4", "a.mov.mp4", "b.avi.mp4", "c.mp4"]
