"""Raw data: names and contents decide the fingerprint, and an unchanged file is hashed once."""

from __future__ import annotations

import hashlib
import os

import pytest

from pipeline import raw
from pipeline.errors import DataError
from pipeline.raw import HashMemo, RawData


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "b.JPG").write_bytes(b"b")
    (tmp_path / "data" / "sub" / "a.png").write_bytes(b"a")
    (tmp_path / "data" / "README.md").write_text("not data")
    (tmp_path / "data" / ".hidden.png").write_bytes(b"hidden")
    return tmp_path / "data"


def test_files_are_the_pictures_and_tables_in_sorted_order(folder):
    assert RawData(folder).files == {
        "b.JPG": hashlib.sha256(b"b").hexdigest(),
        "sub/a.png": hashlib.sha256(b"a").hexdigest(),
    }


def test_content_and_names_change_the_fingerprint(folder):
    before = RawData(folder).fingerprint
    (folder / "b.JPG").write_bytes(b"c")
    content = RawData(folder).fingerprint
    (folder / "b.JPG").rename(folder / "c.JPG")
    assert len({before, content, RawData(folder).fingerprint}) == 3


def test_where_the_folder_is_does_not_matter(folder):
    before = RawData(folder).fingerprint
    assert RawData(folder.rename(folder.with_name("moved"))).fingerprint == before


def test_a_csv_file_brings_the_files_beside_it(folder):
    (folder / "list.csv").write_text("path,label\n")
    named = RawData(folder / "list.csv")
    assert named.folder == folder
    assert set(named.files) == {"b.JPG", "list.csv", "sub/a.png"}
    assert named.fingerprint != RawData(folder).fingerprint


def test_an_unchanged_file_is_hashed_once(folder, tmp_path, monkeypatch):
    memo = tmp_path / "cache" / ".hashes.json"
    before = RawData(folder, memo).fingerprint
    read = []
    original = raw.sha256
    monkeypatch.setattr(raw, "sha256", lambda path: read.append(path.name) or original(path))
    assert RawData(folder, memo).fingerprint == before
    assert read == []
    (folder / "b.JPG").write_bytes(b"longer")
    RawData(folder, memo).files  # noqa: B018
    assert read == ["b.JPG"]


def test_the_same_size_at_another_time_is_hashed_again(folder, tmp_path):
    memo = tmp_path / "memo.json"
    first = HashMemo(memo)
    before = first.hash(folder / "b.JPG")
    first.save()
    (folder / "b.JPG").write_bytes(b"x")
    os.utime(folder / "b.JPG", ns=(1, 1))
    assert HashMemo(memo).hash(folder / "b.JPG") != before


def test_no_dataset_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="DATA="):
        RawData(tmp_path / "nowhere")
