"""Single faces: who is shown how often, with which expression, and how varied the expressions are."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.config import DEMO_SEEDS
from pipeline.synth.basic_expressions import MAX_ASYMMETRY, PROTOTYPES, basic_expression
from pipeline.synth.expressions import ACTION_UNITS
from pipeline.synth.identity import cell, identity_seeds
from pipeline.synth.singles import CLASSES, plan

NAME = re.compile(r"([a-z]+)/(\d{5})_(Man|Woman)_(Young|Old)\.jpg")
# Units that raise a class above all others, in the mean.
LEADING = {"anger": 4, "disgust": 9, "fear": 20, "happiness": 12, "sadness": 15, "surprise": 2}


def draw(name, n=200):
    return [basic_expression(name, np.random.default_rng((4, k))) for k in range(n)]


def test_classes_are_the_seven_in_their_order():
    assert CLASSES == ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def test_names_tell_class_number_and_person():
    for number in range(140):
        what = plan(2, number)
        name, digits, gender, age_group = NAME.fullmatch(what.file).groups()
        assert (name, int(digits)) == (what.expression, number)
        assert (gender, age_group) == cell(2, what.identity)[:2]


@pytest.mark.parametrize("start", [0, 140, 1400])
def test_each_140_hold_every_group_once_with_every_expression(start):
    plans = [plan(5, number) for number in range(start, start + 140)]
    shown = Counter((cell(5, p.identity), p.expression) for p in plans)
    assert len(shown) == 140


def test_a_person_appears_once_or_twice_and_never_with_one_expression_twice():
    expressions = defaultdict(list)
    for number in range(420):
        what = plan(2, number)
        expressions[what.subject_id].append(what.expression)
    assert Counter(len(shown) for shown in expressions.values()) == {1: 180, 2: 120}
    assert all(len(set(shown)) == len(shown) for shown in expressions.values())


def test_the_shipped_sets_share_nobody():
    people = [identity_seeds(seed, 2_400) for seed in DEMO_SEEDS.values()]
    assert len(frozenset.union(*people)) == 2_400 * len(people)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_varies_in_strength_and_symmetry_on_the_facs_scale(name):
    faces = draw(name)
    totals = np.array([sum(face.units.values()) for face in faces])
    assert all(set(face.units) == set(ACTION_UNITS) for face in faces)
    assert all(0 <= level <= 5 for face in faces for level in face.units.values())
    assert np.percentile(totals, 90) > 1.4 * np.percentile(totals, 10)
    sides = np.array([face.asymmetry for face in faces])
    assert np.abs(sides).max() <= MAX_ASYMMETRY
    assert sides.min() < -0.2
    assert sides.max() > 0.2


@pytest.mark.parametrize(("name", "unit"), LEADING.items())
def test_each_class_leads_in_its_unit_and_every_other_shows_some_of_it(name, unit):
    levels = {other: np.array([face.units[unit] for face in draw(other)]) for other in PROTOTYPES}
    assert max(levels, key=lambda other: levels[other].mean()) == name
    assert all(levels[other].max() > 0.5 for other in PROTOTYPES)


def test_a_calm_face_is_not_always_quite_calm_and_a_class_is_often_mixed():
    calm = np.array([sum(face.units.values()) for face in draw("neutral")])
    assert np.percentile(calm, 5) < 1
    assert np.percentile(calm, 95) > 3
    lifted = np.mean([face.units[12] > 0.3 for face in draw("anger")])  # a smile's unit, no part of any anger
    assert 0.05 < lifted < 0.4
