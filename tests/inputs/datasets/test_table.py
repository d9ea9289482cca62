"""A CSV file with a row per picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets import table
from pipeline.inputs.datasets.entries import Region

FILES = {"a.jpg": "", "sub/b.jpg": "", "c.jpg": "", "t.csv": ""}


def read(tmp_path: Path, text: str):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    return table.read(path, FILES)


def test_paths_labels_subjects_and_attributes(tmp_path):
    listing = read(tmp_path, "path,label,subject,age,site\na.jpg,pain,p1,70,x\nsub/b.jpg,no_pain,p1,70,\n")
    first, second = listing.entries
    assert (first.file, first.subject_id, first.attributes) == ("a.jpg", "p1", {"age": "70", "site": "x"})
    assert first.regions == {"full": Region({"pain": "pain"})}
    assert (second.regions["full"].targets, second.attributes["site"]) == ({"pain": "no_pain"}, "")


def test_a_table_may_say_where_a_picture_is_from(tmp_path):
    listing = read(tmp_path, "path,label,source\na.jpg,happy,RAF-DB\nsub/b.jpg,sad,FER+\n")
    assert [entry.source for entry in listing.entries] == ["RAF-DB", "FER+"]
    assert listing.entries[0].attributes == {}


def test_semicolons_a_byte_order_mark_other_names_and_numbers(tmp_path):
    listing = read(tmp_path, "\ufeffFile;Class;Expressive;Split\r\n./a.jpg;0;1;test\r\nsub\\b.jpg;1;;3\r\n")
    assert [(e.file, e.fold) for e in listing.entries] == [("a.jpg", "test"), ("sub/b.jpg", "3")]
    assert listing.entries[0].regions["full"] == Region({"pain": "no_pain"}, expressive=1)
    assert listing.entries[0].subject_id == "a.jpg"
    assert listing.entries[0].attributes == {}


def test_labels_of_expressions_are_told_by_their_words(tmp_path):
    listing = read(tmp_path, "path,label\na.jpg,Happy\nsub/b.jpg,neutral\nc.jpg,bored\n")
    assert [entry.regions["full"].targets for entry in listing.entries] == [
        {"expression": "happiness"},
        {"expression": "neutral"},
    ]
    assert listing.skipped[0].reason.startswith("unknown label: 'bored', expected anger or angry; ")


def test_columns_named_after_targets_hold_what_is_known_of_each(tmp_path):
    listing = read(tmp_path, "path,pain,expression,pspi,age\na.jpg,1,smile,2.5,70\nsub/b.jpg,,yawn,,8\nc.jpg,,,,9\n")
    assert [entry.regions["full"].targets for entry in listing.entries] == [
        {"pain": "pain", "expression": "happiness", "pspi": "2.5"},
        {"expression": "yawn"},
    ]
    assert listing.entries[0].attributes == {"age": "70"}
    assert listing.skipped[0].reason.startswith("no target")


def test_absolute_paths_below_the_table_are_understood(tmp_path):
    assert read(tmp_path, f"path,label\n{tmp_path.resolve() / 'c.jpg'},pain\n").entries[0].file == "c.jpg"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("gone.jpg,pain,,", "missing"),
        ("../a.jpg,pain,,", "missing"),
        (",pain,,", "no path"),
        ("a.jpg,7,,", "unknown label: '7'"),
        ("a.jpg,,,", "unknown label: ''"),
        ("a.jpg,pain,maybe,", "unknown expressive: 'maybe'"),
        ("a.jpg,pain,,last", "unknown fold: 'last'"),
    ],
)
def test_an_unusable_row_is_skipped_with_the_reason(tmp_path, row, reason):
    listing = read(tmp_path, f"path,label,expressive,fold\n{row}\nc.jpg,pain,,\n")
    assert [item.reason.startswith(reason) for item in listing.skipped] == [True]
    assert [entry.file for entry in listing.entries] == ["c.jpg"]


def test_a_picture_listed_twice_counts_once(tmp_path):
    listing = read(tmp_path, "path,label\na.jpg,pain\n./a.jpg,no_pain\n")
    assert len(listing.entries) == 1
    assert listing.skipped[0].reason == "listed twice: first on line 2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "columns \\(none\\); it needs path and label"),
        ("path,age\na.jpg,3\n", "it needs label"),
        ("path,label\na.jpg,tall\nc.jpg,small\n", "no label is a class of a task: tall, small. Expected of expression"),
        ("path,file,label\n", "two columns for the path: path, file"),
        ("path,label,region\n", "region must be renamed"),
    ],
)
def test_a_table_without_what_it_needs_is_an_error(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text)


def test_another_encoding_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_bytes("path,label\nä.jpg,pain\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        table.read(tmp_path / "t.csv", FILES)
