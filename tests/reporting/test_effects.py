from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pipeline.evaluation import bootstrap, power
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.significance import holm
from pipeline.reporting import effects
from pipeline.tasks import PAIN

HEADLINE = PAIN.headline


def only(found, factor):
    return [e for e in found if e.factor == factor]


def test_an_effect_is_the_mean_difference_of_matched_methods(swept):
    [teacher] = only(effects.effects(swept), "teacher")
    assert len(teacher.pairs) == 7
    for first, second in teacher.pairs:
        assert first.recipe.without("teacher") == second.recipe.without("teacher")
    rows = np.mean([a.mean(HEADLINE) - b.mean(HEADLINE) for a, b in teacher.pairs], axis=0)
    assert teacher.estimate.value == pytest.approx(rows[0])
    assert teacher.estimate.low <= np.quantile(rows[1:], 0.5) <= teacher.estimate.high
    assert teacher.estimate.value == pytest.approx(np.mean(list(teacher.per_seed.values())))
    assert teacher.estimate.value == pytest.approx(teacher.reached[0] - teacher.reached[1])
    assert teacher.estimate.value >= 0  # seen from the better one


def test_every_factor_is_compared_with_its_reference(swept):
    found = effects.effects(swept)
    assert {(e.factor, e.first, e.second, len(e.pairs)) for e in found if e.factor != "teacher"} == {
        ("teaching", "resnet", "none", 7),
        ("teaching", "swin", "none", 7),
        ("loss", "label,hint", "hard", 4),
        ("loss", "soft", "hard", 4),
        ("views", 6, 1, 6),
        ("folds", 5, 0, 2),
    }


def test_students_are_compared_with_each_other_teacher_by_teacher(compared):
    others = [dataclasses.replace(m, recipe=dataclasses.replace(m.recipe, student="vit")) for m in compared[2:]]
    [student] = only(effects.effects([*compared, *others]), "student")
    assert {student.first, student.second} == {"deit", "vit"}
    assert len(student.pairs) == 3  # two teachers and none
    assert student.estimate.value == 0
    assert not student.settled


def test_p_values_are_corrected_within_each_factor(swept):
    found = effects.effects(swept)
    for factor in ("teaching", "loss", "views"):
        family = only(found, factor)
        assert [e.adjusted for e in family] == pytest.approx(list(holm(np.array([e.p_value for e in family]))))
    [views] = only(found, "views")
    assert views.adjusted == views.p_value  # a family of one


def test_seeds_that_only_one_side_has_are_left_out(compared):
    first, second = compared[3], compared[2]
    fewer = dataclasses.replace(
        first, runs=first.runs[1:], values={name: rows[1:] for name, rows in first.values.items()}
    )
    e = effects.effect("teacher", "swin", "resnet", ((fewer, second),))
    assert list(e.per_seed) == [1]
    assert e.estimate.value == pytest.approx(first.values[HEADLINE][1, 0] - second.values[HEADLINE][1, 0])


def test_a_comparison_can_be_seen_from_both_sides(compared):
    found = effects.effects(compared)
    one, other = effects.between(found, "swin", "resnet"), effects.between(found, "resnet", "swin")
    assert (one.first, other.first) == ("swin", "resnet")
    assert one.estimate.value == -other.estimate.value
    assert (one.estimate.low, one.estimate.high) == (-other.estimate.high, -other.estimate.low)
    assert one.reached == other.reached[::-1]
    assert one.per_seed == {seed: -value for seed, value in other.per_seed.items()}
    assert effects.ranked(found)[0] == max(found, key=lambda e: e.factor == "teacher").first


@pytest.mark.parametrize(
    ("adjusted", "per_seed", "settled"),
    [
        (0.01, (0.02, 0.04), True),
        (0.2, (0.02, 0.04), False),
        (0.01, (-0.02, 0.08), False),
        (0.01, (), True),
        (float("nan"), (0.02, 0.04), False),
    ],
)
def test_settled_takes_the_corrected_p_value_and_every_seed(compared, adjusted, per_seed, settled):
    [e] = only(effects.effects(compared), "teacher")
    e = dataclasses.replace(
        e, adjusted=adjusted, per_seed=dict(enumerate(per_seed)), estimate=Estimate(0.03, 0.01, 0.05)
    )
    assert e.settled is settled


def test_the_standard_error_is_that_of_the_resamples_behind_the_interval(swept):
    [teacher] = only(effects.effects(swept), "teacher")
    per_seed = np.mean([a.values[HEADLINE] - b.values[HEADLINE] for a, b in teacher.pairs], axis=0)
    tested, draws = np.repeat(per_seed[:, :1], per_seed.shape[1], axis=1), bootstrap.seed_draws((0, 1), 200)
    rows = [bootstrap.over_seeds(per_seed, draws), bootstrap.over_seeds(per_seed), bootstrap.over_seeds(tested, draws)]
    expected = power.standard_error(*rows, subjects=18, seeds=2)
    assert dataclasses.astuple(teacher.error) == pytest.approx(dataclasses.astuple(expected))
    assert math.hypot(expected.of_subjects, expected.of_seeds, expected.of_both) == pytest.approx(expected.total)
    half = (teacher.estimate.high - teacher.estimate.low) / 2
    assert teacher.error.total == pytest.approx(half / 1.96, rel=0.25)
    assert teacher.smallest == pytest.approx((1.959964 + 0.841621) * teacher.error.total)
    assert effects.turned(teacher).error == teacher.error


def test_the_smallest_difference_stands_the_correction(swept):
    teaching = only(effects.effects(swept), "teaching")
    assert {e.tests for e in teaching} == {2}
    for e in teaching:
        assert e.alpha == pytest.approx(0.025)
        assert e.smallest == pytest.approx((2.241403 + 0.841621) * e.error.total)


def test_a_student_is_compared_with_its_teacher_in_every_seed(compared):
    student, teacher = compared[3], compared[1]
    assert (student.seeds, teacher.seeds) == ((0, 1), (0,))
    e = effects.effect("teaching", "swin", "none", ((student, teacher),))
    assert e.estimate.value == pytest.approx(student.mean(HEADLINE)[0] - teacher.mean(HEADLINE)[0])
    assert e.estimate.value == pytest.approx(np.mean(list(e.per_seed.values())))
    assert e.error.seeds == 2
