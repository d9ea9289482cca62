from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from statsmodels.stats.proportion import proportion_confint

from pipeline.evaluation import bootstrap, subgroups
from pipeline.evaluation.metrics import classify, regress
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS
from tests.helpers.outcomes import two_classes

HEADLINE = "balanced_accuracy"


def people(subjects: int = 60, harm: float = 0.0, seeds: int = 2):
    """Outcomes of some seeds over two faces a subject; ``harm`` more errors among the last of three groups."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(subjects), 2)
    group = np.array(["Asian", "Black", "Caucasian"], dtype=object)[subject % 3]
    label = np.tile([0, 1], subjects)
    wrong = rng.random((seeds, len(label))) < 0.15 + harm * (group == "Caucasian")
    outcomes = [two_classes(label, rng.random(len(label)), np.where(w, 1 - label, label)) for w in wrong]
    return outcomes, group, subject, bootstrap.resamples(subject, 300, seed=1)


def test_groups_and_their_differences_by_hand():
    outcomes, group, subject, weights = people(harm=0.3)
    found = subgroups.measure(outcomes, group, subject, weights, HEADLINE)

    def expected(mask):
        return np.mean([balanced_accuracy_score(o.label[mask], o.predicted[mask]) for o in outcomes])

    assert [g.name for g in found.groups] == ["Asian", "Black", "Caucasian"]
    for g in found.groups:
        inside = group == g.name
        assert (g.subjects, g.samples) == (20, 40)
        assert g.estimate.value == pytest.approx(expected(inside))
        assert g.against_rest.value == pytest.approx(expected(inside) - expected(~inside))
        assert g.estimate.low < g.estimate.value < g.estimate.high
    values = {g.name: g.estimate.value for g in found.groups}
    assert found.best == max(values, key=values.get)
    assert found.worst == "Caucasian"
    assert found.gap.value == pytest.approx(max(values.values()) - values["Caucasian"])
    assert found.gap.excludes_zero
    p = {g.name: g.p for g in found.groups}
    assert p["Caucasian"] < 0.05 < max(p.values())


def test_of_an_error_the_best_group_has_the_least():
    _, group, subject, weights = people()
    truth = np.zeros((len(group), 1))
    said = 1.0 + 0.5 * (group == "Black") + 1.5 * (group == "Caucasian")
    question = Question("regress", ("pspi",))
    outcome = regress.outcome(pd.DataFrame({"label_pspi": truth[:, 0], "value_pspi": said}), question)
    found = subgroups.measure([outcome], group, subject, weights, "mae")
    assert (found.best, found.worst) == ("Asian", "Caucasian")
    assert found.gap.value == pytest.approx(-1.5)
    assert found.gap.high < 0


def test_intervals_come_from_the_given_resamples_with_seeds_averaged_inside():
    outcomes, group, subject, weights = people()
    [asian, *_] = subgroups.measure(outcomes, group, subject, weights, HEADLINE, confidence=0.8).groups
    inside = group == "Asian"
    rows = [
        np.mean(
            [balanced_accuracy_score(o.label[inside], o.predicted[inside], sample_weight=w[inside]) for o in outcomes]
        )
        for w in weights
    ]
    expected = bootstrap.interval(np.array(rows), 0.8)
    assert (asian.estimate.low, asian.estimate.high) == pytest.approx((expected.low, expected.high))


def test_p_values_are_corrected_for_the_number_of_groups():
    outcomes, group, subject, weights = people(harm=0.3)
    found = subgroups.measure(outcomes, group, subject, weights, HEADLINE)
    two = subgroups.measure(outcomes, np.where(group == "Caucasian", "Caucasian", "other"), subject, weights, HEADLINE)
    assert [g.p for g in two.groups] == [two.groups[0].p] * 2
    alone = two.groups[0].p
    assert found.groups[2].p == pytest.approx(min(1, 3 * alone))
    assert two.gap.value == pytest.approx(abs(two.groups[0].against_rest.value))


def test_people_in_two_groups_are_compared_with_themselves():
    """Each subject has a face in either light; errors are the subject's own, so that the lights cannot differ."""
    rng = np.random.default_rng(0)
    subject, light = np.repeat(np.arange(80), 4), np.tile(["dim", "bright"], 160)
    label, wrong = np.tile([0, 0, 1, 1], 80), rng.random(80)[subject] < 0.3
    outcome = two_classes(label, rng.random(320), np.where(wrong, 1 - label, label))
    found = subgroups.measure([outcome], light, subject, bootstrap.resamples(subject, 200, 0), HEADLINE)
    assert (found.gap.low, found.gap.high) == (0, 0)
    assert found.groups[0].estimate.high - found.groups[0].estimate.low > 0.1


def test_a_group_without_one_of_the_classes_has_a_reason():
    outcomes, group, subject, weights = people()
    label = np.where(group == "Black", 0, outcomes[0].label)
    outcomes = [replace(o, label=label) for o in outcomes]
    found = subgroups.measure(outcomes, group, subject, weights, HEADLINE)
    black = found.groups[1]
    assert np.isnan([black.estimate.value, black.against_rest.value, black.p]).all()
    assert black.estimate.reason == "needs faces of both classes"
    assert {found.best, found.worst} == {"Asian", "Caucasian"}
    assert not np.isnan(found.groups[0].p)
    specificity = subgroups.measure(outcomes, group, subject, weights, "specificity")
    assert not np.isnan(specificity.groups[1].estimate.value)


def test_faces_of_unknown_people_are_counted_and_in_no_group():
    outcomes, group, subject, weights = people()
    group = np.where(subject < 10, None, group)
    found = subgroups.measure(outcomes, group, subject, weights, HEADLINE)
    assert found.missing == 20
    assert sum(g.samples for g in found.groups) == 100
    alone = subgroups.measure(outcomes, np.where(subject < 100, "all", None), subject, weights, HEADLINE)
    assert (alone.best, alone.worst) == (None, None)
    assert alone.gap.reason
    assert np.isnan([alone.groups[0].p, alone.groups[0].against_rest.value]).all()


def test_failures_have_exact_intervals():
    group = np.array(["a"] * 30 + ["b"] * 20 + [np.nan] * 5, dtype=object)
    detected = np.arange(55) >= 3
    first, second = subgroups.failures(group, detected, confidence=0.9)
    assert (first.name, first.faces, first.missed) == ("a", 30, 3)
    assert (first.share.low, first.share.high) == pytest.approx(proportion_confint(3, 30, alpha=0.1, method="beta"))
    assert (second.missed, second.share.value, second.share.low) == (0, 0, 0)
    assert second.share.high == pytest.approx(1 - 0.05 ** (1 / 20))


def test_groupings_are_attributes_with_few_values():
    frame = pd.DataFrame(
        {
            "sample_id": list("abcdefghij"),
            "label": [0, 1] * 5,
            "age": range(20, 30),
            "age_group": ["Young", "Old"] * 5,
            "camera": "one",
            "prob_pain": 0.5,
            "prob": 0.5,
            "predicted": [0, 1] * 5,
        }
    )
    assert subgroups.groupings(frame) == ["age_group"]


def test_no_group_stands_out_where_there_is_no_difference():
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        subject = np.repeat(np.arange(90), 2)
        label, group = np.tile([0, 1], 90), np.array(list("abc"))[subject % 3]
        wrong = rng.random(180) < 0.25
        outcome = two_classes(label, rng.random(180), np.where(wrong, 1 - label, label))
        division = subgroups.measure([outcome], group, subject, bootstrap.resamples(subject, 200, seed), HEADLINE)
        found += min(g.p for g in division.groups) <= 0.05
    assert found <= 9  # 60 trials at a chance of 0.05 or a little more


def test_groups_of_seven_classes_and_the_rows_of_a_card():
    question = Question.of(TASKS["expression"])
    rng, n = np.random.default_rng(0), 420
    label = rng.integers(0, 7, n)
    frame = pd.DataFrame({"subject_id": np.arange(n) // 2, "part": "test", "label": label, "source": "a"})
    frame["gender"] = np.array(["Man", "Woman"])[frame["subject_id"] % 2]
    logits = (rng.normal(size=(n, 7)) + 2 * np.eye(7)[label]).astype(np.float32)
    frame = classify.prediction_columns(frame, logits, question)
    rows = subgroups.summary(frame, question, 50, 0.95, seed=0)
    assert [(row["attribute"], row["group"]) for row in rows] == [("gender", "Man"), ("gender", "Woman")]
    for row in rows:
        inside = frame[frame["gender"] == row["group"]]
        assert row["value"] == pytest.approx(balanced_accuracy_score(inside["label"], inside["predicted"]))
        assert row["low"] < row["value"] < row["high"]
        assert row["samples"] == len(inside)
