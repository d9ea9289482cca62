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
    assert [e.regions["full"].label for e in listing.entries] == [1, 0, 0, 0]
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


def test_other_folders_are_an_error_that_names_them():
    with pytest.raises(DataError, match=r"2 folders .* named after no class: happy, sad/x.*Expected no_pain"):
        read("pain/a.jpg", "happy/b.jpg", "sad/x/c.jpg")
