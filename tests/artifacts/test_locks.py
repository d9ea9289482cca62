"""Locks between processes: the second waits, and is told for whom; a killed holder leaves nothing behind."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading

import pytest

from pipeline.artifacts import locks
from pipeline.artifacts.locks import hold, holder
from pipeline.errors import ArtifactError
from tests.helpers.locks import HOLD


def start_holder(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_waits_and_names_the_first(tmp_path, caplog):
    path = tmp_path / "faces.lock"
    process = start_holder(path)
    assert f"process {process.pid}" in holder(path)
    threading.Timer(0.3, process.kill).start()
    with caplog.at_level(logging.WARNING), hold(path, "faces"):
        assert process.wait(timeout=5) == -9
    assert f"faces is being made by process {process.pid}" in caplog.text


def test_an_error_inside_is_the_callers_own(tmp_path):
    with pytest.raises(FileNotFoundError), hold(tmp_path / "a.lock", "a"):
        (tmp_path / "absent").read_text()


def test_a_lock_that_is_removed_while_somebody_waits_is_made_anew(tmp_path):
    """Two processes must never hold two files under one name."""
    path, taken = tmp_path / "faces.lock", threading.Event()

    def wait():
        with hold(path, "faces"):
            assert holder(path)
            taken.set()

    with hold(path, "faces"):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not taken.wait(0.3)
        path.unlink()
    thread.join(10)
    assert taken.is_set()
    assert path.exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_lock_file_is_said_at_once(tmp_path, make):
    make(tmp_path / "faces.lock")
    for use in (holder, lambda path: hold(path, "faces").__enter__()):
        with pytest.raises(ArtifactError, match=r"faces\.lock must be a lock file.* Remove it: rm -r "):
            use(tmp_path / "faces.lock")


def test_on_a_full_disk_a_lock_is_held_without_a_name(tmp_path, monkeypatch):
    """Space is made under a lock too."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(locks, "write", full)
    with hold(tmp_path / "faces.lock", "faces"):
        assert holder(tmp_path / "faces.lock") == "another process"


def test_nobody_holds_a_lock_that_was_left_or_never_taken(tmp_path):
    path = tmp_path / "faces.lock"
    assert holder(path) == ""
    with hold(path, "faces"):
        pass
    assert holder(path) == ""
