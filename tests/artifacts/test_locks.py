"""Locks between processes: the second waits, and is told for whom; a killed holder leaves nothing behind."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

from pipeline.artifacts.locks import hold, holder
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


def test_nobody_holds_a_lock_that_was_left_or_never_taken(tmp_path):
    path = tmp_path / "faces.lock"
    assert holder(path) == ""
    with hold(path, "faces"):
        pass
    assert holder(path) == ""
