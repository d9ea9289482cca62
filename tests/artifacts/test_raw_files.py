"""One file of raw data: opened only if it is one."""

from __future__ import annotations

import errno
import os

import pytest

from pipeline.artifacts import raw_files
from pipeline.artifacts.raw_files import open_raw
from pipeline.errors import DataError
from tests.helpers import specials


def test_a_file_is_opened_with_its_size(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    file, size = open_raw(tmp_path / "a")
    with file:
        assert (file.read(), size) == (b"abc", 3)


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_named_and_not_opened(tmp_path, kind, monkeypatch):
    path = specials.put(tmp_path / "a.jpg", kind)
    monkeypatch.setattr(raw_files, "open_regular", lambda path: pytest.fail("it was opened"))
    with specials.within(5), pytest.raises(DataError, match=f"not a file: it is {kind}"):
        open_raw(path)


def test_a_ring_of_links_a_missing_file_and_one_that_is_too_large_are_refused(tmp_path):
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    with pytest.raises(DataError, match="unreadable: Too many levels of symbolic links"):
        open_raw(tmp_path / "ring")
    with pytest.raises(DataError, match="missing"):
        open_raw(tmp_path / "none")
    with pytest.raises(DataError, match="unreadable: File name too long"):
        open_raw(tmp_path / ("n" * 300))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(DataError, match="too large: 1,073,741,825 bytes, at most 1,073,741,824"):
        open_raw(tmp_path / "large")


def test_too_few_descriptors_are_no_fault_of_the_file(tmp_path, monkeypatch):
    def refuse(path):
        raise OSError(errno.EMFILE, "Too many open files", os.fspath(path))

    (tmp_path / "a").write_bytes(b"abc")
    monkeypatch.setattr(raw_files, "open_regular", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        open_raw(tmp_path / "a")
