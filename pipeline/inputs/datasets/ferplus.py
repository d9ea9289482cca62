"""FER+: the grey pictures of ``fer2013.csv`` (48 x 48, as text) with the ten votes of ``fer2013new.csv``.

The class is the one with most votes. Pictures whose votes tie, or go to contempt, to none that is known or to no face,
are dropped. The three usages are the official parts.

Source: Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", arXiv:1608.01041; github.com/microsoft/FERPlus.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import Row, read_rows
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped, Unpack

PIXELS, VOTES = "fer2013.csv", "fer2013new.csv"
SIDE = 48
CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
OTHERS = ("contempt", "unknown", "NF")
_VOTES = re.compile(r"[0-9]{0,3}")
_PARTS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there is the table of pictures."""
    return _file(files, PIXELS) is not None


def read(folder: Path, files: Mapping[str, str], unpack: Unpack) -> Listing:
    """List FER+'s pictures, and unpack those that have a class.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).
    unpack : keeps an encoded picture under a name and returns its SHA-256.

    Raises
    ------
    DataError : a table is missing, lacks a column, or has another number of rows than the other.
    """
    tables = [_open(folder, files, PIXELS, ("pixels", "Usage")), _open(folder, files, VOTES, (*CLASSES, *OTHERS))]
    entries, skipped, digests = [], [], {}
    for number, (picture, votes) in enumerate(zip_longest(*tables)):
        if picture is None or votes is None:
            raise DataError(
                f"{folder}: {PIXELS if votes is None else VOTES} has more rows than the other table, which ends at row "
                f"{number}. Both must have a row for each picture; fetch them again."
            )
        file = f"fer{number:07d}.png"
        try:
            word, content = _majority(votes), _encoded(picture["pixels"])
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
            continue
        digests[file] = unpack(file, content)
        region = Region({"expression": word})
        entries.append(Entry(file, file, {"full": region}, fold=_PARTS.get(picture["Usage"].strip(), "")))
    return Listing(entries, skipped, digests)


def _file(files: Mapping[str, str], name: str) -> str | None:
    return next((file for file in files if PurePosixPath(file).name.casefold() == name), None)


def _open(folder: Path, files: Mapping[str, str], name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a table, its columns checked."""
    file = _file(files, name)
    if file is None:
        where = " Its votes are at github.com/microsoft/FERPlus." if name == VOTES else ""
        raise DataError(f"{folder} has no {name}, which FER+ needs beside {PIXELS}.{where} Put it there.")
    names, rows = read_rows(folder / file)
    if missing := [column for column in columns if column not in names]:
        raise DataError(f"{folder / file} lacks the columns {', '.join(missing)}. Fetch the original table again.")
    return (row for _, row in rows)


def _majority(row: Mapping[str, str]) -> str:
    """The class with most votes."""
    cells = {name: row[name].strip() for name in (*CLASSES, *OTHERS)}
    if unreadable := [cell for cell in cells.values() if not _VOTES.fullmatch(cell)]:
        raise DataError(f"unreadable votes: {quoted(unreadable[0])} is no number of votes")
    votes = {name: int(cell or 0) for name, cell in cells.items()}
    first = [name for name, count in votes.items() if count == max(votes.values())]
    if len(first) > 1:
        raise DataError(f"{DROPPED}: the votes tie between {' and '.join(first) if votes[first[0]] else 'all'}")
    if first[0] in OTHERS:
        raise DataError(f"{DROPPED}: most votes are for {first[0]}")
    return first[0]


def _encoded(pixels: str) -> bytes:
    """A picture's grey values as PNG."""
    try:
        grey = np.array(pixels.encode("ascii").split(), np.uint8)
    except (ValueError, OverflowError) as error:
        raise DataError(f"unreadable: {quoted(error)}") from error
    if len(grey) != SIDE * SIDE:
        raise DataError(f"unreadable: {len(grey)} pixels, expected {SIDE} x {SIDE}")
    content = io.BytesIO()
    Image.fromarray(grey.reshape(SIDE, SIDE)).save(content, "PNG")
    return content.getvalue()
