"""SynPAIN: synthetic pairs, the left half neutral, the right half in pain or with another expression.

Files are ``[ID]_[Pain|NoPain]_[Man|Woman]_[Young|Old].jpg`` with ID = ``1[p][g][a][r][number]``: p 1 = Pain,
g 1 = Woman, a 1 = Old, r 0-4 = Black, South Asian, Middle Eastern, Caucasian, Asian. Both halves show one person, so
the pair is the subject. ``SynPain_folds.txt``, when it is there, holds the official folds.

Source: SynPAIN: A Synthetic Dataset of Pain and Non-Pain Facial Expressions, 2025, arXiv:2507.19673.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, part_of, pictures

FOLDS_FILE = "SynPain_folds.txt"
CLASSES = ("no_pain", "pain")  # by the digit p
ETHNICITIES = ("black", "south_asian", "middle_eastern", "caucasian", "asian")

# Field of the name -> its words and what they mean as the ID's digit.
_FIELDS = (
    ("pain", {"nopain": 0, "pain": 1}, "NoPain or Pain"),
    ("gender", {"man": 0, "woman": 1}, "Man or Woman"),
    ("age", {"young": 0, "old": 1}, "Young or Old"),
)
_ID = re.compile(r"1([01])([01])([01])([0-4])[0-9]+")


def parse(file: str) -> Entry:
    """The entry of one picture, from its name alone.

    Raises
    ------
    DataError : the name is not SynPAIN's, or its ID contradicts its other fields; the message is the reason.
    """
    stem = PurePosixPath(file).stem
    subject_id, *words = stem.split("_")
    if len(words) != len(_FIELDS):
        raise DataError("name: not [ID]_[Pain|NoPain]_[Man|Woman]_[Young|Old]")
    digits = _ID.fullmatch(subject_id)
    if digits is None:
        raise DataError(f"name: {subject_id[:80]} is not an ID 1[p][g][a][r][number]")
    values = []
    for (field, meanings, expected), word, digit in zip(_FIELDS, words, digits.groups()[:3], strict=True):
        value = meanings.get(word.casefold())  # the whole field: "NoPain" contains "Pain"
        if value is None:
            raise DataError(f"name: {field} is {word!r}, expected {expected}")
        if value != int(digit):
            raise DataError(f"contradiction: the ID {subject_id} says {field} {digit}, the name says {word}")
        values.append(value)
    pain, woman, old = values
    return Entry(
        file=file,
        subject_id=subject_id,
        regions={
            "left": Region({"pain": CLASSES[0]}, expressive=0),
            "right": Region({"pain": CLASSES[pain]}, expressive=1),
        },
        attributes={
            "gender": "woman" if woman else "man",
            "age_group": "old" if old else "young",
            "ethnicity": ETHNICITIES[int(digits[4])],
        },
    )


def recognises(files: Sequence[str]) -> bool:
    """Whether at least half of the pictures bear names of SynPAIN's form."""
    return sum(map(_is_shaped, files)) * 2 >= len(files) > 0


def _is_shaped(file: str) -> bool:
    """Whether a name has SynPAIN's form, be it in contradiction with itself."""
    try:
        parse(file)
    except DataError as error:
        return str(error).startswith("contradiction")
    return True


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List SynPAIN's pictures.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : the folds file is in no known form.
    """
    entries, skipped = [], []
    for file in pictures(files):
        try:
            entries.append(parse(file))
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
    folds_file = next((file for file in files if _is_folds(file)), None)
    if folds_file is None:
        return Listing(entries, skipped)
    folds = read_folds(read_text(folder / folds_file), {entry.subject_id for entry in entries}, folds_file)
    return Listing([replace(e, fold=folds.get(e.subject_id, "")) for e in entries], skipped)


def _is_folds(file: str) -> bool:
    return PurePosixPath(file).name.casefold() == FOLDS_FILE.casefold()


def read_folds(text: str, subject_ids: set[str], name: str = FOLDS_FILE) -> dict[str, str]:
    """The official fold of each subject.

    Read are, with any of spaces, commas, semicolons, colons, tabs, quotes and brackets between the words:
    a line with one or more pictures (file name with or without its folder and ending, or ID) and one fold;
    or a line with a fold alone, and below it lines with pictures alone. A fold is train, val or test (or another
    word for these), or a number of at most three digits with or without the word fold. The first line may be a
    header, and lines that start with # are comments.

    Returns
    -------
    ``train``, ``val``, ``test`` or a fold number in decimal digits, by subject id.

    Raises
    ------
    DataError : a line is in none of these forms, or a subject is in two folds.
    """
    folds: dict[str, str] = {}
    current: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = [word for word in re.split(r"[\s,;:=|\[\](){}'\"]+", line.split("#")[0]) if word]
        ids = [found for word in words if (found := _subject(word, subject_ids))]
        named = {fold for word in words if (fold := _fold(word)) is not None}
        rest = [w for w in words if not _subject(w, subject_ids) and _fold(w) is None and w.casefold() != "fold"]
        if len(named) > 1 or rest:
            if number == 1 and not ids:
                continue  # a header
            raise DataError(_unknown_line(name, number, line))
        if named and not ids:
            current = named.pop()
            continue
        fold = named.pop() if named else current
        if ids and fold is None:
            raise DataError(_unknown_line(name, number, line))
        for subject_id in ids:
            if folds.setdefault(subject_id, fold) != fold:
                raise DataError(
                    f"{name}, line {number}: {subject_id} is in fold {fold} and in {folds[subject_id]}. "
                    "Correct the file, or remove it to split at random."
                )
    return folds


def _subject(word: str, subject_ids: set[str]) -> str | None:
    """The ID that a word starts with, if it is an ID or the name of a picture, known or not."""
    first = PurePosixPath(word.replace("\\", "/")).name.split("_")[0].split(".")[0]
    return first if first in subject_ids or _ID.fullmatch(first) else None


def _fold(word: str) -> str | None:
    digits = re.fullmatch(r"(?:fold)?[_\-]?([0-9]{1,3})", word.casefold())
    return str(int(digits[1])) if digits else part_of(word)


def _unknown_line(name: str, number: int, line: str) -> str:
    return (
        f"{name}, line {number} is in no known form: {quoted(line.strip())}. Expected a picture or an ID with its fold "
        "(train, val, test or a number), or a fold alone and its pictures below. "
        "Correct the file, or remove it to split at random."
    )
