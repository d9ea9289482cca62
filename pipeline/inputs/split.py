"""Subject-disjoint, stratified parts.

Iterative stratification for multi-label data, on subjects: the rarest group of subjects is dealt out first, each
subject to the part that lacks most of that group. Shares of the whole are met exactly, those of each group as nearly
as possible.

Source: Sechidis, Tsoumakas, Vlahavas 2011, "On the Stratification of Multi-Label Data", section 3. Departures: the
parts' sizes are fixed before, ties go to the part that lacks most over all the subject's groups, and at the end
subjects are swapped between parts as long as that brings the groups nearer to their shares.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from heapq import heappop, heappush
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.artifacts.tables import listed
from pipeline.errors import ConfigError, DataError
from pipeline.inputs.strata import CLASS, answers_of, classes_of, of_numbers, points_alone, subject_groups

MOST_COMPARED = 10**9  # memberships of pairs that are compared: ten seconds
MOST_MEMBERSHIPS = 10**8  # of kinds of subjects in groups: 800 MB
PARTS = ("train", "val", "test")
# What to do, with the variables of make split and those that make report and the like have for it.
AT_RANDOM = "OFFICIAL=false (SPLIT_OFFICIAL=false but for make split)."
OTHER_SHARES = "TRAIN= and VAL= (SPLIT_TRAIN= and SPLIT_VAL= but for make split)."


def shares(train: float, val: float) -> dict[str, float]:
    """The shares of the three parts, checked.

    Raises
    ------
    ConfigError : a part would be empty.
    """
    if not (train > 0 and val > 0 and train + val < 1):
        raise ConfigError(
            f"The shares train {train:g} and val {val:g} leave {round(1 - train - val, 6) + 0:g} for the test; "
            "all three must be above 0."
        )
    return {"train": train, "val": val, "test": 1 - train - val}


def apportion(count: int, parts: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers that add up to ``count``, by largest remainders, none 0 if ``count`` reaches the parts."""
    exact = {part: count * share / sum(parts.values()) for part, share in parts.items()}
    whole = {part: int(value + 1e-9) for part, value in exact.items()}
    if count >= len(parts):
        whole = {part: max(1, value) for part, value in whole.items()}
    while (left := count - sum(whole.values())) != 0:
        sign = 1 if left > 0 else -1
        part = max((p for p in parts if sign > 0 or whole[p] > 1), key=lambda p: sign * (exact[p] - whole[p]))
        whole[part] += sign
    return whole


def assign(groups: Mapping[str, Set[str]], parts: Mapping[str, float], seed: int) -> dict[str, str]:
    """Deal subjects out to parts.

    Parameters
    ----------
    groups : for each subject, the groups it is in, as ``strata.groups_of`` names them. Groups of which the smallest
        part should have less than one are too small to be spread and do not count, except the classes.
    parts : share of each part.
    seed : of the order among subjects that the groups do not tell apart.

    Returns
    -------
    The part of each subject; a function of the content alone, not of any order.

    Raises
    ------
    DataError : there are fewer subjects than parts.
    """
    if len(groups) < len(parts):
        raise DataError(
            f"Too few subjects for the {len(parts)} parts {', '.join(parts)}: {len(groups)}, each part needs one. "
            "Add subjects, or give them in the subject column of a CSV file."
        )
    names = sorted(groups)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    sizes = Counter(group for subject in order for group in groups[subject])
    smallest = min(parts.values()) / sum(parts.values())
    need = {
        group: apportion(size, parts)
        for group, size in sizes.items()
        if size * smallest >= 1 or group.startswith(CLASS)
    }
    useful = {subject: sorted(groups[subject] & need.keys()) for subject in order}
    room = apportion(len(order), parts)

    assigned: dict[str, str] = {}
    for subject, rarest in _rarest_first(useful):
        part = max(
            (part for part in parts if room[part] > 0),
            key=lambda part: (
                need[rarest][part] if rarest else 0,
                sum(need[group][part] / sizes[group] for group in useful[subject]),
                room[part] / parts[part],
            ),
        )
        assigned[subject] = part
        room[part] -= 1
        for group in useful[subject]:
            need[group][part] -= 1
    _swap(assigned, useful, need)
    return assigned


def _rarest_first(groups: Mapping[str, Sequence[str]]):
    """Subjects with the group they are dealt out for: always one of the group with the fewest subjects left."""
    left: dict[str, list[str]] = defaultdict(list)
    for subject, found in groups.items():
        for group in found:
            left[group].append(subject)
    done: set[str] = set()
    counts = {group: len(members) for group, members in left.items()}
    # A group stands in the heap once for each number that it had: what is no longer its number is passed over.
    heap = sorted((number, group) for group, number in counts.items())
    while heap:
        number, rarest = heappop(heap)
        if counts.get(rarest) != number:
            continue
        del counts[rarest]
        for subject in left[rarest]:
            if subject not in done:
                done.add(subject)
                for group in groups[subject]:
                    if group in counts:
                        counts[group] -= 1
                        heappush(heap, (counts[group], group))
                yield subject, rarest
    yield from ((subject, None) for subject in groups if subject not in done)


def _swap(
    assigned: dict[str, str],
    groups: Mapping[str, Sequence[str]],
    need: Mapping[str, Mapping[str, int]],
) -> None:
    """Swap subjects of two parts, the best pair first, as long as the weighted sum of squared needs falls.

    It ends before where there are so many kinds of subjects that looking at their pairs would take long.
    """
    names = sorted(need)
    place = {group: i for i, group in enumerate(names)}
    sizes = Counter(group for found in groups.values() for group in found)
    # Classes come before attributes, a rare class before a frequent one.
    weights = np.array([4 * len(assigned) / sizes[group] if group.startswith(CLASS) else 1 for group in names])
    parts = sorted(set(assigned.values()))
    lack = {part: np.array([need[group][part] for group in names], float) for part in parts}
    looked_at = 0
    while names:
        # Subjects in the same groups are alike: one of each kind stands for them.
        kinds = {part: {tuple(groups[s]): s for s in assigned if assigned[s] == part} for part in parts}
        looked_at += len(names) * sum(len(kinds[a]) * len(kinds[b]) for a, b in combinations(parts, 2))
        if looked_at > MOST_COMPARED or len(names) * sum(map(len, kinds.values())) > MOST_MEMBERSHIPS:
            return
        members = {part: _memberships(kinds[part], place) for part in parts}
        swaps = []
        for a, b in combinations(parts, 2):
            # A swap that moves d from b to a changes the needs to lack[a] - d and lack[b] + d: half the sum of their
            # squares grows by (lack[b] - lack[a]) d + d d.
            towards = weights * (lack[b] - lack[a])
            growth = members[b] @ towards - (members[a] @ towards)[:, None]
            for row, kind in enumerate(members[a]):
                growth[row] += ((kind != members[b]) * weights).sum(axis=1)
            i, j = np.unravel_index(growth.argmin(), growth.shape)
            swaps.append((growth[i, j], a, b, i, j))
        best, a, b, i, j = min(swaps)
        if best > -1e-6:
            return
        first, second = list(kinds[a].values())[i], list(kinds[b].values())[j]
        assigned[first], assigned[second] = b, a
        moved = members[b][j] - members[a][i]
        lack[a], lack[b] = lack[a] - moved, lack[b] + moved


def _memberships(kinds: Iterable[tuple[str, ...]], place: Mapping[str, int]) -> np.ndarray:
    """One row for each kind of subject, 1 for each group that it is in."""
    rows = np.zeros((len(list(kinds)), len(place)))
    for row, groups in zip(rows, kinds, strict=True):
        row[[place[group] for group in groups]] = 1
    return rows


def official_folds(table: pd.DataFrame) -> dict[str, str]:
    """The official fold of each subject, empty where it has none.

    Parameters
    ----------
    table : columns ``subject_id`` and ``fold``.

    Raises
    ------
    DataError : a subject is in several.
    """
    folds = table["fold"].fillna("").groupby(table["subject_id"]).agg(lambda names: sorted(set(names)))
    if torn := [subject for subject, names in folds.items() if len(names) > 1]:
        raise DataError(
            f"{len(torn)} subjects are in several official folds, "
            f"the first is {torn[0]} in {listed(folds[torn[0]])}. Correct them, or split at random: {AT_RANDOM}"
        )
    return {subject: names[0] for subject, names in folds.items()}


def official_parts(folds: Mapping[str, str]) -> dict[str, str]:
    """The part of each subject by the dataset's own folds.

    ``train``, ``val`` and ``test`` mean themselves. Of numbered folds the last is the test; with three or more of them,
    the one before it is the validation part; the rest is for training.

    Parameters
    ----------
    folds : fold of each subject; an empty one, for a subject that the folds leave out, means training.

    Raises
    ------
    DataError : the folds mix names and numbers, or leave no test or no training part.
    """
    found = {fold for fold in folds.values() if fold}
    named = found.intersection(PARTS)
    numbers = sorted(found - named, key=int)
    if named and numbers:
        raise DataError(
            f"The official folds mix names ({', '.join(sorted(named))}) and numbers ({listed(numbers)}). "
            f"Use one of them, or split at random: {AT_RANDOM}"
        )
    meaning = dict.fromkeys(["", *numbers], "train") | {part: part for part in named}
    if len(numbers) >= 2:
        meaning[numbers[-1]] = "test"
        if len(numbers) >= 3:
            meaning[numbers[-2]] = "val"
    parts = {subject: meaning[fold] for subject, fold in folds.items()}
    missing = {"train", "test"} - set(parts.values())
    if missing:
        raise DataError(
            f"The official folds ({listed(sorted(found))}) leave no {' and no '.join(sorted(missing))} part. "
            f"Correct them, or split at random: {AT_RANDOM}"
        )
    return parts


def split(
    table: pd.DataFrame, summary: Mapping[str, Sequence[str]], parts: Mapping[str, float], seed: int, official: bool
) -> dict[str, str]:
    """The part of each subject of a sample table.

    Parameters
    ----------
    table : columns ``subject_id``, the primary target, the attributes, and ``fold`` if ``official``.
    summary : of the index: ``targets``, the first of which is the primary one and stratifies, by its words, of which 0
        and 1 are two, or, as numbers, by ``strata.BINS`` bins of equal size, where it is no set of points; and
        ``attributes``, which stratify besides, numbers aside. Of several targets of 0 and 1 the others do so, too.
    parts : shares, as ``shares`` gives them.
    seed : of the random split.
    official : use the column ``fold``; a validation part that it lacks is cut from the training part.

    Raises
    ------
    DataError : there is one class alone, there are too few subjects, a part lacks a class, or the folds contradict
        themselves.
    """
    answers = answers_of(table, summary)
    groups = subject_groups(table, answers, summary)
    assigned = assign(groups, parts, seed) if not official else _with_validation(table, groups, parts, seed)
    if official:
        remedy = f"correct the official folds, or split at random: {AT_RANDOM}"
    else:
        remedy = f"add subjects, or change the shares: {OTHER_SHARES}"
    need_classes(
        table, summary, assigned, dict.fromkeys(PARTS, f"Each of the three parts needs one such subject: {remedy}")
    )
    return assigned


def need_classes(
    table: pd.DataFrame,
    summary: Mapping[str, Sequence[str]],
    assigned: Mapping[str, str],
    remedies: Mapping[str, str],
) -> None:
    """Refuse parts that lack a class; points have none, and a number's bins are none.

    Parameters
    ----------
    table, summary : as in ``split``.
    assigned : the part of each subject.
    remedies : the parts that need every class, and what to say where one has not.

    Raises
    ------
    DataError : there is one class alone, or a part lacks a class.
    """
    if points_alone(table, summary):
        return
    answers = answers_of(table, summary)
    classes = classes_of(answers, summary["targets"][0])
    if len(classes) < 2:
        raise DataError(
            f"All {answers.isin(classes).sum()} samples are of class {', '.join(classes) or 'none'}: there is nothing "
            "to tell apart. Add pictures of another class."
        )
    if of_numbers(table, summary):
        return
    parts = table["subject_id"].map(assigned)
    for part, remedy in remedies.items():
        if missing := sorted(classes - set(answers[parts == part])):
            subjects = table.loc[answers == missing[0], "subject_id"].nunique()
            raise DataError(
                f"The {part} part has no sample of class {missing[0]}, "
                f"which {subjects} of {len(assigned)} subjects have. {remedy}"
            )


def folds_without(table: pd.DataFrame, unseen: str) -> pd.Series:
    """Folds in which one source is the test part and the others are for training, for results across sources.

    Parameters
    ----------
    table : columns ``subject_id`` and ``source``. A subject that the unseen source shows anywhere is in the test part.
    unseen : the source.

    Returns
    -------
    ``train`` or ``test`` for each row.

    Raises
    ------
    ConfigError : there is no such source.
    """
    sources = sorted(table["source"].dropna().unique()) if "source" in table else []
    if unseen not in sources:
        raise ConfigError(
            f"UNSEEN={unseen} is no source: there are {', '.join(sources) or 'none, the dataset is one'}. "
            "Give several: DATA=a,b UNSEEN=b"
        )
    subjects = table.loc[table["source"] == unseen, "subject_id"]
    return table["subject_id"].isin(subjects).map({True: "test", False: "train"})


def fold_of(table: pd.DataFrame, assigned: pd.DataFrame, summary: Mapping[str, Sequence[str]], folds: int) -> pd.Series:
    """The fold of each training sample, for cross-fitting: whole subjects, every group spread over the folds.

    Parameters
    ----------
    table : columns ``sample_id``, ``subject_id``, the primary target and the attributes.
    assigned : columns ``sample_id`` and ``part``.
    summary : of the index, as ``split`` reads it.
    folds : how many.

    Returns
    -------
    int, indexed by sample_id.

    Raises
    ------
    DataError : there are fewer training subjects than folds.
    """
    training = table[table["sample_id"].isin(assigned.loc[assigned["part"] == "train", "sample_id"])]
    groups = subject_groups(training, answers_of(training, summary), summary)
    chosen = assign(groups, {str(fold): 1 / folds for fold in range(folds)}, seed=0)
    return training.set_index("sample_id")["subject_id"].map(chosen).astype(int)


def _with_validation(
    table: pd.DataFrame, groups: Mapping[str, Set[str]], parts: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The official parts; a validation part is cut from the training subjects if the folds name none."""
    assigned = official_parts(official_folds(table))
    if "val" in assigned.values():
        return assigned
    training = {subject: groups[subject] for subject, part in assigned.items() if part == "train"}
    return assigned | assign(training, {part: parts[part] for part in ("train", "val")}, seed)
