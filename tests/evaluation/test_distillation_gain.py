from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from pipeline.evaluation import bootstrap, distillation_gain
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS

SMALL, BIG = {"parameters": 5e6, "gflops": 1.0}, {"parameters": 25e6, "gflops": 8.0}


def rows(value: float, spread: float = 0.01, seed: int = 0, replicates: int = 999) -> np.ndarray:
    return np.r_[value, value + spread * np.random.default_rng(seed).normal(size=replicates)]


def test_by_hand():
    found = distillation_gain.measure(rows(0.85, seed=1), rows(0.90, seed=2), rows(0.80, seed=3), SMALL, BIG)
    assert found.gap.value == pytest.approx(0.10)
    assert found.gain.value == pytest.approx(0.05)
    assert found.closed.value == pytest.approx(0.5)
    assert 0.2 < found.closed.low < 0.4
    assert 0.6 < found.closed.high < 0.8
    assert found.kept.value == pytest.approx(0.85 / 0.90)
    assert (found.parameters, found.gflops) == (0.2, 0.125)
    assert found.per_parameters.value == pytest.approx(0.85 / 0.90 * 5)
    assert found.per_gflops.high == pytest.approx(8 * found.kept.high)


def test_an_error_closes_a_gap_by_falling():
    taught, teacher, untaught = rows(0.035, 1e-4, seed=1), rows(0.030, 1e-4, seed=2), rows(0.040, 1e-4, seed=3)
    found = distillation_gain.measure(taught, teacher, untaught, SMALL, BIG, lower_is_better=True)
    assert (found.gap.value, found.gain.value) == pytest.approx((-0.010, -0.005))
    assert found.closed.value == pytest.approx(0.5)
    assert 0 < found.closed.low < 0.5 < found.closed.high < 1
    assert found.kept.value == pytest.approx(0.030 / 0.035)
    worse = distillation_gain.measure(taught, untaught, teacher, SMALL, BIG, lower_is_better=True)
    assert "not clearly better" in worse.closed.reason


def test_an_error_is_defined_the_other_way_round():
    question = Question("regress", ("pspi",), headline="mae")
    told = distillation_gain.definitions(question)
    assert "below zero" in told["closed"]
    assert told["kept"].startswith("The teacher's MAE divided by the student's")
    assert "above zero" in distillation_gain.definitions(Question("regress", ("pspi",), headline="ccc"))["closed"]


def test_ratio_is_taken_inside_a_resample():
    untaught = rows(0.8)
    teacher = untaught + np.linspace(0.05, 0.15, 1000)  # the gap varies, the share of it does not
    found = distillation_gain.measure(untaught + 0.6 * (teacher - untaught), teacher, untaught, SMALL, BIG)
    assert (found.closed.low, found.closed.high) == pytest.approx((0.6, 0.6))


@pytest.mark.parametrize("teacher", [0.80, 0.81, 0.70])
def test_no_gap_cannot_be_closed(teacher):
    found = distillation_gain.measure(rows(0.85, seed=1), rows(teacher, seed=2), rows(0.80, seed=3), SMALL, BIG)
    assert np.isnan([found.closed.value, found.closed.low]).all()
    assert "not clearly better" in found.closed.reason
    assert found.gain.excludes_zero
    assert found.kept.value > 1


def test_resamples_without_a_gap_are_counted_not_used():
    gap = np.r_[0.1, np.full(10, -0.05), np.full(989, 0.1)]
    untaught = np.full(1000, 0.8)
    found = distillation_gain.measure(untaught + 0.05, untaught + gap, untaught, SMALL, BIG)
    assert found.gap.low > 0
    assert found.closed.undefined == 10
    assert (found.closed.low, found.closed.high) == pytest.approx((0.5, 0.5))


def test_without_an_untaught_student_or_a_value():
    found = distillation_gain.measure(rows(0.85), rows(0.9), None, SMALL, BIG)
    for estimate in (found.gap, found.gain, found.closed):
        assert np.isnan(estimate.value)
        assert estimate.reason == distillation_gain.NO_UNTAUGHT
    assert found.kept.value == pytest.approx(0.85 / 0.9)
    undefined = distillation_gain.measure(
        np.full(10, np.nan), rows(0.9, replicates=9), rows(0.8, replicates=9), SMALL, BIG
    )
    for estimate in (undefined.gain, undefined.closed, undefined.kept, undefined.per_gflops):
        assert np.isnan(estimate.value)
        assert estimate.reason


def test_one_subject_has_no_interval_and_no_closed_gap():
    alone = np.r_[0.9, np.full(20, np.nan)]
    found = distillation_gain.measure(alone - 0.05, alone, alone - 0.1, SMALL, BIG)
    assert found.gap.value == pytest.approx(0.1)
    assert np.isnan([found.gap.low, found.closed.value]).all()
    assert found.closed.reason


def test_copied_errors_by_hand():
    label = np.array([0, 0, 1, 1, 0, 1])
    teacher = np.array([1, 0, 1, 0, 0, 0])  # wrong about faces 0, 3 and 5
    taught = np.array([[1, 0, 1, 0, 0, 1], [1, 0, 1, 1, 1, 1]])
    untaught = np.array([[0, 0, 1, 0, 0, 1]])
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 1, 1, 0, 1, 1]], float)
    found = distillation_gain.copied(taught, teacher, label, weights, untaught)
    assert found.teacher_errors == 3
    assert found.agreement.value == pytest.approx((5 + 3) / 12)
    assert found.on_errors.value == pytest.approx((2 + 1) / 6)
    assert found.untaught_agreement.value == pytest.approx(4 / 6)
    assert found.untaught_on_errors.value == pytest.approx(1 / 3)
    assert found.excess.value == pytest.approx(1 / 6)
    # In the resample face 0 counts twice, face 3 not at all.
    assert found.on_errors.low == pytest.approx((4 + 0) / 6)
    assert found.excess.low == pytest.approx(4 / 6 - 0)


def test_a_copy_repeats_every_error_and_an_independent_student_does_not():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 600)
    teacher, other = (np.where(rng.random(600) < 0.2, 1 - label, label) for _ in range(2))
    weights = bootstrap.resamples(np.repeat(np.arange(300), 2), 200, 0)
    found = distillation_gain.copied(np.stack([teacher, teacher]), teacher, label, weights, other[None])
    assert (found.agreement.value, found.on_errors.low) == (1, 1)
    assert found.untaught_on_errors.low < 0.2 < found.untaught_on_errors.high
    assert found.excess.low > 0.6


def test_errors_among_seven_classes_are_repeated_only_in_the_same_class():
    label, teacher, weights = np.array([0, 3, 6, 2]), np.array([1, 3, 5, 2]), np.ones((3, 4))
    taught = np.array([[1, 3, 4, 2]])  # the teacher's error about the first, another about the third
    found = distillation_gain.copied(taught, teacher, label, weights)
    assert found.teacher_errors == 2
    assert found.on_errors.value == pytest.approx(1 / 2)
    assert found.agreement.value == pytest.approx(3 / 4)


def test_a_teacher_without_errors_has_none_to_repeat():
    label = np.array([0, 1, 1])
    found = distillation_gain.copied(label[None], label, label, np.ones((3, 3)))
    assert found.teacher_errors == 0
    assert found.agreement.value == 1
    assert found.on_errors.reason == "needs a test face that the teacher got wrong"
    assert found.excess.reason == distillation_gain.NO_UNTAUGHT


def test_every_figure_is_defined_in_words():
    names = {field.name for kind in (distillation_gain.Transfer, distillation_gain.Copied) for field in fields(kind)}
    definitions = distillation_gain.definitions(Question.of(TASKS["expression"]))
    assert set(definitions) == names
    assert "balanced accuracy of one in 7" in definitions["kept"]
    numbers = Question("regress", ("pspi",), headline="ccc", sample="window", samples="windows")
    definitions = distillation_gain.definitions(numbers)
    assert definitions["gap"] == "The teacher's CCC minus that of the same student without a teacher."
    assert "Guessing" not in definitions["kept"]
    assert definitions["teacher_errors"] == "Test windows that the teacher got wrong."
