"""The memory of hashes: what does not verify is hashed anew."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts import hash_memo
from pipeline.artifacts.hash_memo import HashMemo
from tests.helpers import specials

CONTENTS = {"a": b"first", "b": b"second", "c": b""}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in CONTENTS]


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read."""
    names = []
    original = hash_memo.digest
    monkeypatch.setattr(hash_memo, "digest", lambda path, ranges: names.append(path.name) or original(path, ranges))
    return names


def expected() -> list[str]:
    return [hashlib.sha256(content).hexdigest() for content in CONTENTS.values()]


def written(files, path) -> bytes:
    memo = HashMemo(path)
    assert memo.hashes(files, path) == expected()
    memo.save()
    return path.read_bytes()


def test_a_file_is_read_once(files, tmp_path, read):
    written(files, tmp_path / "memo.json")
    assert read == ["a", "b", "c"]
    assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected()
    assert read == ["a", "b", "c"]


def test_the_same_size_at_another_time_is_hashed_again(tmp_path):
    (tmp_path / "a").write_bytes(b"b")
    first = HashMemo(tmp_path / "memo.json")
    before = first.hash(tmp_path / "a")
    first.save()
    (tmp_path / "a").write_bytes(b"x")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert HashMemo(tmp_path / "memo.json").hash(tmp_path / "a") != before


def test_a_flipped_digit_is_not_believed(files, tmp_path, read):
    content = written(files, tmp_path / "memo.json")
    digest = expected()[0].encode()
    assert content.count(digest) == 1
    other = digest[:-1] + (b"0" if digest[-1:] != b"0" else b"1")
    (tmp_path / "memo.json").write_bytes(content.replace(digest, other))
    assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected()
    assert read == ["a", "b", "c"] * 2


def test_no_byte_of_the_memo_can_be_changed_unnoticed(files, tmp_path):
    content = written(files, tmp_path / "memo.json")
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1
        (tmp_path / "memo.json").write_bytes(flipped)
        assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected(), place


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9) | st.just("files"), inner),
)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_else_stands_there_is_forgotten(files, tmp_path, content):
    (tmp_path / "memo.json").write_bytes(content)
    assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected()


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=9), JSON) | JSON)
def test_a_right_checksum_of_wrong_entries_is_forgotten_too(files, tmp_path, entries):
    inner = json.dumps(entries)
    checksum = hashlib.sha256(inner.encode()).hexdigest()
    (tmp_path / "memo.json").write_text(f'{{"checksum":"{checksum}","files":{inner}}}')
    assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected()


@pytest.mark.parametrize("content", ["[" * 10**6, '{"checksum":"' + "0" * 64 + '","files":' + '{"a":' * 10**6])
def test_deep_nesting_is_forgotten(files, tmp_path, content):
    (tmp_path / "memo.json").write_text(content)
    with specials.within(10):
        written(files, tmp_path / "memo.json")


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device"])
def test_what_is_no_file_is_replaced(files, tmp_path, kind, read):
    specials.put(tmp_path / "memo.json", kind)
    with specials.within(10):
        written(files, tmp_path / "memo.json")
    assert HashMemo(tmp_path / "memo.json").hashes(files, tmp_path) == expected()
    assert read == ["a", "b", "c"]


def test_a_folder_in_its_place_stays_and_is_said(files, tmp_path, caplog):
    (tmp_path / "memo.json").mkdir()
    (tmp_path / "memo.json" / "mine").write_text("kept")
    memo = HashMemo(tmp_path / "memo.json")
    assert memo.hashes(files, tmp_path) == expected()
    with caplog.at_level(logging.WARNING):
        memo.save()
    assert [record.getMessage().splitlines() for record in caplog.records] == [[caplog.messages[0]]]
    assert "memo.json cannot be written (Is a directory)" in caplog.text
    assert (tmp_path / "memo.json" / "mine").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["memo.json"]


def test_the_draft_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(files, tmp_path):
    for process in (2**22 + 1, os.getppid()):  # beyond the largest id that Linux gives
        (tmp_path / f"memo.json.{process}").write_text("half")
    written(files, tmp_path / "memo.json")
    assert {path.name for path in tmp_path.iterdir()} == {"memo.json", f"memo.json.{os.getppid()}"}


def test_what_cannot_be_read_has_no_hash_but_too_few_descriptors_are_an_error(files, tmp_path, monkeypatch):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with specials.within(5):
        assert HashMemo(None).hashes([tmp_path / "gone", tmp_path / "pipe", tmp_path], tmp_path) == ["", "", ""]

    def refuse(number):
        def digest(path, ranges):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(hash_memo, "digest", digest)

    refuse(errno.EACCES)
    assert HashMemo(None).hash(files[0]) == ""
    refuse(errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        HashMemo(None).hash(files[0])


def test_a_file_that_grows_meanwhile_is_not_remembered(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    original = hash_memo.digest

    def growing(path, ranges):
        with path.open("ab") as file:
            file.write(b"more")
        return original(path, ranges)

    memo = HashMemo(tmp_path / "memo.json")
    monkeypatch.setattr(hash_memo, "digest", growing)
    assert memo.hash(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    monkeypatch.setattr(hash_memo, "digest", original)
    assert memo.hash(tmp_path / "a") == hashlib.sha256(b"abcmore").hexdigest()


def test_much_to_read_is_said_once(files, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(hash_memo, "MANY_FILES", 2)
    memo = HashMemo(tmp_path / "memo.json")
    with caplog.at_level(logging.INFO):
        memo.hashes(files, tmp_path / "faces")
        assert f"reading 3 files, 0.0 GB, of {tmp_path / 'faces'}" in caplog.text
        caplog.clear()
        memo.hashes(files, tmp_path / "faces")
    assert caplog.text == ""


def test_an_endless_pseudo_file_ends(tmp_path):
    (tmp_path / "log.txt").symlink_to("/proc/kmsg")  # a regular file of 0 bytes whose reader waits
    start = time.monotonic()
    with specials.within(10):
        HashMemo(None).hash(tmp_path / "log.txt")
    assert time.monotonic() - start < 5
