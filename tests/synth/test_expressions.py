"""What an expression says about its action units, and what moves on the face for it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.synth.expressions import (
    ACTION_UNITS,
    LIPS_CLOSED,
    OTHER_EXPRESSIONS,
    Expression,
    face_units,
    neutral,
    pain,
    pspi,
    side_gain,
)


def units(**levels: float) -> dict[int, float]:
    return dict.fromkeys(ACTION_UNITS, 0.0) | {int(name[2:]): level for name, level in levels.items()}


def draw(sampler, n=300) -> list[Expression]:
    return [sampler(np.random.default_rng((4, k))) for k in range(n)]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({}, 0.0),
        ({"au4": 3, "au6": 2, "au7": 4, "au9": 1, "au10": 0.5, "au43": 1}, 9.0),
        ({"au12": 5, "au20": 5, "au25": 5, "au27": 5}, 0.0),
        ({"au4": 5, "au6": 5, "au7": 5, "au9": 5, "au10": 5, "au43": 1}, 16.0),
    ],
)
def test_pspi_is_prkachin_and_solomons_sum(levels, expected):
    assert pspi(units(**levels)) == expected


def test_every_sampler_stays_on_the_facs_scale():
    for sampler in (neutral, pain, *OTHER_EXPRESSIONS.values()):
        for face in draw(sampler, 40):
            assert set(face.units) == set(ACTION_UNITS)
            assert all(0 <= level <= 5 for level in face.units.values())
            assert face.units[43] in (0, 1)
            assert abs(face.asymmetry) <= 0.5


def test_pain_runs_from_mild_to_extreme_and_neutral_shows_none():
    scores = np.array([face.pspi for face in draw(pain)])
    assert scores.min() > 2
    assert np.percentile(scores, 10) < 6
    assert scores.max() > 12
    assert max(face.pspi for face in draw(neutral)) < 1.5


def test_no_single_unit_of_pain_tells_it_from_other_expressions():
    others = [face for name in OTHER_EXPRESSIONS for face in draw(OTHER_EXPRESSIONS[name], 40)]
    for unit in (4, 6, 7, 9, 10, 25, 43):
        in_pain = np.median([face.units[unit] for face in draw(pain)])
        assert max(face.units[unit] for face in others) >= in_pain, unit


def test_asymmetry_weakens_one_side_only():
    assert side_gain(0.3, right=True) == 1.0
    assert side_gain(0.3, right=False) == pytest.approx(0.7)
    lopsided = face_units(Expression("smile", units(au12=4), asymmetry=0.3))
    # A person's left is the picture's right.
    assert lopsided["facial_action:mouthSmileLeft"] > lopsided["facial_action:mouthSmileRight"]


def test_lids_close_together_however_lopsided_the_face_is():
    closed = face_units(Expression("pain", units(au43=1), asymmetry=-0.45))
    assert closed["facial_action:eyeBlinkLeft"] == closed["facial_action:eyeBlinkRight"] == 1.0


def test_lips_meet_unless_the_jaw_drops():
    assert face_units(Expression("neutral", units()))["facial_action:jawOpen"] == LIPS_CLOSED
    assert face_units(Expression("yawn", units(au27=5)))["facial_action:jawOpen"] > 0.5
