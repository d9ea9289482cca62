"""AffectNet: lists with ``subDirectory_filePath`` and ``expression``, and the pictures that they name.

Contempt, and what shows no expression that was named (none, uncertain, no face), is dropped. The set's own test part is
not public: its validation list is the test, as is usual.

Source: Mollahosseini, Hasani, Mahoor 2017, "AffectNet: A Database for Facial Expression, Valence, and Arousal Computing
in the Wild", arXiv:1708.03985; numbering as in the dataset's readme.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.artifacts.raw_files import open_raw
from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import read_rows
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped, part_of, pictures

PATH, EXPRESSION = "subDirectory_filePath", "expression"
CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
OTHERS = ("contempt", "none", "uncertain", "no face")
_NUMBERS = {str(number): number for number in range(len(CLASSES) + len(OTHERS))}
HEADER_BYTES = 2**16  # of a table's beginning, which tells whether it is AffectNet's
_PARTS = {"train": "train", "val": "test", "test": "test"}


def recognises(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether a CSV file of the folder has AffectNet's column of paths."""
    return any(_lists(folder, files))


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List AffectNet's pictures.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : there is no list, one lacks the column of expressions, or holds a number that is no expression.
    """
    lists = list(_lists(folder, files))
    if not lists:
        raise DataError(f"{folder} has no CSV file with the column {PATH}. Put AffectNet's lists there.")
    # By the last two parts of the path, which is what the lists name.
    by_name = {"/".join(PurePosixPath(file).parts[-2:]): file for file in pictures(files)}
    entries, skipped = [], []
    for table in lists:
        part = part_of(PurePosixPath(table).stem.replace("-", "_").split("_")[0]) or ""
        fold = _PARTS.get(part, "") if len(lists) > 1 else ""
        for name, number in _rows(folder / table):
            file = by_name.get(name)
            if number >= len(CLASSES):
                skipped.append(Skipped(file or name, f"{DROPPED}: {OTHERS[number - len(CLASSES)]}"))
            elif file is None:
                skipped.append(Skipped(name, "missing: there is no such picture"))
            else:
                region = Region({"expression": CLASSES[number]})
                entries.append(Entry(file, file, {"full": region}, fold=fold))
    return Listing(entries, skipped)


def _lists(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """The CSV files with AffectNet's column of paths."""
    for file in files:
        if file.casefold().endswith(".csv") and PATH in _header(folder / file):
            yield file


def _header(path: Path) -> list[str]:
    """The columns of a table that can be read."""
    try:
        file, size = open_raw(path)
    except DataError:
        return []
    with file:
        line = file.read(min(size, HEADER_BYTES)).decode("utf-8-sig", "replace").partition("\n")[0]
    return [cell.strip() for cell in line.split(",")]


def _rows(path: Path) -> Iterator[tuple[str, int]]:
    """The last two parts of each picture's path, and the number of its expression."""
    columns, rows = read_rows(path)
    if missing := [name for name in (PATH, EXPRESSION) if name not in columns]:
        raise DataError(f"{path} lacks the column {missing[0]}. Fetch the original list again.")
    for line, row in rows:
        number = row[EXPRESSION].strip()
        if number not in _NUMBERS:
            raise DataError(
                f"{path}, line {line}: expression {quoted(number)}, expected 0 (neutral) to {len(_NUMBERS) - 1} "
                f"({OTHERS[-1]}). Correct the line, or fetch the list again."
            )
        yield "/".join(PurePosixPath(row[PATH].strip().replace("\\", "/")).parts[-2:]), _NUMBERS[number]
