"""Of which subjects the labels are known: nested, by seed, all classes early, and never more than there are."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.inputs import budget

# 60 subjects of two samples; 40 of class 0, 15 of class 1, 4 of class 2 and one of both 1 and 2.
CLASSES = [(0, 0)] * 40 + [(1, 1)] * 15 + [(2, 2)] * 4 + [(1, 2)]
SUBJECTS = [f"s{number}" for number in range(60) for _ in range(2)]
STRATA = np.array(CLASSES).ravel()


def subjects_of(known: np.ndarray) -> set[str]:
    return {subject for subject, one in zip(SUBJECTS, known, strict=True) if one}


@pytest.mark.parametrize("seed", range(5))
def test_a_small_budget_lies_within_a_larger_one_and_subjects_are_whole(seed):
    chosen = [budget.known(SUBJECTS, STRATA, labelled, seed) for labelled in (3, 10, 20, 50, 0)]
    for labelled, known, more in zip((3, 10, 20, 50), chosen, chosen[1:], strict=False):
        assert len(subjects_of(known)) == labelled
        assert known.sum() == 2 * labelled  # both samples of each
        assert (known <= more).all()
    assert chosen[-1].all()


def test_the_choice_is_the_seeds_and_no_orders():
    first = budget.known(SUBJECTS, STRATA, 10, 1)
    assert not np.array_equal(first, budget.known(SUBJECTS, STRATA, 10, 2))
    turned = np.random.default_rng(0).permutation(len(SUBJECTS))
    again = budget.known([SUBJECTS[place] for place in turned], STRATA[turned], 10, 1)
    assert np.array_equal(again, first[turned])


@pytest.mark.parametrize("seed", range(20))
def test_the_first_subjects_have_all_classes(seed):
    order = budget.order(SUBJECTS, STRATA, seed)
    classes = {f"s{number}": set(both) for number, both in enumerate(CLASSES)}
    assert set.union(*(classes[name] for name in order[:2])) == {0, 1, 2}  # one subject has two of them
    counts = np.array([sum(one in classes[name] for name in order[:24]) for one in range(3)])
    assert np.abs(counts - np.array([40, 16, 5]) * 24 / 60).max() <= 1.5  # in their proportions
    assert sorted(order) == sorted(classes)


def test_chance_decides_among_subjects_alike():
    drawn = [frozenset(subjects_of(budget.known(SUBJECTS, STRATA, 5, seed))) for seed in range(200)]
    often = np.array([sum(f"s{number}" in one for one in drawn) for number in range(40)])
    assert len(set(drawn)) > 190
    assert often.max() < 4 * often.mean()
    assert often.min() > 0


@pytest.mark.parametrize(
    ("labelled", "subjects", "expected"), [(0, 7, 7), (7, 7, 7), (0.5, 7, 4), (0.01, 7, 1), (0.25, 40, 10), (1, 7, 1)]
)
def test_numbers_and_shares(labelled, subjects, expected):
    assert budget.count(labelled, subjects) == expected


def test_more_subjects_than_there_are_is_an_error_that_says_how_many_there_are():
    with pytest.raises(ConfigError, match=r"LABELLED=61 asks for the labels of 61 .* there are 60 .*LABELLED=0\.5"):
        budget.known(SUBJECTS, STRATA, 61, 0)
