"""A table of results is whole at any moment, whatever is written; a folder is filled by one process at a time."""

from __future__ import annotations

import csv
import errno
import math
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts import arrays, results
from pipeline.artifacts.suffixes import printable
from pipeline.errors import DataError

COLUMNS = ("file", "face", "probability", "reason")
# Whatever a name or a library's message may hold, also what is no UTF-8 as os.fsdecode keeps it.
TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\udc80\udcff\r\n\x00\u2028\",;'\\")), max_size=20)


@given(st.lists(st.tuples(TEXT, st.none() | st.integers(), st.none() | st.floats(), TEXT), max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with results.Table(path, COLUMNS) as table:
        for row in rows:
            table.add({name: value for name, value in zip(COLUMNS, row, strict=True) if value is not None})
    with path.open(newline="", encoding="utf-8") as file:
        header, *read = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert len(path.read_bytes().splitlines()) == 1 + len(rows)
    for fields, (name, face, probability, reason) in zip(read, rows, strict=True):
        assert fields[:2] + fields[3:] == [printable(name), "" if face is None else str(face), printable(reason)]
        missing = probability is None or math.isnan(probability)
        assert missing if fields[2] == "" else math.isclose(float(fields[2]), probability, rel_tol=1e-8)


def test_a_row_is_on_disk_when_it_has_been_added(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("an earlier, longer table\n" * 10)
    with results.Table(path, COLUMNS) as table:
        assert path.read_text() == "file,face,probability,reason\n"
        table.add({"file": "007.png", "face": 1, "probability": 0.25})
        [row] = arrays.read_table(path).to_dict("records")
    assert (row["file"], row["face"], row["probability"]) == ("007.png", 1, 0.25)
    assert math.isnan(row["reason"])


class NearlyFull:
    """A file on a disk that takes 10 more bytes."""

    def __init__(self, file):
        self._file, self._left = file, 10

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, content):
        if not self._left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._file.write(content[: self._left])
        self._left -= taken
        return taken


def test_half_a_row_is_taken_back_when_the_disk_is_full(tmp_path):
    with results.Table(tmp_path / "table.csv", COLUMNS) as table:
        table.add({"file": "one.png"})
        before = (tmp_path / "table.csv").read_bytes()
        table._file = NearlyFull(table._file)
        with pytest.raises(OSError, match="No space left"):
            table.add({"file": "two.png", "reason": "long"})
    assert (tmp_path / "table.csv").read_bytes() == before


OTHERS = {"folder": Path.mkdir, "pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/null")}


@pytest.mark.parametrize("kind", OTHERS)
def test_something_else_in_place_of_the_table_is_said(kind, tmp_path):
    OTHERS[kind](tmp_path / "table.csv")
    with pytest.raises(DataError, match=r"table\.csv must be a file"):
        results.Table(tmp_path / "table.csv", COLUMNS)


def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "out").touch()
    for folder in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(DataError, match=r"OUT=.*must be a folder"), results.filling(folder):
            pass


def test_a_folder_is_filled_by_one_at_a_time(tmp_path, caplog):
    order = []

    def second():
        with results.filling(tmp_path / "out"):
            order.append("second")

    with results.filling(tmp_path / "out"):
        thread = threading.Thread(target=second)
        thread.start()
        while "waiting for it" not in caplog.text:
            thread.join(0.01)
            assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not list((tmp_path / "out").iterdir())
