"""BioVid's part A: a window of biosignals a file, its name saying who was measured and at which level.

``072414_m_23-PA2-034_bio.csv`` is subject ``072414_m_23``, a man of 23, at level PA2. The files lie in a folder per
level (``0`` … ``4``, or ``BL1`` … ``PA4``), per subject, or any other; where the name has no level, the folder of one
says it. Lists ``train_fold1.txt`` and ``test_fold1.txt`` … beside them are official folds: a window is of the fold in
whose test list it stands. Instead of tables there may be an ``.npz`` per subject, with ``x``, the windows, and ``y``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import SIGNALS, quoted, suffix_of
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped
from pipeline.inputs.datasets.truth import FILE as TRUTH
from pipeline.inputs.datasets.vocabulary import Vocabulary, vocabularies
from pipeline.inputs.signals import files as signals
from pipeline.inputs.signals.files import WHOLE

TARGET = "level"
LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
NAME_COLUMN, LABEL_COLUMN = 0, 3  # of a list
SAMPLES = "samples.csv"  # the database's own table of its windows

_NAME = re.compile(r"(?P<subject>[^-/]+)-(?P<level>BL1|PA[1-4])-(?P<number>[0-9]{1,6})(_bio)?", re.IGNORECASE)
_PERSON = re.compile(r".*_(?P<sex>[wm])_(?P<age>[0-9]{1,3})", re.IGNORECASE)
_LIST = re.compile(r"(?P<part>train|test)_?fold_?(?P<fold>[0-9]{1,4})\.txt", re.IGNORECASE)


def recognises(files: Sequence[str]) -> bool:
    """Whether any file is a window by its name, or lies in a folder of a level, or any is an ``.npz``."""
    return any(suffix_of(file) == ".npz" or _NAME.fullmatch(_stem(file)) or _is_level_table(file) for file in files)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List the windows.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : a list of folds cannot be read, or two contradict each other.
    """
    vocabulary = vocabularies().get(TARGET) or Vocabulary(TARGET, {level.casefold(): level for level in LEVELS})
    lists = [file for file in files if _LIST.fullmatch(PurePosixPath(file).name)]
    folds, listed = _folds(folder, lists, vocabulary)
    entries, skipped = [], []
    for file in files:
        if file in lists or PurePosixPath(file).name in (TRUTH, SAMPLES) or suffix_of(file) not in SIGNALS:
            continue
        try:
            make = _archive if suffix_of(file) == ".npz" else _window
            entries.append(make(folder, file, vocabulary, folds, listed))
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
    return Listing(entries, skipped)


def subject_of(file: str) -> str:
    """Who was measured, by a file's name; empty where it has not BioVid's form."""
    match = _NAME.fullmatch(_stem(file))
    return match["subject"] if match else ""


def _window(
    folder: Path, file: str, vocabulary: Vocabulary, folds: Mapping[str, str], listed: Mapping[str, str]
) -> Entry:
    """A table of one window."""
    stem = _stem(file)
    named = _NAME.fullmatch(stem)
    said = {
        "its name": vocabulary.word(named["level"]) if named else None,
        "its folder": _folder_level(file, vocabulary),
        "the lists": listed.get(_key(stem)),
    }
    found = {where: level for where, level in said.items() if level}
    if not found:
        raise DataError(
            "no level: its name is none of BioVid's (072414_m_23-PA2-034_bio.csv) and its folder none of a level (0 to 4)"
        )
    if len(set(found.values())) > 1:
        raise DataError(f"contradiction: {', '.join(f'{level} by {where}' for where, level in found.items())}")
    subject = named["subject"] if named else stem.partition("-")[0]
    region = Region({TARGET: next(iter(found.values()))})
    return Entry(file, subject, {WHOLE: region}, _person(subject), folds.get(_key(stem), ""))


def _archive(
    folder: Path, file: str, vocabulary: Vocabulary, folds: Mapping[str, str], listed: Mapping[str, str]
) -> Entry:
    """The windows of a subject; one whose level is no level says nothing of it."""
    subject = _stem(file)
    words = [vocabulary.word(text) for text in signals.levels(folder / file)]
    if not any(words):
        raise DataError(f"no level: none of its {len(words)} windows has one of {', '.join(LEVELS)}, or 0 to 4")
    regions = {str(number): Region({TARGET: word}) for number, word in enumerate(words) if word}
    return Entry(file, subject, regions, _person(subject), folds.get(_key(subject), ""))


def _folds(folder: Path, lists: Sequence[str], vocabulary: Vocabulary) -> tuple[dict[str, str], dict[str, str]]:
    """By window, the fold in whose test list it stands, and the level that the lists give it."""
    folds: dict[str, str] = {}
    levels: dict[str, str] = {}
    for file in sorted(lists):
        match = _LIST.fullmatch(PurePosixPath(file).name)
        for line, row in enumerate(read_text(folder / file).splitlines(), 1):
            cells = row.split()
            if not cells:
                continue
            where = f"{folder / file}, line {line}"
            level = vocabulary.word(cells[LABEL_COLUMN]) if len(cells) > LABEL_COLUMN else None
            if level is None:
                raise DataError(
                    f"{where}: {quoted(row.strip())} has no level from 0 to 4 in its column {LABEL_COLUMN + 1}. Correct "
                    "the line, or move the lists away."
                )
            key, fold = _key(_stem(cells[NAME_COLUMN])), str(int(match["fold"]))
            if levels.setdefault(key, level) != level:
                raise DataError(
                    f"{where}: {quoted(cells[NAME_COLUMN])} is {level} here, {levels[key]} before. Keep one."
                )
            if match["part"].lower() == "test" and folds.setdefault(key, fold) != fold:
                raise DataError(
                    f"{where}: {quoted(cells[NAME_COLUMN])} is in the test lists of fold {folds[key]} and of {fold}. "
                    "Keep it in one."
                )
    return folds, levels


def _person(subject: str) -> dict[str, str]:
    """Sex and age as the subject's name has them."""
    match = _PERSON.fullmatch(subject)
    return {"sex": match["sex"].lower(), "age": str(int(match["age"]))} if match else {}


def _folder_level(file: str, vocabulary: Vocabulary) -> str | None:
    """The level of the nearest folder that is called like one."""
    parents = reversed(PurePosixPath(file).parts[:-1])
    return next(filter(None, map(vocabulary.word, parents)), None)


def _is_level_table(file: str) -> bool:
    parents = PurePosixPath(file).parts[:-1]
    return suffix_of(file) in SIGNALS and bool(parents) and parents[-1].upper() in ("0", "1", "2", "3", "4", *LEVELS)


def _stem(file: str) -> str:
    """The name without folders and suffix."""
    name = PurePosixPath(file).name
    suffix = suffix_of(name)
    return name[: -len(suffix)] if suffix in SIGNALS else name


def _key(stem: str) -> str:
    """What lists and files have in common: the name without case and ``_bio``."""
    return stem.casefold().removesuffix("_bio")
