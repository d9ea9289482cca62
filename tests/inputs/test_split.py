"""Parts share no subject, have their shares, and keep the balance of labels and attributes."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts import arrays
from pipeline.errors import ConfigError, DataError
from pipeline.inputs import split as splits
from pipeline.inputs import strata
from stages.options import targets
from tests.helpers import specials
from tests.helpers.tables import ATTRIBUTES, CLASSES, SUMMARY, pairs

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}


def split(table: pd.DataFrame, seed: int = 0, official: bool = False) -> dict[str, str]:
    return splits.split(table, SUMMARY, SHARES, seed, official)


def sizes(parts: dict[str, str]) -> dict[str, int]:
    return {part: sum(found == part for found in parts.values()) for part in splits.PARTS}


def test_no_subject_is_in_two_parts_and_none_is_left_out():
    table = pairs(200)
    parts = split(table)
    assert set(parts) == set(table["subject_id"])
    assert table.assign(part=table["subject_id"].map(parts)).groupby("subject_id")["part"].nunique().max() == 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(5355, (3749, 803, 803)), (360, (252, 54, 54)), (100, (70, 15, 15)), (20, (14, 3, 3)), (9, (6, 2, 1))],
)
def test_the_shares_are_met_exactly(count, expected):
    assert tuple(sizes(split(pairs(count))).values()) == expected


@pytest.mark.parametrize("count", [360, 1000])
def test_labels_and_attributes_keep_their_shares(count):
    table = pairs(count)
    right = table[table.duplicated("subject_id")].assign(part=lambda t: t["subject_id"].map(split(table)))
    for column in ("pain", *ATTRIBUTES):
        for _, group in right.groupby(column):
            counts = group["part"].value_counts()
            for part, share in SHARES.items():
                assert abs(counts[part] - share * len(group)) <= 1.5


def test_the_balance_is_better_than_chance():
    table = pairs(360)
    right = table[table.duplicated("subject_id")].set_index("subject_id")
    cell = right[["pain", *ATTRIBUTES]].astype(str).agg(" ".join, axis=1)

    def imbalance(parts: dict[str, str]) -> float:
        counts = pd.crosstab(cell, pd.Series(parts)[cell.index])[list(SHARES)]
        return float((counts - np.outer(counts.sum(axis=1), list(SHARES.values()))).abs().to_numpy().sum())

    rng = np.random.default_rng(0)
    parts = split(table)
    chance = [imbalance(dict(zip(parts, rng.permutation(list(parts.values())), strict=True))) for _ in range(20)]
    assert imbalance(parts) < min(chance) * 0.6


def test_the_order_of_rows_does_not_matter_but_the_seed_does():
    table = pairs(120)
    assert split(table) == split(table.sample(frac=1, random_state=1))
    assert split(table) != split(table, seed=1)
    assert sizes(split(table)) == sizes(split(table, seed=1))


def test_subjects_with_many_samples_and_both_labels_stay_whole():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"subject_id": rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXY"), 3000), "pain": CLASSES[rng.integers(0, 2, 3000)]}
    )
    parts = splits.split(table, SUMMARY | {"attributes": []}, SHARES, 0, official=False)
    assert tuple(sizes(parts).values()) in {(17, 4, 4), (18, 4, 3), (18, 3, 4)}


def test_an_attribute_that_tells_everybody_apart_does_not_spoil_the_balance():
    table = pairs(100).assign(age=lambda t: t["subject_id"])
    parts = splits.split(table, SUMMARY | {"attributes": [*ATTRIBUTES, "age"]}, SHARES, 0, official=False)
    right = table[table.duplicated("subject_id")]
    pain = (right["pain"] == "pain").groupby(right["subject_id"].map(parts)).sum()
    assert abs(pain["val"] - 7.5) <= 1.5
    assert abs(pain["test"] - 7.5) <= 1.5


def test_an_age_does_not_change_the_split():
    table = pairs(100)
    summary = SUMMARY | {"attributes": [*ATTRIBUTES, "age"]}
    aged = table.assign(age=table["subject_id"].astype(int) % 60)
    assert splits.split(aged, summary, SHARES, 0, official=False) == split(table)


def test_numbers_are_balanced_by_their_fifths():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject_id": [f"{n:03d}" for n in range(200)], "pspi": rng.exponential(2, 200)})
    parts = splits.split(table, {"targets": ["pspi"], "attributes": []}, SHARES, 0, official=False)
    fifth = pd.qcut(table["pspi"], 5, labels=False)
    counts = pd.crosstab(fifth, table["subject_id"].map(parts))
    assert counts["test"].tolist() == counts["val"].tolist() == [6] * 5


def test_a_word_that_is_no_class_need_not_be_in_every_part_and_a_missing_one_is_no_class():
    table = pairs(60).rename(columns={"pain": "expression"})
    table["expression"] = table["expression"].map({"no_pain": "neutral", "pain": "anger"})
    table.loc[table["subject_id"] == "00003", "expression"] = "yawn"
    table.loc[table["subject_id"] == "00004", "expression"] = np.nan
    parts = splits.split(table, SUMMARY | {"targets": ["expression"]}, SHARES, 0, official=False)
    assert set(parts) == set(table["subject_id"])


def test_a_rare_class_reaches_every_part():
    table = pairs(60).assign(pain="no_pain")
    table.loc[table["subject_id"].isin(["00003", "00030", "00044"]), "pain"] = "pain"
    parts = split(table)
    assert sorted(parts[subject] for subject in ("00003", "00030", "00044")) == ["test", "train", "val"]


def test_missing_attributes_are_no_group():
    table = pairs(60).assign(ethnicity=np.nan)
    assert sum(sizes(split(table)).values()) == 60


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_subjects_are_an_error(count):
    with pytest.raises(DataError, match=f"Too few subjects for the 3 parts train, val, test: {count}"):
        split(pairs(count))


def test_a_class_that_cannot_reach_every_part_is_an_error():
    table = pairs(30).assign(pain="no_pain")
    table.loc[table["subject_id"].isin(["00003", "00021"]), "pain"] = "pain"
    with pytest.raises(DataError, match=r"no sample of class pain, which 2 of 30 subjects have.*SPLIT_TRAIN="):
        split(table)
    folds = table["subject_id"].map(
        lambda subject: {"00021": "val", "00006": "val", "00005": "test"}.get(subject, "train")
    )
    with pytest.raises(DataError, match=r"The test part has no sample of class pain.*correct the official folds"):
        split(table.assign(fold=folds), official=True)


def test_one_class_alone_is_an_error():
    with pytest.raises(DataError, match="All 60 samples are of class no_pain"):
        split(pairs(30).assign(pain="no_pain"))


@pytest.mark.parametrize(("train", "val"), [(0.7, 0.3), (0.9, 0.1), (0, 0.5), (0.7, 0), (0.9, 0.2)])
def test_shares_that_leave_a_part_empty_are_an_error(train, val):
    with pytest.raises(ConfigError, match=r"leave -?\d\.?\d* for the test; all three must be above 0"):
        splits.shares(train, val)


def test_named_official_folds_are_used_as_they_are():
    table = pairs(9)
    folds = dict(zip(sorted(set(table["subject_id"])), ["test", "val", "train"] * 3, strict=True))
    assert split(table.assign(fold=table["subject_id"].map(folds)), official=True) == folds


def test_of_numbered_folds_the_last_is_the_test_and_the_one_before_the_validation_part():
    folds = {f"{number:05d}": str(number % 5 + 1) for number in range(20)}
    assert splits.official_parts(folds) == {
        subject: {"5": "test", "4": "val"}.get(fold, "train") for subject, fold in folds.items()
    }
    assert splits.official_parts({"a": "9", "b": "10", "c": ""}) == {"a": "train", "b": "test", "c": "train"}


def test_a_missing_validation_part_is_cut_from_the_training_subjects():
    table = pairs(100)
    folds = {subject: "test" if subject >= "00080" else "train" for subject in table["subject_id"]}
    parts = split(table.assign(fold=table["subject_id"].map(folds)), official=True)
    assert {subject for subject, part in parts.items() if part == "test"} == {s for s in folds if s >= "00080"}
    assert sizes(parts) == {"train": 66, "val": 14, "test": 20}


@pytest.mark.parametrize(
    ("folds", "reason"),
    [
        (["train", "1", "test"], "mix names"),
        (["train", "val", "val"], "leave no test"),
        (["test", "val", "val"], "leave no train"),
        (["1", "1", "1"], "leave no test"),
    ],
)
def test_folds_that_cannot_be_used_are_an_error(folds, reason):
    with pytest.raises(DataError, match=reason):
        splits.official_parts(dict(zip("abc", folds, strict=True)))


def test_errors_name_variables_that_the_commands_have():
    known = {name.upper() for stage in ("split", "report") for name in targets(stage)}
    named = set(re.findall(r"[A-Z_]+(?==)", splits.AT_RANDOM + splits.OTHER_SHARES))
    assert named == {"OFFICIAL", "SPLIT_OFFICIAL", "TRAIN", "SPLIT_TRAIN", "VAL", "SPLIT_VAL"} <= known


def test_a_subject_in_two_official_folds_is_an_error():
    table = pairs(4)
    with pytest.raises(DataError, match=r"4 subjects are in several official folds, the first is 00000 in 1, 2"):
        split(table.assign(fold=["1", "2"] * 4), official=True)


def test_remainders_are_apportioned_largest_first_and_no_part_is_empty():
    assert splits.apportion(10, SHARES) == {"train": 7, "val": 2, "test": 1}
    assert splits.apportion(3, SHARES) == {"train": 1, "val": 1, "test": 1}
    assert splits.apportion(2, SHARES)["train"] >= 1
    assert all(sum(splits.apportion(n, SHARES).values()) == n for n in range(200))


def test_folds_hold_whole_subjects_and_every_group():
    people = 60
    table = pd.DataFrame(
        {
            "sample_id": [f"{n}.jpg#{side}" for n in range(people) for side in ("left", "right")],
            "subject_id": [str(n) for n in range(people) for _ in "lr"],
            "pain": [CLASSES[n % 2 * side] for n in range(people) for side in (0, 1)],
            "gender": [("Man", "Woman")[n // 2 % 2] for n in range(people) for _ in "lr"],
        }
    )
    assigned = table[["sample_id"]].assign(part=["train" if n < 100 else "test" for n in range(120)])
    folds = splits.fold_of(table, assigned, SUMMARY | {"attributes": ["gender"]}, 5)
    assert list(folds.index) == table["sample_id"].tolist()[:100]
    known = table.set_index("sample_id").loc[folds.index].assign(fold=folds)
    assert known.groupby("subject_id")["fold"].nunique().max() == 1
    assert known.groupby("fold")["subject_id"].nunique().tolist() == [10] * 5
    assert known.groupby(["fold", "pain"]).size().unstack().min().min() >= 4
    assert known.groupby(["fold", "gender"]).size().unstack().min().min() >= 8
    shuffled = splits.fold_of(table.sample(frac=1, random_state=0), assigned, SUMMARY | {"attributes": ["gender"]}, 5)
    assert shuffled.loc[folds.index].tolist() == folds.tolist()


def test_more_folds_than_subjects_are_refused():
    table = pd.DataFrame({"sample_id": list("abcd"), "subject_id": list("abcd"), "pain": CLASSES[[0, 1, 0, 1]]})
    with pytest.raises(DataError, match="Too few subjects for the 5 parts"):
        splits.fold_of(table, table[["sample_id"]].assign(part="train"), SUMMARY | {"attributes": []}, 5)


def test_an_unseen_source_is_the_test_part_with_all_who_are_in_it():
    table = pd.DataFrame(
        {
            "subject_id": ["a/1", "a/2", "shared", "shared", "b/1", "b/2"],
            "source": ["a", "a", "a", "b", "b", "b"],
        }
    )
    assert splits.folds_without(table, "b").tolist() == ["train", "train", "test", "test", "test", "test"]
    assert splits.folds_without(table, "a").tolist() == ["test", "test", "test", "test", "train", "train"]


@pytest.mark.parametrize(
    "table", [pd.DataFrame({"subject_id": ["1"]}), pd.DataFrame({"subject_id": [1], "source": "a"})]
)
def test_a_source_that_is_not_there_is_named(table):
    with pytest.raises(ConfigError, match=r"UNSEEN=c is no source"):
        splits.folds_without(table, "c")


HOSTILE = {
    "attributes of any word": {f"a{n}": [f"w{i * 7919 % 500}" for i in range(800)] for n in range(32)},
    "attributes of few words": {f"a{n}": [f"w{i * (n + 3) % 7 % 5}" for i in range(800)] for n in range(32)},
    "subjects of any class": {"pain": [f"w{i}" for i in range(800)]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_number_of_words_ends(name):
    table = pd.DataFrame({"subject_id": [f"s{i}" for i in range(800)], "pain": CLASSES[np.arange(800) % 2]})
    summary = {"targets": ["pain"], "attributes": [key for key in HOSTILE[name] if key != "pain"]}
    with specials.within(30):
        try:
            parts = splits.split(table.assign(**HOSTILE[name]), summary, SHARES, 0, official=False)
            assert tuple(sizes(parts).values()) == (560, 120, 120)
        except DataError as error:
            assert "All 0 samples are of class none" in str(error)  # noqa: PT017


def test_swaps_end_where_there_are_too_many_kinds(monkeypatch):
    table = pairs(200)
    swapped = split(table)
    monkeypatch.setattr(splits, "MOST_COMPARED", 0)
    assert tuple(sizes(split(table)).values()) == tuple(sizes(swapped).values()) == (140, 30, 30)


def test_thousands_of_folds_are_one_line():
    folds = {f"s{number}": str(number) for number in range(3000)} | {"t": "train"}
    with pytest.raises(DataError, match=r"numbers \(0, 1, 2, .* and 2,980 more\)"):
        splits.official_parts(folds)


WORDS = st.sampled_from(["pain", "no_pain", "", "nan", "1e999", "-1", "٣", "inf", "9" * 400, "a b", "=1"])


@pytest.mark.filterwarnings("error")
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pqrstuv"), WORDS, WORDS, st.sampled_from(["", "train", "test", "1", "2"]))))
def test_any_table_is_split_or_refused(rows):
    text = io.StringIO("subject_id,pain,site,fold\n" + "".join(",".join(row) + "\n" for row in rows))
    table = arrays.read_table(text, fold=str)
    summary = {"targets": ["pain"], "attributes": ["site"]}
    for official in (False, True):
        message = ""
        try:
            parts = splits.split(table, summary, SHARES, 0, official)
            assert set(parts) == set(table["subject_id"])
            strata.words(table, table, ["pain"])
        except DataError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1
