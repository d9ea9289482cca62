"""A file is there whole or not at all."""

from __future__ import annotations

import os

import pytest

from pipeline.artifacts.atomic import replacing, tidy


def test_the_draft_takes_the_files_place_when_all_went_well(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        half_written(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_pipe_and_a_link_in_the_place_of_a_file_go(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "kept.txt").write_text("kept")
    os.mkfifo(tmp_path / "figures" / "a.png")
    (tmp_path / "figures" / "b.png").symlink_to(tmp_path / "kept.txt")
    (tmp_path / "figures" / "c.png").symlink_to("c.png")
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["figures", "kept.txt"]


def test_drafts_of_a_killed_process_go_wherever_they_lie(tmp_path):
    (tmp_path / "tables").mkdir()
    for name in ("a.txt.draft", "tables/b.csv.draft", "tables/b.csv"):
        (tmp_path / name).write_text("")
    tidy(tmp_path)
    assert [file.name for file in tmp_path.rglob("*.*")] == ["b.csv"]


def half_written(path):
    with replacing(path) as draft:
        draft.write_text("ne")
        raise OSError("the disk is full")
