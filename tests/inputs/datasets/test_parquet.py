"""Parquet files as Hugging Face keeps them."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError, MissingDependencyError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import parquet
from tests.helpers import specials


def picture(number: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def write(tmp_path):
    """Writes a file of pictures with labels, and names of the classes where they are given."""
    pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet brings it")
    from pyarrow import parquet as files

    def write(name: str, labels: list, names: list[str] | None = None, bare: bool = False, label: str = "label"):
        pictures = [
            picture(number) if bare else {"bytes": picture(number), "path": None} for number in range(len(labels))
        ]
        table = pyarrow.table({"image": pictures, label: labels})
        if names:
            info = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
            table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
        files.write_table(table, tmp_path / name)
        return tmp_path

    return write


def read(folder, *names: str):
    kept: dict[str, bytes] = {}
    files = dict.fromkeys(names, "")
    assert datasets.recognise(folder, files) == "parquet"
    listing = parquet.read(folder, files, lambda file, content: kept.setdefault(file, content) and "sha")
    return listing, kept


def words(listing) -> list[str]:
    return [entry.regions["full"].targets["expression"] for entry in listing.entries]


def test_numbers_are_named_by_the_schema_and_the_pictures_unpacked(write):
    folder = write("train-0-of-1.parquet", [1, 0, 2], names=["sad", "happy", "contempt"])
    listing, kept = read(folder, "train-0-of-1.parquet")
    assert words(listing) == ["happiness", "sadness"]
    assert [entry.fold for entry in listing.entries] == ["", ""]
    assert listing.skipped[0].reason == "dropped: 'contempt' is no class of expression"
    assert list(kept.values()) == [picture(0), picture(1)]
    assert set(kept) == {entry.file for entry in listing.entries} == set(listing.digests)


def test_words_bare_bytes_and_several_parts(write):
    write("train.parquet", ["anger", "neutral"], bare=True)
    folder = write("test.parquet", ["Anger"], label="emotion")
    listing, _ = read(folder, "test.parquet", "train.parquet")
    assert words(listing) == ["anger", "anger", "neutral"]
    assert [entry.fold for entry in listing.entries] == ["test", "train", "train"]


def test_numbers_without_names_and_other_columns_are_errors(write):
    with pytest.raises(DataError, match="its labels are numbers without names: no class of a task"):
        read(write("a.parquet", [0, 1]), "a.parquet")
    with pytest.raises(DataError, match=r"has the columns image, colour; it needs label"):
        read(write("b.parquet", ["anger"], label="colour"), "b.parquet")


def test_a_file_that_is_none_is_an_error(write, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"nothing of the sort")
    with pytest.raises(DataError, match=r"a\.parquet is no readable Parquet file"):
        read(tmp_path, "a.parquet")


def test_without_the_package_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.lib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '\.\[parquet\]'"):
        read(tmp_path, "a.parquet")


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_an_error(tmp_path, kind):
    pytest.importorskip("pyarrow", reason="the extra parquet brings it")
    specials.put(tmp_path / "a.parquet", kind)
    with (
        specials.within(5),
        pytest.raises(DataError, match=rf"a\.parquet is no readable Parquet file .not a file: it is {kind}"),
    ):
        read(tmp_path, "a.parquet")


def test_any_damage_is_a_listing_or_one_line(write, tmp_path):
    content = (write("a.parquet", ["sad", "happy"] * 20) / "a.parquet").read_bytes()
    rng = np.random.default_rng(0)
    messages = []
    for number in range(80):
        damaged = bytearray(content)
        start = rng.integers(0, len(content)) if number % 2 else len(content) - rng.integers(1, 700)
        damaged[start : start + 8] = rng.bytes(min(8, len(content) - start))
        (tmp_path / "a.parquet").write_bytes(damaged)
        with specials.within(20):
            try:
                read(tmp_path, "a.parquet")
            except DataError as error:
                messages.append(str(error))
    assert messages
    assert all(len(message.splitlines()) == 1 for message in messages)


def test_more_rows_than_are_read_are_refused_before_they_are(write, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_ROWS", 3)
    with pytest.raises(DataError, match="claims 4 rows, at most 3 are read"):
        read(write("a.parquet", ["sad"] * 4), "a.parquet")


@pytest.mark.parametrize("labels", [[["sad"], ["happy"]], [{"a": 1}, None], [1.5, float("nan")], [b"sad", b"\xff"]])
def test_labels_of_other_types_are_no_classes(write, labels):
    with pytest.raises(DataError, match="no class of a task"):
        read(write("a.parquet", labels), "a.parquet")


@pytest.mark.parametrize("names", [[1, 2], "sad", {"sad": 1}, ["sad", None]])
def test_names_of_other_types_are_no_names(write, names):
    with pytest.raises(DataError, match="its labels are numbers without names"):
        read(write("a.parquet", [0, 1], names=names), "a.parquet")


def test_two_files_whose_pictures_would_have_one_name_are_refused(write):
    write("a.parquet", ["sad"])
    write("a.PARQUET", ["happy"])
    with pytest.raises(DataError, match=r"a\.PARQUET and a\.parquet would name their pictures alike"):
        read(write("b.parquet", ["sad"]), "a.PARQUET", "a.parquet", "b.parquet")
