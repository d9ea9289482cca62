"""What every dataset reader returns: the pictures it knows, and those it cannot use with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

CLASSES = ("no_pain", "pain")

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})

_WORDS = {
    **dict.fromkeys(("nopain", "notpain", "nonpain", "notinpain", "painless", "neutral", "none", "0"), 0),
    **dict.fromkeys(("pain", "painful", "inpain", "1"), 1),
}
LABEL_WORDS = "no_pain, nopain, non_pain, not_pain, painless, neutral, none or 0; pain, painful, in_pain or 1"

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


@dataclass(frozen=True)
class Face:
    """What is known of one region before it is looked at: its label, and whether it shows an expression."""

    label: int
    expressive: int


@dataclass(frozen=True)
class Entry:
    """One picture of a dataset.

    Parameters
    ----------
    file : path relative to the dataset's folder, with forward slashes.
    subject_id : who is shown; the unit of splitting.
    regions : ``{"full": face}``, or ``{"left": face, "right": face}`` for a side-by-side picture.
    attributes : further columns of the sample table.
    fold : the official part or fold number, empty when there is none.
    """

    file: str
    subject_id: str
    regions: Mapping[str, Face]
    attributes: Mapping[str, str] = field(default_factory=dict)
    fold: str = ""


@dataclass(frozen=True)
class Skipped:
    """A picture, or a region of it, that cannot be used; ``reason`` is ``kind: detail``."""

    file: str
    reason: str
    region: str = ""


@dataclass(frozen=True)
class Listing:
    """A dataset as its names and tables tell it, no picture opened."""

    entries: list[Entry]
    skipped: list[Skipped]


def pictures(files: Iterable[str]) -> list[str]:
    """The files whose name ends like a picture's."""
    return [file for file in files if PurePosixPath(file).suffix.lower() in PICTURE_SUFFIXES]


def label_of(word: str) -> int | None:
    """Class number of a folder's or a table's word (``LABEL_WORDS``; case, spaces, - and _ do not matter), or None."""
    return _WORDS.get(re.sub(r"[\s_\-]+", "", word.casefold()))


def part_of(word: str) -> str | None:
    """``train``, ``val`` or ``test`` for a word that names a part (validation, dev, eval …), or None."""
    return _PARTS.get(word.strip().casefold())
