"""Raw data: names and contents decide the fingerprint, and an unchanged file is hashed once."""

from __future__ import annotations

import hashlib
import os

import pytest

from pipeline.artifacts import raw_data
from pipeline.artifacts.raw_data import HashMemo, RawData
from pipeline.errors import DataError


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


@pytest.mark.parametrize("name", ["list.csv", "list.tsv"])
def test_a_table_brings_the_pictures_that_it_names_and_no_others(folder, name):
    tab = {"list.csv": ",", "list.tsv": "\t"}[name]
    cells = [("path", "label"), ("./sub/a.png", "1"), ("gone.png", "0"), ("../x.png", "0")]
    (folder / name).write_text("\n".join(map(tab.join, cells)))
    named = RawData(folder / name)
    assert named.folder == folder
    assert set(named.files) == {name, "sub/a.png"}
    (folder / "result.png").write_bytes(b"not of the dataset")
    assert RawData(folder / name).fingerprint == named.fingerprint
    (folder / name).write_text((folder / name).read_text().replace("1", "0"))
    assert RawData(folder / name).fingerprint != named.fingerprint


def test_linked_folders_belong_to_the_dataset_and_a_circle_ends(folder, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "pain").symlink_to(folder)
    (folder / "sub" / "up").symlink_to(tmp_path / "links")
    assert set(RawData(tmp_path / "links").files) == {"pain/b.JPG", "pain/sub/a.png"}


def test_a_cache_inside_the_folder_is_no_data(folder):
    before = RawData(folder).files
    (folder / "cache" / "data").mkdir(parents=True)
    (folder / "cache" / "data" / "roc.png").write_bytes(b"figure")
    assert RawData(folder, folder / "cache" / "data" / ".hashes.json").files == before


def test_a_link_to_nowhere_is_listed_without_a_hash(folder):
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    assert RawData(folder).files["gone.jpg"] == ""


def test_a_picture_is_no_dataset(folder):
    with pytest.raises(DataError, match="neither a folder nor a CSV file"):
        RawData(folder / "b.JPG")


def test_an_unchanged_file_is_hashed_once(folder, tmp_path, monkeypatch):
    memo = tmp_path / "cache" / ".hashes.json"
    before = RawData(folder, memo).fingerprint
    read = []
    original = raw_data.sha256
    monkeypatch.setattr(raw_data, "sha256", lambda path: read.append(path.name) or original(path))
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


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_memo_is_forgotten(folder, tmp_path, content):
    (tmp_path / "memo").mkdir()
    (tmp_path / "memo" / "hashes.json").write_text(content)
    assert RawData(folder, tmp_path / "memo" / "hashes.json").files == RawData(folder).files


def test_no_dataset_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="DATA="):
        RawData(tmp_path / "nowhere")
