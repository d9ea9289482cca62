"""Raw data: names and contents decide the fingerprint, and an unchanged file is hashed once."""

from __future__ import annotations

import errno
import hashlib
import logging
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts import hash_memo, raw_data
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.suffixes import escaped
from pipeline.errors import DataError
from tests.helpers import specials


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
    original = hash_memo.digest
    monkeypatch.setattr(hash_memo, "digest", lambda path, ranges: read.append(path.name) or original(path, ranges))
    assert RawData(folder, memo).fingerprint == before
    assert read == []
    (folder / "b.JPG").write_bytes(b"longer")
    RawData(folder, memo).files  # noqa: B018
    assert read == ["b.JPG"]


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_memo_is_forgotten(folder, tmp_path, content):
    (tmp_path / "memo").mkdir()
    (tmp_path / "memo" / "hashes.json").write_text(content)
    assert RawData(folder, tmp_path / "memo" / "hashes.json").files == RawData(folder).files


def test_no_dataset_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="DATA="):
        RawData(tmp_path / "nowhere")


@pytest.mark.parametrize("data", ["", " ", "\t"])
def test_an_empty_text_is_no_dataset(data):
    with pytest.raises(DataError, match="DATA= is empty"):
        RawData.of(data)


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device"])
def test_what_is_no_file_is_listed_without_being_opened(folder, kind):
    specials.put(folder / "x.jpg", kind)
    specials.put(folder / "sub" / "truth.csv", kind)
    with specials.within(5):
        files = RawData(folder).files
    assert (files["x.jpg"], files["sub/truth.csv"]) == ("", "")


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device"])
def test_what_is_no_file_is_no_table(tmp_path, kind):
    specials.put(tmp_path / "faces.csv", kind)
    with specials.within(5), pytest.raises(DataError, match="neither a folder nor a CSV file"):
        RawData(tmp_path / "faces.csv")


def test_a_folder_may_be_named_like_a_table(folder):
    assert set(RawData(folder.rename(folder.with_name("d.csv"))).files) == {"b.JPG", "sub/a.png"}


def test_a_ring_of_links_is_listed_without_a_hash(folder):
    (folder / "ring.jpg").symlink_to(folder / "ring.jpg")
    (folder / "ring").symlink_to(folder / "ring")
    assert RawData(folder).files["ring.jpg"] == ""


def test_names_that_cannot_be_used_are_left_out_and_named(folder):
    for name in (b"a\xff.jpg", b"a\r.jpg", b"a\n.csv", b"..dots.jpg", b"...jpg", b".x.csv", b"._b.JPG", b".DS_Store"):
        (folder / os.fsdecode(name)).write_bytes(b"data")
    (folder / "c\x1b").mkdir()
    (folder / "c\x1b" / "d.png").write_bytes(b"data")
    data = RawData(folder)
    assert set(data.files) == {"b.JPG", "sub/a.png"}
    assert data.omitted == {
        "a\\xff.jpg": "name: it is not UTF-8 text. Rename what bears it",
        **dict.fromkeys(
            ("a\\x0d.jpg", "a\\x0a.csv", "c\\x1b/d.png"), "name: it holds a control character. Rename what bears it"
        ),
        **dict.fromkeys(("..dots.jpg", "...jpg", ".hidden.png"), "hidden: its name begins with a dot"),
    }


def test_what_is_left_out_changes_the_fingerprint_as_it_changes_what_is_told(folder):
    before = RawData(folder).fingerprint
    (folder / "a\r.jpg").write_bytes(b"data")
    assert RawData(folder).fingerprint != before


def test_a_folder_that_cannot_be_listed_is_named(folder, monkeypatch):
    scandir = os.scandir

    def refuse(number):
        def refusing(path):
            if path.endswith("sub"):
                raise OSError(number, os.strerror(number), path)
            return scandir(path)

        monkeypatch.setattr(raw_data.os, "scandir", refusing)

    refuse(errno.EACCES)
    data = RawData(folder)
    assert set(data.files) == {"b.JPG"}
    assert data.omitted["sub"] == "unreadable folder: Permission denied"
    refuse(errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        RawData(folder).files  # noqa: B018


def test_folders_deeper_than_a_path_may_be_long_end(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    with specials.within(20):
        data = RawData(folder)
        assert set(data.files) == {"b.JPG", "sub/a.png"}
    assert [reason for reason in data.omitted.values() if "File name too long" in reason]
    monkeypatch.chdir(folder)


def test_more_files_than_allowed_are_an_error_that_says_where_and_how_to_allow_more(folder):
    assert len(RawData(folder, max_files=5).files) == 2  # two pictures, a note, a hidden one and a folder
    with pytest.raises(DataError, match=r"data has more than 4 files and folders.*MAX_FILES="):
        RawData(folder, max_files=4).files  # noqa: B018
    with pytest.raises(DataError, match="more than 4 files"):
        RawData.of(f"{folder},{folder / 'sub'}", max_files=4).files  # noqa: B018


def test_a_long_walk_says_what_it_looks_through(folder, monkeypatch, caplog):
    monkeypatch.setattr(raw_data, "MANY_FILES", 5)
    with caplog.at_level(logging.INFO):
        RawData(folder).files  # noqa: B018
    assert f"looking through {folder}: 5 files and folders so far" in caplog.text


@pytest.mark.parametrize("place", ["/proc", "/sys"])
def test_pseudo_files_end(place):
    with specials.within(30), pytest.raises(DataError, match=f"{place} has more than 5,000"):
        RawData.of(place, max_files=5000).files  # noqa: B018


def test_a_table_may_name_hidden_and_odd_files_but_nothing_outside(folder):
    (folder / "..dots.jpg").write_bytes(b"d")
    (folder / "a\n.jpg").write_bytes(b"d")
    os.mkfifo(folder / "pipe.jpg")
    cells = (
        "..dots.jpg",
        ".hidden.png",
        '"a\n.jpg"',
        "pipe.jpg",
        "sub/../b.JPG",
        "../data/b.JPG",
        "/etc/x.jpg",
        "sub.jpg",
    )
    (folder / "sub.jpg").mkdir()
    (folder / "t.csv").write_text("path\n" + "\n".join(cells) + "\n" + "n" * 5000 + ".jpg\n")
    with specials.within(5):
        data = RawData(folder / "t.csv")
        assert set(data.files) == {"t.csv", "..dots.jpg", ".hidden.png", "pipe.jpg", "b.JPG"}
    assert data.omitted == {}


def test_a_name_that_no_sample_may_bear_is_refused_as_that_of_a_source_or_table(folder):
    odd = folder.rename(folder.with_name("od\nd"))
    (odd / "b\r.csv").write_text("path,label\n")
    other = odd.with_name("other")
    other.mkdir()
    assert set(RawData(odd).files) == {"b.JPG", "sub/a.png"}
    with pytest.raises(DataError, match=r"od\\x0ad cannot be one of several by its name: it holds a control character"):
        RawData.of(f"{odd},{other}")
    with pytest.raises(DataError, match="control character"):
        RawData(odd / "b\r.csv")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"\0/")), max_size=4))
def test_every_name_is_used_as_it_is_or_named(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    texts = {os.fsdecode(name) + ".jpg" for name in names}
    for text in texts:
        (folder / text).write_bytes(b"data")
    data = RawData(folder)
    used = set(data.files)
    assert used <= texts
    assert {escaped(text) for text in texts - used} == {name for name in data.omitted if not name.startswith("._")} | {
        escaped(text) for text in texts if text.startswith("._")
    }
    assert all(name.encode().decode() == name and len(name.splitlines()) == 1 for name in (*used, *data.omitted))
    assert len(data.fingerprint) == 64
