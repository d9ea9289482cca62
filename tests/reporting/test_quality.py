from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from pipeline.reporting import effects, quality
from pipeline.reporting.methods import chosen, draws
from pipeline.reporting.runs import held_out
from pipeline.tasks import PAIN

HEADLINE = PAIN.headline


@pytest.fixture(scope="module")
def weights(compared):
    return draws(compared[0].runs[0], replicates=50, seed=0)


def test_calibration_is_the_mean_over_seeds(compared, weights):
    table = quality.calibrated(compared, weights)
    numbers = table.numbers.query("model == 'DeiT ← Swin'").set_index(["when", "figure"])["value"]
    tests = [held_out(run.predictions) for run in compared[3].runs]
    expected = np.mean([brier_score_loss(test["label"], test["prob_pain"]) for test in tests])
    assert numbers["before", "brier"] == pytest.approx(expected)
    fitted = [run.folds[0].calibration["after"]["figures"]["ece"]["value"] for run in compared[3].runs]
    assert numbers["after", "ece"] == pytest.approx(np.mean(fitted))
    assert numbers["", "temperature"] == pytest.approx(np.mean([run.temperatures[0] for run in compared[3].runs]))


def test_without_a_temperature_there_is_no_after(compared, weights):
    def unfitted(run):
        [one] = run.folds
        nothing = one.calibration | {"temperature": {"value": None}, "after": None}
        return dataclasses.replace(run, folds=(dataclasses.replace(one, calibration=nothing),))

    table = quality.calibrated([dataclasses.replace(compared[3], runs=tuple(map(unfitted, compared[3].runs)))], weights)
    assert str(table.shown["ECE, after"][0]) == table.shown["Temperature"][0] == "—"
    assert str(table.shown["ECE"][0]) != "—"


def test_classes_that_are_separated_have_no_slope_and_the_caption_says_why(compared, weights):
    def separated(run):
        margin = np.where(run.predictions["label"] == 1, 2.0, -2.0)
        frame = run.predictions.assign(logit_no_pain=-margin, logit_pain=margin)
        return dataclasses.replace(run, predictions=frame)

    perfect = dataclasses.replace(compared[3], runs=tuple(map(separated, compared[3].runs)))
    table = quality.calibrated([perfect], weights)
    assert str(table.shown["Calibration slope"][0]) == "—"
    assert "needs classes that the log-odds do not separate" in table.caption


def test_transfer_counts_from_the_untaught_student_to_the_teacher(compared, weights):
    methods = [
        dataclasses.replace(m, values={**m.values, HEADLINE: np.full((len(m.runs), 51), value)})
        for m, value in zip(compared, (0.8, 0.9, 0.8, 0.85, 0.7), strict=True)
    ]
    table = quality.transferred(methods, methods, weights)
    numbers = table.numbers.query("model == 'DeiT ← Swin'").set_index("figure")
    assert numbers["value"]["closed"] == pytest.approx(0.75)
    assert numbers["value"]["gain"] == pytest.approx(0.15)
    assert numbers["value"]["parameters"] == pytest.approx(5_400_000 / 7_600_000)
    tests = [held_out(run.predictions) for run in compared[3].runs]
    same = np.mean([(test["predicted"] == test["teacher_predicted"]).mean() for test in tests])
    assert numbers["value"]["agreement"] == pytest.approx(same)
    assert table.shown["Model"].tolist() == ["DeiT ← ResNet", "DeiT ← Swin"]
    assert set(table.shown.columns[1:]) == set(quality.definitions(PAIN))


def test_transfer_needs_a_teacher_and_says_what_else_it_lacks(compared, weights):
    assert quality.transferred(compared[2:], compared[2:], weights) is None
    alone = quality.transferred(compared[1:4:2], compared[1:4:2], weights)
    assert str(alone.shown["Gap closed, %"][0]) == "—"
    assert "needs the same student without a teacher" in alone.caption


def test_only_the_chosen_are_shown_and_all_are_kept(swept, weights):
    table = quality.transferred(swept, chosen(swept), weights)
    assert (len(table.shown), table.numbers["model"].nunique()) == (2, 14)


def test_seeds_that_say_the_same_agree(compared):
    run = compared[3].runs[0]
    same = dataclasses.replace(compared[3], runs=(run, run))
    assert quality.seeds_agree(same).value == pytest.approx(1)
    assert quality.seeds_agree(compared[3]).value < 1
    assert quality.seeds_agree(compared[0]).reason == "needs two seeds"


def test_second_opinions_count_the_faces_one_teachers_student_alone_got_right(compared):
    [e] = [e for e in effects.effects(compared) if e.factor == "teacher"]
    table = quality.opinions(e)
    assert table.numbers["seed"].tolist() == [0, 1]
    first, second = e.pairs[0]
    a, b = (held_out(method.runs[1].predictions).set_index("sample_id") for method in (first, second))
    right = (a["predicted"] == a["label"]) & (b["predicted"].loc[a.index] != a["label"])
    assert table.numbers["first_only"][1] == right.sum()
    assert table.numbers["first_roc_auc"][1] == pytest.approx(first.values["roc_auc"][1, 0])
