"""What the parts of a split are balanced by: the primary target, and attributes of the person.

Points of the face are no column of the sample table: where a dataset knows nothing else, all samples are one stratum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
import pandas as pd

from pipeline.inputs.datasets.vocabulary import MOST_NUMBERS, vocabularies

BINS = 5  # of a primary target of numbers
CLASS = "class="  # how the groups that must be in every part begin


def groups_of(labels: Set[str], attributes: Mapping[str, Set[str]]) -> set[str]:
    """The groups of one subject: each of its labels, each attribute, each label with each attribute, all together."""
    classes = {f"{CLASS}{label}" for label in labels}
    traits = {f"{name}={value}" for name, values in attributes.items() for value in values}
    crossed = {f"{trait} {cls}" for cls in classes for trait in traits}
    return classes | traits | crossed | {" ".join(["all", *sorted(classes | traits)])}


def words(rows: pd.DataFrame, table: pd.DataFrame, targets: Sequence[str]) -> dict[str, int]:
    """How many of some rows have each word of every class target or label, by the words that the whole table has.

    Those of the first target stand alone, those of others, and all flags, behind its name: ``fire: 1``.
    """
    flags = flags_of(table, targets)
    columns = [target for target in targets if target in table]
    named = [target for target in columns if target in flags or not pd.api.types.is_numeric_dtype(table[target])]
    counts = {}
    for target in named:
        every, some = (_words(of[target]) if target in flags else of[target] for of in (table, rows))
        alone = target == targets[0] and target not in flags
        numbers = some.value_counts()
        for word in sorted(every.dropna().unique()):
            counts[word if alone else f"{target}: {word}"] = int(numbers.get(word, 0))
    return counts


def flags_of(table: pd.DataFrame, targets: Sequence[str]) -> list[str]:
    """The targets that are 0 or 1, where the primary one is; a measure of faces that has no other value is none."""
    flags = [target for target in targets if target in table and _is_flag(table[target])]
    return flags if flags[:1] == list(targets[:1]) else []


def _is_flag(column: pd.Series) -> bool:
    known = column.dropna()
    return pd.api.types.is_numeric_dtype(column) and len(known) > 0 and bool(known.isin((0, 1)).all())


def _words(flags: pd.Series) -> pd.Series:
    """Flags as the words ``0`` and ``1``; missing ones stay missing."""
    return flags.map({0: "0", 1: "1"})


def answers_of(table: pd.DataFrame, summary: Mapping[str, Sequence[str]]) -> pd.Series:
    """The primary target of each sample: its words, 0 and 1 being such, or the bin of its number; missing where it is
    not known, and empty where it is a set of points."""
    if points_alone(table, summary):
        return pd.Series("", index=table.index)
    column = table[summary["targets"][0]]
    if _is_flag(column):
        return _words(column)
    if not pd.api.types.is_numeric_dtype(column):
        return column
    finite = column.where(np.isfinite(column))  # a word such as 1e999 is no number
    # A number that fills a bin, as 0 does where most people are at rest, is in it alone, or with those below it.
    bounds = np.unique(finite.quantile([number / BINS for number in range(1, BINS)]))
    bins = pd.Series(np.searchsorted(bounds, finite), table.index).where(finite.notna())
    return bins.map(lambda bin: f"bin {bin:g}", na_action="ignore")


def points_alone(table: pd.DataFrame, summary: Mapping[str, Sequence[str]]) -> bool:
    """Whether points are all that is known of the samples."""
    return summary["targets"][0] not in table


def of_numbers(table: pd.DataFrame, summary: Mapping[str, Sequence[str]]) -> bool:
    """Whether the primary target is a number, whose bins balance the parts without being classes."""
    column = table[summary["targets"][0]]
    return pd.api.types.is_numeric_dtype(column) and not _is_flag(column)


def classes_of(answers: pd.Series, target: str) -> set[str]:
    """The words or bins that every part must have: those that are classes of a task, where one asks for the target."""
    vocabulary = vocabularies().get(target)
    return {word for word in answers.dropna().unique() if vocabulary is None or vocabulary.word(word)}


def subject_groups(
    table: pd.DataFrame, answers: pd.Series, summary: Mapping[str, Sequence[str]]
) -> dict[str, set[str]]:
    """The groups that each subject of a sample table is in: by its labels, attributes and further flags."""
    traits = [name for name in summary["attributes"] if not _measured(table[name])]
    values = {name: _sets(table["subject_id"], table[name]) for name in traits}
    flags = flags_of(table, summary["targets"])[1:]
    values |= {name: _sets(table["subject_id"], _words(table[name])) for name in flags}
    return {
        subject: groups_of(labels, {name: values[name][subject] for name in values})
        for subject, labels in _sets(table["subject_id"], answers).items()
    }


def _measured(column: pd.Series) -> bool:
    """Whether an attribute is a number such as an age, of which hardly two people have the same."""
    return pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_NUMBERS


def _sets(subjects: pd.Series, column: pd.Series) -> dict[str, set]:
    """The values that a column has for each subject, missing ones left out."""
    values: dict[str, set] = {subject: set() for subject in subjects}
    for subject, value in zip(subjects, column, strict=True):
        if not pd.isna(value):
            values[subject].add(value)
    return values
