"""Outer folds: everybody is tested once, nobody is in two parts, and the dataset's own folds are used or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, DataError
from pipeline.inputs import outer_folds
from tests.inputs.test_split import ATTRIBUTES, CLASSES, SUMMARY, pairs


def deal(table: pd.DataFrame, cv: str, seed: int = 0, official: bool = False) -> dict[str, int]:
    return outer_folds.deal(table, SUMMARY, cv, seed, official)


@settings(max_examples=40)
@given(st.integers(6, 60), st.sampled_from(["3", "4", "5", "subject"]), st.integers(0, 3))
def test_everybody_is_tested_once_and_validates_once_and_is_in_one_part_of_each_fold(count, cv, seed):
    table = pairs(count)
    folds = deal(table, cv, seed)
    number = max(folds.values()) + 1
    assert number == (count if cv == "subject" else int(cv))
    parts = [outer_folds.parts(folds, fold) for fold in range(number)]
    for part in ("test", "val"):
        members = [subject for one in parts for subject, where in one.items() if where == part]
        assert sorted(members) == sorted(set(table["subject_id"]))
    assert all(set(one) == set(folds) for one in parts)


def test_the_next_fold_validates_and_after_the_last_the_first():
    folds = {"a": 0, "b": 1, "c": 2, "d": 0}
    assert outer_folds.parts(folds, 0) == {"a": "test", "b": "val", "c": "train", "d": "test"}
    assert outer_folds.parts(folds, 2) == {"a": "val", "b": "train", "c": "test", "d": "val"}


def test_folds_are_equal_in_size_and_in_every_group():
    table = pairs(100)
    right = table[table.duplicated("subject_id")].assign(fold=lambda t: t["subject_id"].map(deal(table, "5")))
    assert right["fold"].value_counts().tolist() == [20] * 5
    for column in ("pain", "gender", "age_group"):
        counts = pd.crosstab(right[column], right["fold"])
        assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 2


@pytest.mark.parametrize("cv", ["5", "subject"])
def test_the_order_of_rows_does_not_matter_but_the_seed_does(cv):
    table = pairs(40)
    assert deal(table, cv) == deal(table.sample(frac=1, random_state=1), cv)
    assert deal(table, cv) != deal(table, cv, seed=1)


def test_fewer_subjects_than_folds_are_an_error():
    with pytest.raises(DataError, match=r"CV=7 asks for 7 folds, there are 6 subjects. Give fewer, at least CV=3"):
        deal(pairs(6), "7")


def official(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The table with folds of these names, dealt to its subjects in turn."""
    subjects = sorted(set(table["subject_id"]))
    return table.assign(fold=table["subject_id"].map({s: names[i % len(names)] for i, s in enumerate(subjects)}))


def test_numbered_official_folds_are_used_in_their_order():
    table = official(pairs(20), ["2", "10", "1", "7"])
    expected = {"1": 0, "2": 1, "7": 2, "10": 3}
    folds = deal(table, "4", official=True)
    assert folds == {s: expected[f] for s, f in zip(table["subject_id"], table["fold"], strict=True)}


def test_leaving_each_subject_out_needs_no_official_folds():
    assert len(set(deal(official(pairs(8), ["1", "2"]), "subject", official=True).values())) == 8


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (
            ["1", "2", "3"],
            ConfigError,
            r"brings 3 official folds, CV=4 asks for 4. Use its own: CV=3; or .*OFFICIAL=false",
        ),
        (["1", "2"], ConfigError, r"brings 2 official folds, CV=4 asks for 4. Use its own: CV=0;"),
        (["train", "test"], ConfigError, r"official folds are parts \(test, train\).*Give CV=0.*OFFICIAL=false"),
        (["1", "2", "3", "4", ""], DataError, r"2 subjects are in no official fold, the first is 00004"),
    ],
)
def test_official_folds_that_cannot_be_used_are_an_error_with_a_remedy(names, error, message):
    with pytest.raises(error, match=message):
        deal(official(pairs(10), names), "4", official=True)


def test_a_subject_in_two_official_folds_is_an_error():
    with pytest.raises(DataError, match=r"4 subjects are in several official folds"):
        deal(pairs(4).assign(fold=["1", "2"] * 4), "4", official=True)


def test_what_is_learned_from_has_every_class_though_a_test_part_may_lack_one():
    table = pairs(40).assign(pain="no_pain")
    table.loc[table["subject_id"].isin(["00003", "00021"]), "pain"] = "pain"
    rare = {deal(table, "4")[subject] for subject in ("00003", "00021")}
    torn = next(fold for fold in range(4) if {fold, (fold + 1) % 4} >= rare)
    with pytest.raises(DataError, match=r"The train part has no sample of class pain, which 2 of 40 subjects have"):
        outer_folds.split(table, SUMMARY, "4", torn, 0, official=False)
    table.loc[table["subject_id"] == "00030", "pain"] = "pain"
    present = []
    for fold in range(4):
        parts = outer_folds.split(table, SUMMARY, "4", fold, 0, official=False)
        present.append(set(table.loc[table["subject_id"].map(parts) == "test", "pain"]))
    assert sum("pain" in classes for classes in present) == 3


def test_one_class_alone_is_an_error():
    with pytest.raises(DataError, match="All 40 samples are of class no_pain"):
        outer_folds.split(pairs(20).assign(pain="no_pain"), SUMMARY, "4", 0, 0, official=False)


def test_subjects_of_one_sample_each_can_be_divided():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject_id": [f"{n:03d}" for n in range(90)], "pain": CLASSES[rng.integers(0, 2, 90)]})
    folds = outer_folds.deal(table.assign(**dict.fromkeys(ATTRIBUTES)), SUMMARY, "5", 0, False)
    assert pd.Series(folds).value_counts().tolist() == [18] * 5
