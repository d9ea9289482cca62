"""UNBC-McMaster: a file with one number for each frame."""

from __future__ import annotations

import pytest

from pipeline.inputs import datasets
from pipeline.inputs.datasets import unbc
from pipeline.inputs.datasets.entries import Listing
from tests.helpers import specials

SUBJECT, SEQUENCE = "042-ll042", "ll042t1aaaff"


def read(folder, labels: dict[str, str], frames: list[str]) -> Listing:
    """Frames with the texts of their labels; ``labels`` by the frames' names."""
    files = {f"Images/{SUBJECT}/{SEQUENCE}/{name}.png": "" for name in frames}
    files[f"AAM_landmarks/{SUBJECT}/{SEQUENCE}/f001_aam.txt"] = ""
    for name, text in labels.items():
        path = f"Frame_Labels/PSPI/{SUBJECT}/{SEQUENCE}/{name}_facs.txt"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode(errors="surrogateescape"))
        files[path] = ""
    assert datasets.recognise(folder, files) == "unbc"
    return unbc.read(folder, files)


def test_a_frame_has_its_pspi_its_subject_and_its_sequence(tmp_path):
    texts = {"f001": "  0.0000000e+00\n", "f002": "1.0000000e+000\r\n", "f003": "1.6e+01", "f004": ".5"}
    listing = read(tmp_path, texts, list(texts))
    assert not listing.skipped
    assert {(entry.subject_id, entry.sequence, entry.fold) for entry in listing.entries} == {(SUBJECT, SEQUENCE, "")}
    assert [entry.regions["full"].targets for entry in listing.entries] == [
        {"pspi": "0", "pain": "no_pain"},
        {"pspi": "1", "pain": "pain"},
        {"pspi": "16", "pain": "pain"},
        {"pspi": "0.5", "pain": "no_pain"},
    ]
    assert not any(entry.regions["full"].points for entry in listing.entries)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable: f002_facs.txt, '' is no PSPI"),
        ("1 2", "unreadable: f002_facs.txt, '1 2' is no PSPI"),
        ("pain", "unreadable: f002_facs.txt, 'pain' is no PSPI"),
        ("nan", "unreadable: f002_facs.txt, 'nan' is no PSPI"),
        ("1e999", "unreadable: f002_facs.txt, '1e999' is no PSPI"),
        ("\udcff", "unreadable: f002_facs.txt, it is no text"),
        ("17.0", "out of range: pspi 17, expected 0 to 16"),
        ("-1", "out of range: pspi -1, expected 0 to 16"),
        ("9" * 2**21, "too large: f002_facs.txt, 2,097,152 bytes"),
    ],
)
def test_a_damaged_label_is_the_reason(tmp_path, text, reason):
    listing = read(tmp_path, {"f001": "0", "f002": text}, ["f001", "f002"])
    assert [entry.file[-8:] for entry in listing.entries] == ["f001.png"]
    assert [(item.file[-8:], item.reason.startswith(reason)) for item in listing.skipped] == [("f002.png", True)]


def test_frames_and_labels_without_the_other_are_named(tmp_path):
    listing = read(tmp_path, {"f001": "0", "f002": "3"}, ["f001", "f003"])
    assert {item.file.rpartition("/")[2]: item.reason for item in listing.skipped} == {
        "f003.png": "no label: there is no f003_facs.txt for it",
        "f002_facs.txt": "missing: there is no such frame",
    }


def test_a_frame_of_the_same_name_in_another_sequence_is_another(tmp_path):
    label = f"Frame_Labels/PSPI/{SUBJECT}/other/f001_facs.txt"
    (tmp_path / label).parent.mkdir(parents=True)
    (tmp_path / label).write_text("3")
    listing = unbc.read(tmp_path, {f"Images/{SUBJECT}/{SEQUENCE}/f001.png": "", label: ""})
    assert not listing.entries
    assert len(listing.skipped) == 2


@pytest.mark.parametrize("kind", specials.KINDS)
def test_a_label_that_is_no_file_is_the_reason(tmp_path, kind):
    label = f"Frame_Labels/PSPI/{SUBJECT}/{SEQUENCE}/f001_facs.txt"
    (tmp_path / label).parent.mkdir(parents=True)
    specials.put(tmp_path / label, kind)
    with specials.within(5):
        (item,) = unbc.read(tmp_path, {f"Images/{SUBJECT}/{SEQUENCE}/f001.png": "", label: ""}).skipped
    assert item.reason == f"not a file: f001_facs.txt, it is {kind}"
