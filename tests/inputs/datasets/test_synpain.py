"""SynPAIN's names and official folds."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets import synpain
from pipeline.inputs.datasets.entries import Region
from tests.helpers import specials


def test_a_name_says_everything():
    entry = synpain.parse("some/folder/11014123_Pain_Man_Old.jpg")
    assert entry.subject_id == "11014123"
    assert entry.regions == {"left": Region({"pain": "no_pain"}, 0), "right": Region({"pain": "pain"}, 1)}
    assert entry.attributes == {"gender": "man", "age_group": "old", "ethnicity": "asian"}


def test_no_pain_is_not_pain_though_it_contains_it():
    assert synpain.parse("10100001_NoPain_Woman_Young.jpg").regions["right"] == Region({"pain": "no_pain"}, 1)


def test_case_does_not_matter():
    lower = synpain.parse("10100001_nopain_WOMAN_young.JPG")
    assert lower.regions == synpain.parse("10100001_NoPain_Woman_Young.jpg").regions


@pytest.mark.parametrize("digit", range(5))
def test_the_fifth_digit_is_the_ethnicity(digit):
    entry = synpain.parse(f"1000{digit}07_NoPain_Man_Young.png")
    assert entry.attributes["ethnicity"] == ("black", "south_asian", "middle_eastern", "caucasian", "asian")[digit]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("holiday.jpg", "name: not"),
        ("11014123_Pain_Man.jpg", "name: not"),
        ("11014123_Pain_Man_Old_2.jpg", "name: not"),
        ("11014123_Painful_Man_Old.jpg", "pain is 'Painful', expected NoPain or Pain"),
        ("11014123_Pain_Child_Old.jpg", "gender is 'Child'"),
        ("21014123_Pain_Man_Old.jpg", "21014123 is not an ID"),
        ("11017123_Pain_Man_Old.jpg", "11017123 is not an ID"),
        ("11014_Pain_Man_Old.jpg", "11014 is not an ID"),
        ("10014123_Pain_Man_Old.jpg", "contradiction: the ID 10014123 says pain 0, the name says Pain"),
        ("11114123_Pain_Man_Old.jpg", "contradiction.*gender 1"),
        ("11004123_Pain_Man_Old.jpg", "contradiction.*age 0"),
    ],
)
def test_a_name_that_does_not_parse_is_skipped_with_the_reason(tmp_path, name, reason):
    with pytest.raises(DataError, match=reason):
        synpain.parse(name)
    listing = synpain.read(tmp_path, {name: "", "11014123_Pain_Man_Old.jpg": "", "notes.txt": ""})
    assert [item.file for item in listing.skipped] == [name]
    assert [entry.subject_id for entry in listing.entries] == ["11014123"]


IDS = {"11014123", "10014124", "10014125"}
EXPECTED = {"11014123": "train", "10014124": "val", "10014125": "test"}


@pytest.mark.parametrize(
    "text",
    [
        "11014123 train\n10014124 val\n10014125 test\n",
        "filename,fold\n11014123_Pain_Man_Old.jpg,train\nimages/10014124_NoPain_Man_Old.jpg,validation\n10014125,Test\n",
        "# official\n\ntrain: 11014123\nval: 10014124\ntest: 10014125\n",
        "[train]\n11014123_Pain_Man_Old\n[valid]\n10014124\n[test]\n10014125\n",
        "{'train': ['11014123_Pain_Man_Old.jpg'],\n'val': ['10014124_NoPain_Man_Old.jpg'],\n'test': ['10014125']}",
        "11014123\ttraining\r\n10014124;dev\r\ntest = 10014125",
    ],
)
def test_the_known_forms_of_the_folds_file(text):
    assert synpain.read_folds(text, IDS) == EXPECTED


def test_numbered_folds_and_several_pictures_a_line():
    text = "Fold 1: 11014123, 10014124\nfold_02\n10014125"
    assert synpain.read_folds(text, IDS) == {"11014123": "1", "10014124": "1", "10014125": "2"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("11014123 train\nsomething else entirely\n", "line 2 is in no known form: 'something else"),
        ("11014123\n10014124\n", "line 1 is in no known form"),
        ("11014123 train test\n", "line 1 is in no known form"),
        ("11014123 train\n11014123 test\n", "line 2: 11014123 is in fold test and in train"),
    ],
)
def test_an_unknown_form_is_an_error_that_names_the_line(text, reason):
    with pytest.raises(DataError, match=reason):
        synpain.read_folds(text, IDS)


def test_the_folds_file_is_found_in_any_case_and_joined(tmp_path):
    (tmp_path / "SYNPAIN_FOLDS.txt").write_text("11014123 test")
    files = {"11014123_Pain_Man_Old.jpg": "", "10014124_NoPain_Man_Old.jpg": "", "SYNPAIN_FOLDS.txt": ""}
    assert {e.subject_id: e.fold for e in synpain.read(tmp_path, files).entries} == {"11014123": "test", "10014124": ""}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"train\n\xff\n", "SynPain_folds.txt is not UTF-8 text"),
        (b"11004001 \xd9\xa3\n", "SynPain_folds.txt, line 1 is in no known form"),
        (b"11004001 " + b"9" * 5000 + b"\n", "SynPain_folds.txt, line 1 is in no known form: '11004001 9{71}…'"),
        (None, "SynPain_folds.txt cannot be read .*a pipe"),
    ],
)
def test_a_folds_file_that_cannot_be_read_is_an_error(tmp_path, content, reason):
    path = tmp_path / synpain.FOLDS_FILE
    if content is None:
        specials.put(path, "a pipe")
    else:
        path.write_bytes(content)
    files = {"11004001_Pain_Man_Young.jpg": "", synpain.FOLDS_FILE: ""}
    with specials.within(5), pytest.raises(DataError, match=reason):
        synpain.read(tmp_path, files)
