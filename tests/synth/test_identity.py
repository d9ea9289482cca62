"""Identities are balanced, grow without changing, and never meet across sets."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.synth.identity import ETHNICITIES, cell, identity_seed, identity_seeds, sample_identity

LABELS = ("universal:x", "local_change:nose-hump-incr", "local_change:nose-hump-decr") + tuple(
    f"local_change:{side}-eye-scale-{way}" for side in "lr" for way in ("incr", "decr")
)


def test_the_demo_set_and_the_pretraining_set_share_nobody():
    assert identity_seeds(1, 1_000).isdisjoint(identity_seeds(1000, 20_000))


def test_a_set_can_grow_without_changing():
    assert identity_seeds(1, 50) < identity_seeds(1, 60)
    assert len(identity_seeds(1, 5_000)) == 5_000
    assert [cell(1, k) for k in range(40)] == [cell(1, k) for k in range(60)][:40]


def test_every_block_of_twenty_holds_each_combination_once():
    for block in range(3):
        cells = Counter(cell(7, 20 * block + place) for place in range(20))
        assert len(cells) == 20
        assert set(cells.values()) == {1}
    assert {ethnicity for _, _, ethnicity in cells} == set(ETHNICITIES)


def test_an_identity_depends_on_its_seed_and_number_alone():
    first, again = (sample_identity(1, 5, LABELS) for _ in range(2))
    assert first == again
    assert first.seed == identity_seed(1, 5)
    assert sample_identity(1, 6, LABELS).phenotype != first.phenotype
    assert sample_identity(2, 5, LABELS).phenotype != first.phenotype


@pytest.mark.parametrize("number", range(20))
def test_attributes_agree_with_the_cell(number):
    person = sample_identity(3, number, LABELS)
    assert (person.gender, person.age_group, person.ethnicity) == cell(3, number)
    assert 18 <= person.age <= 85
    assert (person.phenotype["gender"] > 0.5) == (person.gender == "Woman")
    assert person.beard == 0 or person.gender == "Man"
    if person.ethnicity == "Black":
        assert person.phenotype["african"] > 0.5


def test_eyes_change_together():
    shape = sample_identity(3, 0, LABELS).shape
    signed = {name: value if name.endswith("incr") else -value for name, value in shape.items()}
    left, right = (next(v for k, v in signed.items() if f":{side}-eye" in k) for side in "lr")
    assert left == pytest.approx(right, abs=0.15)
