from __future__ import annotations

import numpy as np
import pytest

from pipeline.reporting import people
from pipeline.reporting.methods import draws
from pipeline.reporting.runs import held_out
from pipeline.tasks import PAIN, TASKS


@pytest.fixture(scope="module")
def divided(compared):
    return people.divide(compared, draws(compared[0].runs[0], replicates=50, seed=0))


def test_groups_are_measured_within(compared, divided):
    table = people.within(compared, divided)
    women = held_out(compared[1].runs[0].predictions).query("gender == 'Woman'")
    recall = women.query("label == 1")["predicted"].mean()
    specificity = 1 - women.query("label == 0")["predicted"].mean()
    row = table.numbers.query("model == 'Swin teacher' and attribute == 'gender' and group == 'Woman'").iloc[0]
    assert row["value"] == pytest.approx((recall + specificity) / 2)
    assert row["subjects"] == women["subject_id"].nunique()
    assert "age" not in set(table.numbers["attribute"])  # years, not groups


def test_the_gap_is_between_the_extremes(compared, divided):
    within = people.within(compared, divided).numbers.query("model == 'DeiT ← Swin' and attribute == 'gender'")
    gap = people.gaps(compared, divided).numbers.query("model == 'DeiT ← Swin' and attribute == 'gender'").iloc[0]
    assert gap["value"] == pytest.approx(np.ptp(within["value"]))
    assert gap["best"] == within.loc[within["value"].idxmax(), "group"]


def test_nothing_known_of_the_people_makes_no_table(compared):
    columns = ["sample_id", "subject_id", "part", "label", "hard_negative", "detected"]
    faces = compared[0].runs[0].predictions[columns]
    assert people.people(faces) is None
    assert people.detection(faces, PAIN, 0.95) is None
    assert people.within(compared, {}) is None
    assert people.gaps(compared, {}) is None


def test_faces_not_found_are_counted_by_group(compared):
    faces = compared[0].runs[0].predictions
    numbers = people.detection(faces, PAIN, 0.95).numbers
    for _, inside in numbers.groupby("attribute"):
        assert inside["not_found"].sum() == (faces["detected"] == 0).sum() == 2
        assert (inside["low"] <= inside["value"]).all()


def test_data_counts(compared):
    faces = compared[0].runs[0].predictions
    table = people.data(faces, PAIN).numbers.set_index("Part")
    assert table["Faces"].sum() == len(faces) == 240
    assert table.loc["test", "Subjects"] == faces.query("part == 'test'")["subject_id"].nunique()
    assert table["Pain"].sum() == faces["label"].sum()
    columns = ["Pain", "No pain, not expressive", "No pain, expressive"]
    assert (table[columns].sum(axis=1) == table["Faces"]).all()


def test_classes_are_counted_and_nothing_is_missed_where_nothing_is_looked_for(seven):
    samples = seven.everyone.drop(columns="detected")
    table = people.data(samples, TASKS["expression"]).numbers
    assert table.columns.tolist() == ["Part", "Subjects", "Faces", *map(str.capitalize, TASKS["expression"].outputs)]
    assert table["Fear"].sum() == (samples["label"] == 2).sum()
    assert not people.not_found(samples).any()
