"""BioVid's layouts: whose window it is, at which level, and in which official fold."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import biovid, recognise
from pipeline.inputs.datasets.biovid import person_of
from tests.helpers.recordings import LEVELS, name

NAME = "072414_m_23-PA2-034_bio.csv"


def reasons(listing) -> dict[str, str]:
    return {item.file: item.reason for item in listing.skipped}


def listed(folder, *files: str):
    return biovid.read(folder, dict.fromkeys(files, ""))


@pytest.mark.parametrize(
    "file",
    [
        NAME,
        f"a/{NAME}",
        NAME.upper(),
        f"{NAME}.gz",
        "072414_m_23-PA2-034.csv",
        "x/y/072414_m_23-pa2-34_BIO.tsv.gz",
        f"2/{NAME}",
    ],
)
def test_a_name_says_who_and_at_which_level(file):
    entry = biovid.parse(file)
    assert entry.subject_id == "072414_m_23"
    assert entry.regions["full"].targets == {"level": "PA2"}
    assert entry.attributes == {"sex": "m", "age": "23"}
    assert entry.file == file
    assert recognise_one(file)


def recognise_one(file: str) -> bool:
    return biovid.recognises([file])


@pytest.mark.parametrize(
    "file",
    [
        "072414_m_23-PA5-034_bio.csv",
        "072414_x_23-PA2-034_bio.csv",
        "072414_m-PA2-034_bio.csv",
        "072414_m_23-PA2_bio.csv",
        "PA2.csv",
    ],
)
def test_another_name_is_a_reason(tmp_path, file):
    assert not recognise_one(file)
    (reason,) = reasons(listed(tmp_path, file)).values()
    assert reason.startswith("dropped: not ID" if file == "PA2.csv" else "name: not ID_sex_age-level-number_bio.csv")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (f"3/{NAME}", "contradiction: the folder says PA3, the name PA2"),
        (f"072415_w_23/{NAME}", "contradiction: the folder says 072415_w_23, the name 072414_m_23"),
    ],
)
def test_a_folder_that_says_otherwise_is_a_reason(tmp_path, file, reason):
    assert reasons(listed(tmp_path, file)) == {file: reason}


def test_a_folder_for_each_level_and_one_for_each_subject_say_the_same(tmp_path):
    names = [name(subject, level, 3) for subject in range(3) for level in range(5)]
    by_level = listed(tmp_path, *(f"{LEVELS.index(n.split('-')[1])}/{n}" for n in names))
    by_subject = listed(tmp_path, *(f"{n.partition('-')[0]}/{n}" for n in names))
    for listing in (by_level, by_subject):
        assert not listing.skipped
        assert [entry.subject_id for entry in listing.entries] == [n.partition("-")[0] for n in names]
        assert [entry.regions["full"].targets["level"] for entry in listing.entries] == list(LEVELS) * 3
        assert {entry.fold for entry in listing.entries} == {""}


def test_what_lies_beside_the_windows_is_not_lost_silently_and_the_truth_is_no_window(tmp_path):
    found = reasons(listed(tmp_path, NAME, "truth.csv", "temperature.csv", "readme.txt"))
    assert found == {"temperature.csv": f"dropped: not {biovid.FORM}"}


def write_lists(folder, parts: dict[str, list[str]]) -> list[str]:
    """Lists as they are distributed: name, two other columns, level."""
    for file, names in parts.items():
        lines = [f"{n.removesuffix('.csv')} 0 1 {LEVELS.index(n.split('-')[1])}" for n in names]
        (folder / file).write_text("\n".join(lines) + "\n")
    return list(parts)


WINDOWS = [name(subject, subject % 5, 0) for subject in range(6)]


def test_the_fold_of_a_file_is_that_of_the_test_list_which_names_it(tmp_path):
    parts = {}
    for fold in (1, 2, 3):
        tested = WINDOWS[2 * fold - 2 : 2 * fold]
        parts[f"test_fold{fold}.txt"] = tested
        parts[f"train_fold{fold}.txt"] = [n for n in WINDOWS if n not in tested]
    listing = listed(tmp_path, *write_lists(tmp_path, parts), *(f"data/{n}" for n in WINDOWS))
    assert [entry.fold for entry in listing.entries] == ["1", "1", "2", "2", "3", "3"]
    assert not listing.skipped


def test_lists_of_one_fold_are_parts(tmp_path):
    files = write_lists(tmp_path, {"train_fold1.txt": WINDOWS[:4], "test_fold1.txt": WINDOWS[4:]})
    listing = listed(tmp_path, *files, *WINDOWS)
    assert [entry.fold for entry in listing.entries] == ["train"] * 4 + ["test"] * 2


def test_what_no_list_names_is_dropped_and_what_is_not_there_is_missing(tmp_path):
    files = write_lists(tmp_path, {"train_fold1.txt": WINDOWS[:3], "test_fold1.txt": WINDOWS[4:]})
    found = reasons(listed(tmp_path, *files, *WINDOWS[1:]))
    missing = WINDOWS[0].removesuffix(".csv")
    assert found == {WINDOWS[3]: "dropped: no list names it", missing: "missing: there is no such file"}


def test_a_list_may_begin_with_its_columns_and_bear_paths_and_suffixes(tmp_path):
    first = WINDOWS[0]
    (tmp_path / "test_fold1.txt").write_text(f"name subject trial label\n\n{first[:11]}\\{first} 1 2 0\n")
    (entry,) = listed(tmp_path, "test_fold1.txt", f"deep/er/{first}.gz").entries
    assert entry.fold == "test"


def test_a_list_of_another_level_is_a_contradiction(tmp_path):
    (tmp_path / "test_fold1.txt").write_text(f"{WINDOWS[2]} 1 2 4\n")
    found = reasons(listed(tmp_path, "test_fold1.txt", WINDOWS[2]))
    assert found == {WINDOWS[2]: "contradiction: lists say PA4, the name PA2"}


def test_a_file_in_two_test_lists_is_a_contradiction(tmp_path):
    files = write_lists(tmp_path, {"test_fold1.txt": WINDOWS[:2], "test_fold2.txt": WINDOWS[1:]})
    found = reasons(listed(tmp_path, *files, *WINDOWS))
    assert found == {WINDOWS[1]: "contradiction: it is in the test lists of 1, 2"}


def test_lists_that_train_on_what_they_test_are_refused(tmp_path):
    files = write_lists(tmp_path, {"train_fold2.txt": WINDOWS[:4], "test_fold2.txt": WINDOWS[3:]})
    with pytest.raises(
        DataError, match=r"train_fold2.txt and test_fold2.txt share 1 files, the first is '071003.*correct the lists"
    ):
        listed(tmp_path, *files, *WINDOWS)


def test_two_lists_of_one_name_are_refused(tmp_path):
    (tmp_path / "two").mkdir()
    files = write_lists(tmp_path, {"test_fold1.txt": WINDOWS, "two/test_fold01.txt": WINDOWS[:1]})
    with pytest.raises(DataError, match=r"two lists of one name: .*Keep one"):
        listed(tmp_path, *files, *WINDOWS)


@pytest.mark.parametrize("line", ["{} 1 2 5", "{} 1 2", "{} 1 2 PA1", "{} 1 2 \u0663"])
def test_a_line_without_a_level_is_an_error_that_names_it(tmp_path, line):
    (tmp_path / "test_fold1.txt").write_text(f"{WINDOWS[0]} 1 2 0\n" + line.format(WINDOWS[1]))
    with pytest.raises(
        DataError, match=r"test_fold1.txt, line 2: .* has no level from 0 \(BL1\) to 4 \(PA4\) in column four"
    ):
        listed(tmp_path, "test_fold1.txt", *WINDOWS)


def test_the_truth_of_a_simulated_set_joins_and_brings_no_column_twice(tmp_path):
    (tmp_path / "truth.csv").write_text(
        f"file,region,subject_id,level,sex,age,responds\n{NAME},full,072414_m_23,2,m,23,True\n"
    )
    listing = datasets.read("biovid", tmp_path, {NAME: "", "truth.csv": ""}, unpack=None)
    (entry,) = listing.entries
    assert entry.regions["full"].targets == {"level": "PA2", "responds": "True"}
    assert entry.attributes == {"sex": "m", "age": "23"}


def test_sets_of_signals_are_told_from_sets_of_pictures(tmp_path):
    assert recognise(tmp_path, {f"s/{NAME}.gz": "", "a.jpg": "", "truth.csv": ""}) == "biovid"
    assert recognise(tmp_path, {"072414_m_23.npz": "", "readme.txt": ""}) == "npz"
    assert recognise(tmp_path, {"features.npz": "", "pain/a.jpg": ""}) == "folders"


@pytest.mark.parametrize(
    ("file", "person"),
    [
        (NAME, "072414_m_23"),
        ("x/072414_W_23.npz", "072414_w_23"),
        ("072414_m_23", "072414_m_23"),
        ("072414_m_234567.csv", ""),
        ("a.csv", ""),
    ],
)
def test_a_name_says_whose_file_it_is(file, person):
    assert person_of(file)[0] == person
