"""A folder per class."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets import folders


def read(*files: str):
    return folders.read(Path("faces"), dict.fromkeys(files, ""))


def test_folder_names_are_the_labels_and_each_picture_its_own_subject():
    listing = read("Pain/a.jpg", "no_pain/b.png", "No-Pain/deep/er/c.jpg", "neutral/d.jpg")
    assert [e.regions["full"].targets["pain"] for e in listing.entries] == ["pain", "no_pain", "no_pain", "no_pain"]
    assert [e.subject_id for e in listing.entries] == [
        "Pain/a.jpg",
        "no_pain/b.png",
        "No-Pain/deep/er/c.jpg",
        "neutral/d.jpg",
    ]
    assert listing.skipped == []


def test_parts_may_stand_above_the_classes():
    assert [e.fold for e in read("train/pain/a.jpg", "validation/neutral/b.jpg", "pain/c.jpg").entries] == [
        "train",
        "val",
        "",
    ]


def test_pictures_beside_the_class_folders_are_skipped_with_the_reason():
    listing = read("pain/a.jpg", "stray.jpg")
    assert [(item.file, item.reason.split(":")[0]) for item in listing.skipped] == [("stray.jpg", "no class")]


def test_the_words_of_the_folders_say_which_target_they_are_classes_of():
    listing = read("Happy/a.jpg", "angry/b.jpg", "neutral/c.jpg")
    assert [dict(entry.regions["full"].targets) for entry in listing.entries] == [
        {"expression": "happiness"},
        {"expression": "anger"},
        {"expression": "neutral"},
    ]


def test_a_folder_of_no_class_is_an_error_that_names_it_the_target_and_its_words():
    with pytest.raises(DataError, match=r"faces: folder bored with .*target expression, which happy, sad"):
        read("happy/a.jpg", "bored/b.jpg", "sad/x/c.jpg")
    with pytest.raises(DataError, match=r"2 folders holidays, x with .*target pain.*Expected no_pain or"):
        read("no_pain/a.jpg", "pain/a.jpg", "holidays/b.jpg", "x/b.jpg")
