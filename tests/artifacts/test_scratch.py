"""Temporary files of a stage lie in its partial folder, and go with it or before."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.artifacts.scratch import SCRATCH, VARIABLES, scratch


def places():
    return {name: os.environ.get(name) for name in VARIABLES}, tempfile.tempdir


def test_this_process_and_those_it_starts_make_their_files_there(tmp_path):
    with scratch(tmp_path) as folder:
        assert folder == tmp_path / SCRATCH
        assert tempfile.gettempdir() == str(folder)
        assert os.environ["JOBLIB_TEMP_FOLDER"] == str(folder)
        program = [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"]
        made = subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()
        assert os.path.dirname(made) == str(folder)
    assert list(tmp_path.iterdir()) == []


def test_all_is_as_before_and_nothing_is_left_also_after_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.delenv("JOBLIB_TEMP_FOLDER", raising=False)
    before = places()
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert places() == before
    assert list(tmp_path.iterdir()) == []


def interrupted(folder):
    with scratch(folder):
        tempfile.mkdtemp()
        raise KeyboardInterrupt


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, Path.touch, lambda path: path.symlink_to("/tmp")])
def test_what_a_killed_run_left_goes_first(tmp_path, make):
    make(tmp_path / SCRATCH)
    with scratch(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        assert not folder.is_symlink()


def test_a_relative_folder_stays_the_same_wherever_the_process_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "partial").mkdir()
    with scratch(Path("partial")):
        monkeypatch.chdir("/")
        tempfile.mkdtemp()
    assert list((tmp_path / "partial").iterdir()) == []
