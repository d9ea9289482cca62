"""The record of an artifact: whatever does not verify is one line with a remedy, and never hangs."""

from __future__ import annotations

import json
import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts.record import RECORD, checksum_of, fingerprint_of, read_record, write_record
from pipeline.errors import ArtifactError
from tests.helpers import records

IDENTITY = {"stage": "align", "version": 3, "config": {"face_size": 256, "margin": 0.25}, "inputs": {"raw": "a" * 64}}
WHOLE = {
    "slug": "inputs",
    "fingerprint": fingerprint_of(IDENTITY),
    **IDENTITY,
    "fingerprinted": IDENTITY["config"],
    "files": {"tables/faces.csv": {"bytes": 9, "sha256": "b" * 64}},
    "summary": {"counts": {"rows": 2}, "skipped": [{"file": "\udcff.jpg", "reason": "é"}], "loss": float("nan")},
    "packages": {"python": "3.11.2"},
    "made": "2026-01-01T00:00:00",
    "duration_s": 1.5,
}
DEEP = "[" * 100_000 + "]" * 100_000


def refused(folder):
    with pytest.raises(ArtifactError, match=r"no readable record\.json \(.+\)\. Remove it.*: rm -r ") as error:
        read_record(folder)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 600 + len(str(folder))


def test_what_is_written_is_read_back_to_the_last_character(tmp_path):
    write_record(tmp_path, WHOLE)
    read = read_record(tmp_path)
    assert json.dumps(read, sort_keys=True) == json.dumps(WHOLE | {"checksum": checksum_of(WHOLE)}, sort_keys=True)


def test_a_record_of_another_format_belongs_to_another_fingerprint(tmp_path, monkeypatch):
    """So artifacts of an earlier program are not taken for damaged ones of this."""
    monkeypatch.setattr("pipeline.artifacts.record.FORMAT", 1)
    assert fingerprint_of(IDENTITY) != WHOLE["fingerprint"]


def test_a_record_that_could_not_be_read_back_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="no name of a file"):
        write_record(tmp_path, WHOLE | {"files": {"../a": {"bytes": 1, "sha256": "b" * 64}}})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"7", b'{"files": {}}', b"\xe9", DEEP.encode(), b"\x00" * 99]
)
def test_a_text_that_is_no_record(tmp_path, content):
    (tmp_path / RECORD).write_bytes(content)
    refused(tmp_path)


@pytest.mark.parametrize("place", [30, 200, 500, -40])
def test_one_flipped_bit_anywhere(tmp_path, place):
    write_record(tmp_path, WHOLE)
    content = bytearray((tmp_path / RECORD).read_bytes())
    content[place] ^= 1
    (tmp_path / RECORD).write_bytes(content)
    refused(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in WHOLE),
        *({name: []} for name in WHOLE),
        *({name: "x"} for name in ("config", "inputs", "files", "summary", "packages", "duration_s", "version")),
        {"version": -1},
        {"version": 10**30},
        {"duration_s": float("nan")},
        {"duration_s": float("inf")},
        {"fingerprint": "A" * 64},
        {"fingerprint": "c" * 64},
        {"version": 4},  # sealed, but another version's fingerprint
        {"inputs": {"raw": "d" * 64}},
        {"slug": "x" * 10_000},
        {"more": 1},
    ],
    ids=str,
)
def test_a_sealed_record_whose_parts_are_of_the_wrong_kind(tmp_path, change):
    records.seal(tmp_path, WHOLE | change)
    refused(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "/etc/passwd", "a//b", "a/../../b", "a/", "a\nb", "\ud800", "\udcff", "x" * 256]
    + ["x/" * 600 + "x", "record.json", "a\x00"],
    ids=ascii,
)
def test_names_of_files_that_are_not_below_the_folder(tmp_path, name):
    records.seal(tmp_path, WHOLE | {"files": {name: {"bytes": 1, "sha256": "b" * 64}}})
    refused(tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"bytes": 1},
        {"bytes": 1, "sha256": ""},
        {"bytes": -1, "sha256": "b" * 64},
        {"bytes": 1.5, "sha256": "b" * 64},
        {"bytes": True, "sha256": "b" * 64},
        {"bytes": 9, "sha256": "b" * 64, "ranges": None},
        {"bytes": 9, "sha256": "b" * 64, "ranges": [[0]]},
        {"bytes": 9, "sha256": "b" * 64, "ranges": [[5, 3]]},
        {"bytes": 9, "sha256": "b" * 64, "ranges": [[4, 6], [0, 2]]},
        {"bytes": 9, "sha256": "b" * 64, "ranges": [[0, 10**6]]},
    ],
    ids=str,
)
def test_entries_of_files_that_say_nothing(tmp_path, entry):
    records.seal(tmp_path, WHOLE | {"files": {"inputs.h5": entry}})
    refused(tmp_path)


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)], ids=["fifo", "folder", "ring"]
)
def test_what_is_no_file_is_said_at_once(tmp_path, make):
    make(tmp_path / RECORD)
    refused(tmp_path)


def test_a_folder_that_is_a_file_or_absent(tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file")
    refused(tmp_path / "absent")


def test_no_more_is_read_than_a_record_may_have(tmp_path, monkeypatch):
    write_record(tmp_path, WHOLE)
    monkeypatch.setattr("pipeline.artifacts.record.MOST_BYTES", 100)
    refused(tmp_path)


def test_a_full_table_of_descriptors_is_no_damage(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(24, "Too many open files")

    write_record(tmp_path, WHOLE)
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many open files"):
        read_record(tmp_path)


SEALED = WHOLE | {"checksum": checksum_of(WHOLE)}


def kind(value):
    return float if type(value) is int else dict if isinstance(value, dict) else type(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(WHOLE)), value=JSON)
def test_any_value_anywhere_is_refused_or_true_to_the_schema(tmp_path, name, value):
    records.seal(tmp_path, WHOLE | {name: value})
    try:
        record = read_record(tmp_path)
    except ArtifactError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
    else:
        assert {key: kind(field) for key, field in record.items()} == {
            key: kind(field) for key, field in SEALED.items()
        }


def test_numbers_of_thousands_of_digits(tmp_path):
    write_record(tmp_path, WHOLE)
    text = (
        (tmp_path / RECORD)
        .read_text()
        .replace('"version": 3', f'"version": {"9" * (sys.get_int_max_str_digits() + 1)}')
    )
    (tmp_path / RECORD).write_text(text)
    refused(tmp_path)
