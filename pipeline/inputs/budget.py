"""The label budget: of which training subjects the true labels are known.

A pure function of a seed and of the subjects with their classes, and nested: who is among the first 10 is among the
first 20 too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from pipeline.errors import ConfigError
from pipeline.inputs import keyed_random

LABELLED = 3  # part of a key


def known(subjects: Sequence[str], strata: np.ndarray, labelled: float, seed: int) -> np.ndarray:
    """Which samples' true labels are known.

    Parameters
    ----------
    subjects : of the M samples.
    strata : int64, shape (M,), such as classes.
    labelled : so many subjects, or, below 1, their share; 0: all.
    seed : of the choice.

    Returns
    -------
    bool, shape (M,); all samples of a subject alike.

    Raises
    ------
    ConfigError : there are fewer subjects.
    """
    names = [str(subject) for subject in subjects]
    chosen = set(order(names, strata, seed)[: count(labelled, len(set(names)))])
    return np.array([name in chosen for name in names], bool)


def count(labelled: float, subjects: int) -> int:
    """How many of the subjects are labelled; of a share, the nearest whole number, at least one.

    Raises
    ------
    ConfigError : there are fewer subjects.
    """
    if not labelled:
        return subjects
    wanted = max(1, round(labelled * subjects)) if labelled < 1 else int(labelled)
    if wanted > subjects:
        raise ConfigError(
            f"LABELLED={labelled:g} asks for the labels of {wanted} training subjects, there are {subjects} that have "
            f"some. Ask for at most {subjects}, for a share such as LABELLED=0.5, or for all: LABELLED=0"
        )
    return wanted


def order(subjects: Sequence[str], strata: np.ndarray, seed: int) -> list[str]:
    """The different subjects, in the order in which their labels become known.

    The order is random, but goes round the strata: next comes a subject of the stratum of which the smallest share of
    subjects was taken. So every beginning has strata in their proportions, and all of them as soon as it can; until
    then a subject of many strata that are missing comes before one of fewer.

    Parameters
    ----------
    subjects : of the M samples.
    strata : int64, shape (M,).
    seed : of the order.
    """
    of_subject: dict[str, set[int]] = {}
    for subject, stratum in zip(subjects, np.asarray(strata).tolist(), strict=True):
        of_subject.setdefault(subject, set()).add(stratum)
    names = sorted(of_subject)
    drawn = keyed_random.hashed(seed, LABELLED, keyed_random.keys(names))
    shuffled = [names[place] for place in np.argsort(drawn, kind="stable")]
    queues = {one: deque(name for name in shuffled if one in of_subject[name]) for one in sorted(set(strata.tolist()))}
    sizes, taken, chosen = {one: len(queue) for one, queue in queues.items()}, dict.fromkeys(queues, 0), {}
    while len(chosen) < len(names):
        neediest = min(queues, key=lambda one: (taken[one] / sizes[one], one))
        missing = {one for one, number in taken.items() if not number}
        while queues[neediest][0] in chosen:
            queues[neediest].popleft()
        candidates = queues[neediest] if missing else [queues[neediest][0]]
        name = max(candidates, key=lambda name: len(of_subject[name] & missing))  # the first of equals
        chosen[name] = None
        for one in of_subject[name]:
            taken[one] += 1
    return list(chosen)
