"""Outer cross-validation: every subject is in the test part of one fold, and nobody is in two parts of any.

Of K folds, fold k tests, the next one (after the last the first) validates, the others are learned from. Folds are the
dataset's own, or dealt out with every group of subjects spread over them, or one for each subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.artifacts.tables import listed
from pipeline.config import EACH_SUBJECT, ONE_SPLIT
from pipeline.errors import ConfigError, DataError
from pipeline.fields import LEAST_OUTER_FOLDS
from pipeline.inputs.split import AT_RANDOM, assign, need_classes, official_folds
from pipeline.inputs.strata import answers_of, subject_groups

FEWER = f"Give fewer, at least CV={LEAST_OUTER_FOLDS}, or one split: CV={ONE_SPLIT}"


def deal(
    table: pd.DataFrame, summary: Mapping[str, Sequence[str]], cv: str, seed: int, official: bool
) -> dict[str, int]:
    """The outer fold of each subject, from 0.

    Parameters
    ----------
    table : columns ``subject_id``, the primary target, the attributes, and ``fold`` if ``official``.
    summary : of the index, as `pipeline.inputs.split.split` reads it.
    cv : how many folds, or `EACH_SUBJECT`: subjects in an order of their own, so that who validates is nobody's choice.
    seed : of what is random.
    official : use the column ``fold``, which says which subjects go together; leaving each subject out needs no folds.

    Raises
    ------
    ConfigError : the official folds are another number.
    DataError : there are fewer subjects than folds, or the official folds leave somebody out or contradict themselves.
    """
    if cv == EACH_SUBJECT:
        names = sorted(set(table["subject_id"]))
        order = np.random.default_rng(seed).permutation(len(names))
        return {names[place]: fold for fold, place in enumerate(order)}
    if official:
        return _numbered(official_folds(table), int(cv))
    groups = subject_groups(table, answers_of(table, summary), summary)
    if len(groups) < int(cv):
        raise DataError(f"CV={cv} asks for {cv} folds, there are {len(groups)} subjects. {FEWER}")
    dealt = assign(groups, {str(fold): 1 / int(cv) for fold in range(int(cv))}, seed)
    return {subject: int(fold) for subject, fold in dealt.items()}


def parts(folds: Mapping[str, int], fold: int) -> dict[str, str]:
    """The part of each subject where one fold tests.

    Parameters
    ----------
    folds : of each subject, as `deal` gives them.
    fold : that tests.
    """
    following = (fold + 1) % (max(folds.values()) + 1)
    meaning = {fold: "test", following: "val"}
    return {subject: meaning.get(number, "train") for subject, number in folds.items()}


def split(
    table: pd.DataFrame, summary: Mapping[str, Sequence[str]], cv: str, fold: int, seed: int, official: bool
) -> dict[str, str]:
    """The part of each subject in one outer fold.

    The test and the validation part of a fold may lack a class, which few subjects have: figures are those of all folds
    together. What is learned from may not.

    Raises
    ------
    ConfigError : the official folds are another number.
    DataError : as `deal`; or there is one class alone, or the training part lacks a class.
    """
    assigned = parts(deal(table, summary, cv, seed, official), fold)
    need_classes(table, summary, assigned, {"train": f"Each fold learns from the others. {FEWER}"})
    return assigned


def _numbered(folds: Mapping[str, str], count: int) -> dict[str, int]:
    """The official folds as numbers from 0, in their order."""
    names = set(folds.values()) - {""}
    if words := sorted(name for name in names if not name.isdigit()):
        raise ConfigError(
            f"The official folds are parts ({listed(words)}), of which not each is for the test: CV={count} cannot use "
            f"them. Give CV={ONE_SPLIT}, or let the folds be dealt out: {AT_RANDOM}"
        )
    if len(names) != count:
        use = f"CV={len(names)}" if len(names) >= LEAST_OUTER_FOLDS else f"CV={ONE_SPLIT}"
        raise ConfigError(
            f"The dataset brings {len(names)} official folds, CV={count} asks for {count}. Use its own: {use}; or let "
            f"{count} folds be dealt out: {AT_RANDOM}"
        )
    if without := sorted(subject for subject, name in folds.items() if not name):
        raise DataError(
            f"{len(without)} subjects are in no official fold, the first is {without[0]}: nobody would test them. "
            f"Correct the folds, or let them be dealt out: {AT_RANDOM}"
        )
    numbers = {name: number for number, name in enumerate(sorted(names, key=int))}
    return {subject: numbers[name] for subject, name in folds.items()}
