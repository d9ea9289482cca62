"""Which form a dataset is in."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets import recognise

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
    ],
)
def test_forms_are_told_apart(tmp_path, path, files, expected):
    (tmp_path / path).mkdir()
    (tmp_path / path / "truth.csv").write_text("file,region\n")
    assert recognise(tmp_path / path, dict.fromkeys(files, "")) == expected


def test_a_table_is_one_and_a_folder_of_its_name_is_none(tmp_path):
    (tmp_path / "set.csv").write_text("path,label\n")
    assert recognise(tmp_path / "set.csv", {"set.csv": "", "pain/a.jpg": ""}) == "csv"


@pytest.mark.parametrize(
    ("files", "reason"),
    [([], "no picture in .*set"), (["truth.csv"], "no picture"), (["holidays/a.jpg"], "no known form.*holidays/a.jpg")],
)
def test_anything_else_is_an_error(tmp_path, files, reason):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "truth.csv").write_text("file,region\n")
    with pytest.raises(DataError, match=reason):
        recognise(tmp_path / "set", dict.fromkeys(files, ""))
