"""Names, balance and layout of the pairs."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from pipeline.synth.identity import ETHNICITIES
from pipeline.synth.pairs import layout, plan

NAME = re.compile(r"1([01])([01])([01])([0-4])(\d{5})_(Pain|NoPain)_(Man|Woman)_(Young|Old)\.jpg")


def test_names_are_synpains_and_tell_the_truth():
    for number in range(60):
        what = plan(1, number)
        flags, word, gender, age = (m := NAME.fullmatch(what.file)).group(1, 2, 3, 4), *m.group(6, 7, 8)
        assert flags == (
            str(int(what.pain)),
            str(int(gender == "Woman")),
            str(int(age == "Old")),
            str(ETHNICITIES.index(what.ethnicity)),
        )
        assert (word == "Pain") == what.pain
        assert (gender, age) == (what.gender, what.age_group)
        assert what.subject_id == what.file.split("_")[0]


def test_each_forty_holds_every_group_with_and_without_pain():
    for start in (0, 40, 80):
        plans = [plan(5, number) for number in range(start, start + 40)]
        seen = Counter((p.pain, p.gender, p.age_group, p.ethnicity) for p in plans)
        assert len(seen) == 40


def test_names_do_not_collide():
    assert len({plan(1, number).file for number in range(2_000)}) == 2_000


def test_halves_meet_at_a_divider_in_most_pictures():
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(400):
        (start, left), (right, stop) = layout(rng, 1312)
        assert (start, stop) == (0, 1312)
        assert 645 < left <= right < 665
        gaps.append(right - left)
    assert 0.72 < np.mean(np.array(gaps) > 0) < 0.88
    assert set(gaps) <= set(range(10))
    assert max(gaps) == 9
