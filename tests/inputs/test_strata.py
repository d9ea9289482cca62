"""Targets of 0 and 1 stratify by both values, the primary one and those beside it; other numbers by bins."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.inputs import outer_folds, strata
from pipeline.inputs import split as splits

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
SUMMARY = {"targets": ["fire", "smoke", "altitude_m"], "attributes": ["site"]}


def clips(count: int = 100, frames: int = 5) -> pd.DataFrame:
    """Clips of frames: fire in most, smoke in one in ten of the others and of these."""
    clip = np.repeat(np.arange(count), frames)
    return pd.DataFrame(
        {
            "subject_id": [f"c{number:03d}" for number in clip],
            "fire": (clip % 5 > 0).astype(int),
            "smoke": np.where(clip % 10 < 1, 1.0, np.where(clip % 10 == 7, 1.0, 0.0)),
            "altitude_m": clip * 7.5,
            "site": np.where(clip < 50, "north", "south"),
        }
    )


def test_0_and_1_are_words():
    table = clips()
    assert strata.answers_of(table, SUMMARY).tolist()[:6] == ["0"] * 5 + ["1"]
    unknown = table.assign(fire=table["fire"].where(table.index > 0))
    assert strata.answers_of(unknown, SUMMARY).isna().tolist()[:2] == [True, False]
    assert strata.answers_of(unknown, SUMMARY)[5] == "1"


def test_other_numbers_are_bins_and_then_no_flag_balances():
    summary = {"targets": ["altitude_m", "smoke"], "attributes": []}
    table = clips()
    answers = strata.answers_of(table, summary)
    assert Counter(answers) == {f"bin {n}": 100 for n in range(5)}
    assert strata.flags_of(table, summary["targets"]) == []
    assert not any("smoke" in group for group in strata.subject_groups(table, answers, summary)["c000"])


def test_the_flags_beside_the_primary_one_balance_the_split():
    table = clips()
    groups = strata.subject_groups(table, strata.answers_of(table, SUMMARY), SUMMARY)
    assert {"class=0", "smoke=1", "smoke=1 class=0", "site=north"} <= groups["c000"]
    assert "class=1" in groups["c007"]
    parts = splits.split(table, SUMMARY, SHARES, 0, official=False)
    whole = table.groupby("subject_id").first()
    for part, share in SHARES.items():
        of_part = whole[whole.index.map(parts) == part]
        for fire in (0, 1):
            both = (whole["fire"] == fire) & (whole["smoke"] == 1)
            assert abs(both[of_part.index].sum() - share * both.sum()) <= 1.5


def test_every_part_needs_both_values_of_the_primary_flag():
    table = clips()
    table["fire"] = (table["subject_id"] < "c002").astype(int)
    with pytest.raises(DataError, match=r"part has no sample of class 1, which 2 of 100 subjects have"):
        splits.split(table, SUMMARY, SHARES, 0, official=False)
    with pytest.raises(DataError, match=r"All 500 samples are of class 1"):
        splits.split(table.assign(fire=1), SUMMARY, SHARES, 0, official=False)


def test_a_number_that_most_have_is_a_bin_of_its_own():
    summary = {"targets": ["pspi"], "attributes": []}
    table = pd.DataFrame({"subject_id": [f"{n:03d}" for n in range(100)], "pspi": [0.0] * 83 + [*range(1, 17), np.nan]})
    answers = strata.answers_of(table, summary)
    assert set(answers[:83]) == {"bin 0"}
    assert set(answers[83:99]) == {"bin 1"}
    assert answers.isna().tolist() == [False] * 99 + [True]
    parts = splits.split(table, summary, SHARES, 0, official=False)
    some = Counter(part for subject, part in parts.items() if 83 <= int(subject) < 99)
    assert [some[part] for part in SHARES] == pytest.approx([0.7 * 16, 0.15 * 16, 0.15 * 16], abs=1)


def test_points_alone_are_one_stratum_that_attributes_divide():
    summary = {"targets": ["points98"], "attributes": ["occluded"]}
    table = pd.DataFrame({"subject_id": [f"{n:03d}" for n in range(200)], "occluded": np.arange(200) % 5 == 0})
    table["occluded"] = table["occluded"].astype(int)
    assert strata.words(table, table, summary["targets"]) == {}
    parts = splits.split(table, summary, SHARES, 0, official=False)
    occluded = Counter(parts[subject] for subject in table.loc[table["occluded"] == 1, "subject_id"])
    assert [occluded[part] for part in SHARES] == [28, 6, 6]
    assert Counter(outer_folds.deal(table, summary, "5", 0, False).values()) == dict.fromkeys(range(5), 40)
    assert set(outer_folds.split(table, summary, "5", 2, 0, False).values()) == set(SHARES)
    assigned = table[["subject_id"]].assign(sample_id=table["subject_id"], part=table["subject_id"].map(parts))
    folds = splits.fold_of(table.assign(sample_id=table["subject_id"]), assigned, summary, 2)
    assert Counter(folds) == {0: 70, 1: 70}


def test_points_behind_other_targets_change_no_split():
    table = clips()
    with_points = {**SUMMARY, "targets": [*SUMMARY["targets"], "points68"]}
    assert splits.split(table, with_points, SHARES, 0, False) == splits.split(table, SUMMARY, SHARES, 0, False)
    assert strata.words(table, table, with_points["targets"]) == strata.words(table, table, SUMMARY["targets"])


def test_counts_of_flags_bear_their_names():
    table = clips()
    assert strata.words(table, table, SUMMARY["targets"]) == {
        "fire: 0": 100,
        "fire: 1": 400,
        "smoke: 0": 400,
        "smoke: 1": 100,
    }
    counts = strata.words(table[table["subject_id"] == "c001"], table, SUMMARY["targets"])
    assert counts == {"fire: 0": 0, "fire: 1": 5, "smoke: 0": 5, "smoke: 1": 0}
