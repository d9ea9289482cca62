from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipeline.reporting import privileged, privileged_tables, privileged_words
from pipeline.reporting.methods import tested as in_order
from pipeline.reporting.privileged import lines, passed
from pipeline.reporting.recipes import pretty

REACHED = {"untaught": 0.6, "twin": 0.7, "twin_taught": 0.66, "teacher": 0.9, "taught": 0.75}


@pytest.fixture(scope="module")
def members(labelled):
    return passed(labelled.methods)


def rows_of(one, **changed):
    """By role a macro F1 that wavers a little over resamples, alike for all."""
    noise = np.r_[0, np.random.default_rng(0).normal(0, 0.001, 200)]
    return {role: {"macro_f1": value + noise} for role, value in (REACHED | changed).items()}


def test_each_budget_has_its_five_members(members):
    assert [one.budget for one in members] == ["10 labelled clips", ""]
    for one in members:
        assert [m.kind for m in one.members.values()] == [
            "CNN4, no teacher",
            "RGB-only ResNet teacher",
            "CNN4 ← RGB-only ResNet",
            "ResNet teacher",
            "CNN4 ← ResNet",
        ]
        assert len({m.recipe.labelled for m in one.members.values() if not m.is_teacher}) == 1
        assert one.modality == "infrared"


def test_differences_and_shares_by_hand(members):
    found = {line.key: line.estimates["macro_f1"].value for line in lines(members[0], rows_of(members[0]))}
    assert found["added"] == pytest.approx(0.2)
    assert found["lead"] == pytest.approx(0.3)
    assert found["gain"] == pytest.approx(0.15)
    assert found["twin_gain"] == pytest.approx(0.06)
    assert found["instead"] == pytest.approx(0.09)
    assert found["share"] == pytest.approx(0.5)
    assert found["share_of_twin"] == pytest.approx(1.5)
    assert found["share_of_added"] == pytest.approx(0.45)


def test_without_a_lead_there_is_no_share_but_a_reason(members):
    noise = np.r_[0, np.random.default_rng(1).normal(0, 0.1, 200)]
    rows = rows_of(members[0], teacher=0.61) | {"untaught": {"macro_f1": 0.6 + noise}}
    share = {line.key: line.estimates["macro_f1"] for line in lines(members[0], rows)}["share"]
    assert np.isnan(share.value)
    assert share.reason == (
        "the ResNet teacher is not clearly better than the student without a teacher: the lead's interval includes zero"
    )


def test_differences_are_paired(members):
    found = {line.key: line.estimates["macro_f1"] for line in lines(members[0], rows_of(members[0]))}
    assert found["added"].high - found["added"].low == pytest.approx(0, abs=1e-9)  # the same noise on both sides


def test_members_that_were_not_run_leave_out_what_needs_them(members):
    alone = dataclasses.replace(members[0], twin=None, twin_taught=None)
    rows = {role: values for role, values in rows_of(alone).items() if role in alone.members}
    assert [line.key for line in lines(alone, rows)] == ["lead", "gain", "share"]


def test_the_tables_hold_every_labels_f1(labelled):
    section = privileged_tables.passed_on(labelled)
    reached = section.tables["privileged-cnn4-resnet"]
    assert list(reached.shown.columns) == ["Model", "Reads", "Macro F1", "Smoke F1", "Fire F1"]
    assert reached.shown["Reads"].tolist() == ["RGB", "RGB", "RGB", "RGB and infrared", "RGB"]
    taught = next(m for m in labelled.methods if m.title == "CNN4 ← ResNet, all labelled")
    frames = [in_order(run) for run in taught.runs]
    expected = np.mean([f1_score(frame["label_smoke"], frame["predicted_smoke"]) for frame in frames])
    numbers = reached.numbers.set_index(["role", "metric"])["value"]
    assert numbers["taught", "f1_smoke"] == pytest.approx(expected)
    gained = section.tables["passed-on-cnn4-resnet"].numbers.set_index(["what", "metric"])["value"]
    difference = numbers["teacher", "macro_f1"] - numbers["twin", "macro_f1"]
    assert gained["added", "macro_f1"] == pytest.approx(difference)
    assert {"privileged-cnn4-resnet-n10", "passed-on-cnn4-resnet-n10"} <= set(section.tables)


def test_without_privileged_teachers_nothing_is_said(compared, material):
    assert privileged_tables.passed_on(material) is None
    assert privileged_words.in_brief(compared) == ""
    assert privileged.modalities(compared) == ""


def test_the_sentences_name_both_budgets(labelled):
    text = privileged_words.in_brief(labelled.methods)
    assert text.startswith("The infrared adds ")
    assert "points to the ResNet teacher (" in text
    assert " with 10 labelled clips; " in text
    assert text.count("%") == 2
    assert text.endswith(" with all labels.")


def test_a_twin_is_named_by_what_it_lacks():
    assert pretty("resnet_rgb") == "RGB-only ResNet"
    assert pretty("somebodys_rgb") == "somebodys_rgb"
