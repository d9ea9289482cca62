"""What the parts of a split are balanced by: the primary target, and attributes of the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
import pandas as pd

from pipeline.inputs.datasets.vocabulary import vocabularies

BINS = 5  # of a primary target of numbers
MOST_NUMBERS = 10  # different values of an attribute of numbers that still stratifies
CLASS = "class="  # how the groups that must be in every part begin


def groups_of(labels: Set[str], attributes: Mapping[str, Set[str]]) -> set[str]:
    """The groups of one subject: each of its labels, each attribute, each label with each attribute, all together."""
    classes = {f"{CLASS}{label}" for label in labels}
    traits = {f"{name}={value}" for name, values in attributes.items() for value in values}
    crossed = {f"{trait} {cls}" for cls in classes for trait in traits}
    return classes | traits | crossed | {" ".join(["all", *sorted(classes | traits)])}


def words(rows: pd.DataFrame, table: pd.DataFrame, targets: Sequence[str]) -> dict[str, int]:
    """How many of some rows have each word of every class target, by the words that the whole table has."""
    named = [target for target in targets if not pd.api.types.is_numeric_dtype(table[target])]
    counts = {target: rows[target].value_counts() for target in named}
    return {
        word if target == targets[0] else f"{target}: {word}": int(counts[target].get(word, 0))
        for target in named
        for word in sorted(table[target].dropna().unique())
    }


def answers_of(table: pd.DataFrame, summary: Mapping[str, Sequence[str]]) -> pd.Series:
    """The primary target of each sample: its words, or the bin of its number; missing where it is not known."""
    column = table[summary["targets"][0]]
    if not pd.api.types.is_numeric_dtype(column):
        return column
    finite = column.where(np.isfinite(column))  # a word such as 1e999 is no number
    return pd.qcut(finite, BINS, labels=False, duplicates="drop").map(lambda bin: f"bin {bin:g}", na_action="ignore")


def classes_of(answers: pd.Series, target: str) -> set[str]:
    """The words or bins that every part must have: those that are classes of a task, where one asks for the target."""
    vocabulary = vocabularies().get(target)
    return {word for word in answers.dropna().unique() if vocabulary is None or vocabulary.word(word)}


def subject_groups(
    table: pd.DataFrame, answers: pd.Series, summary: Mapping[str, Sequence[str]]
) -> dict[str, set[str]]:
    """The groups that each subject of a sample table is in."""
    traits = [name for name in summary["attributes"] if not _measured(table[name])]
    values = {name: _sets(table["subject_id"], table[name]) for name in traits}
    return {
        subject: groups_of(labels, {name: values[name][subject] for name in traits})
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
