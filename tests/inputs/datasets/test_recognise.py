"""Which form a dataset is in."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.config import IndexConfig
from pipeline.errors import DataError
from pipeline.inputs.datasets import READERS, UNPACKING, recognise

NAMED, STRAY = "11014123_Pain_Man_Old.jpg", "photo.jpg"


@pytest.mark.parametrize(
    ("path", "files", "expected"),
    [
        ("set.csv", ["pain/a.jpg"], "folders"),
        ("set", [NAMED, STRAY, "truth.csv"], "synpain"),
        ("set", [f"pain/{NAMED}"], "synpain"),
        ("set", ["pain/a.jpg", "no_pain/b.jpg"], "folders"),
        ("set", ["test/neutral/b.jpg"], "folders"),
        ("set", ["Happy/a.jpg"], "folders"),
        ("set", ["Happy/a.jpg", "Happy/a.pts"], "folders"),
        ("set", ["afw/a.jpg", "afw/a.PTS", "b.jpg"], "300w"),
        ("set", ["a.jpg", "list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"], "wflw"),
        ("set", ["COFW_test_color.mat"], "cofw"),
        ("set", ["Images/s/q/a.png", "Frame_Labels/PSPI/s/q/a_facs.txt"], "unbc"),
    ],
)
def test_forms_are_told_apart(tmp_path, path, files, expected):
    (tmp_path / path).mkdir()
    (tmp_path / path / "truth.csv").write_text("file,region\n")
    assert recognise(tmp_path / path, dict.fromkeys(files, "")) == expected


def test_every_form_can_be_asked_for():
    (field,) = (field for field in dataclasses.fields(IndexConfig) if field.name == "dataset")
    assert set(field.metadata["choices"]) == {"auto", *READERS, *UNPACKING}


def test_a_table_is_one_and_a_folder_of_its_name_is_none(tmp_path):
    (tmp_path / "set.csv").write_text("path,label\n")
    assert recognise(tmp_path / "set.csv", {"set.csv": "", "pain/a.jpg": ""}) == "csv"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "no picture in .*set"),
        (["truth.csv"], "no picture"),
        (["holidays/a.jpg"], "no known form.*holidays/a.jpg"),
        (["holidays/a.jpg", "holidays/b.pts"], "no known form.*holidays/a.jpg"),
    ],
)
def test_anything_else_is_an_error(tmp_path, files, reason):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "truth.csv").write_text("file,region\n")
    with pytest.raises(DataError, match=reason):
        recognise(tmp_path / "set", dict.fromkeys(files, ""))
