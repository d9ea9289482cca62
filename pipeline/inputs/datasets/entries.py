"""What every dataset reader returns: the pictures or signals it knows, and those it cannot use with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pipeline.artifacts.suffixes import PICTURES, SIGNALS, printable, quoted, suffix_of
from pipeline.errors import DataError

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
_FOLD = re.compile(r"[0-9]{1,9}")

MOST_TEXT = 5000  # characters of a reason or a name: a path has at most 4,096 bytes
DROPPED = "dropped"  # kind of reason: the dataset itself says that the picture shows none of the classes

Unpack = Callable[[str, bytes], str]  # keeps an encoded picture under a name and returns its SHA-256


@dataclass(frozen=True)
class Region:
    """What is known of one region before it is looked at.

    Parameters
    ----------
    targets : by column of the sample table, the word of a class target, or a number as text; none is empty.
    expressive : 1 for a face that shows an expression, 0 for one at rest, None where that is not known.
    points : of the face, one behind the other: x0, y0, x1, y1, …; as many as one of the schemes has, or none. Pixels of
        the whole picture, whose first one reaches from 0 to 1 on both axes.
    hidden : 1 for each point that something covers, 0 for the others; empty where the dataset does not say.
    box : x0, y0, x1, y1 of the face as the dataset gives it, in the same pixels; empty without one. The region is then
        a square about it.
    about_points : whether the region of a face without a box is a square about its points.
    attributes : of this face alone, where a picture shows several.
    """

    targets: Mapping[str, str]
    expressive: int | None = None
    points: tuple[float, ...] = ()
    hidden: tuple[int, ...] = ()
    box: tuple[float, ...] = ()
    about_points: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def point_set(self) -> str:
        """The target that the points answer, such as ``points68``; empty without points."""
        return f"points{len(self.points) // 2}" if self.points else ""


@dataclass(frozen=True)
class Entry:
    """One file of a dataset: a picture or signals; or a frame and what was taken of the same scene besides.

    Parameters
    ----------
    file : path relative to the dataset's folder, with forward slashes.
    subject_id : who is shown; the unit of splitting.
    regions : ``{"full": region}``, ``{"left": region, "right": region}`` for a side-by-side picture, or by number the
        windows of a file, or the faces of a picture, with several.
    attributes : further columns of the sample table.
    fold : the official part or fold number, empty when there is none.
    source : the dataset it is from, where there are several.
    companions : by modality, a further file of the same scene: the infrared half of a pair of frames.
    sequence : the video or sequence that a frame is of, empty where that is not known.
    """

    file: str
    subject_id: str
    regions: Mapping[str, Region]
    attributes: Mapping[str, str] = field(default_factory=dict)
    fold: str = ""
    source: str = ""
    companions: Mapping[str, str] = field(default_factory=dict)
    sequence: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file, or a region of it, that cannot be used; ``reason`` is ``kind: detail``.

    What tables and decoders say may be anything: here it becomes one line of bounded length.
    """

    file: str
    reason: str
    region: str = ""

    def __post_init__(self):
        for name, text in vars(self).copy().items():
            object.__setattr__(self, name, printable(text[:MOST_TEXT]))


@dataclass(frozen=True)
class Listing:
    """A dataset as its names and tables tell it, nothing decoded.

    Parameters
    ----------
    digests : SHA-256 of what was unpacked, by file.
    grouping : how frames became groups: ``{"by": "clip"}``, or ``{"by": "blocks", "length": …, "gap": …}`` in frames;
        empty where a dataset says who is shown.
    """

    entries: list[Entry]
    skipped: list[Skipped]
    digests: Mapping[str, str] = field(default_factory=dict)
    grouping: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_signals(self) -> bool:
        """Whether the files are signals: most of them decide, of those that cannot be used if there are no others."""
        return of_signals(item.file for item in self.entries or self.skipped)


def of_signals(files: Iterable[str]) -> bool:
    """Whether most of some files are signals, by how their names end."""
    ends = [suffix_of(file) in SIGNALS for file in files]
    return 2 * sum(ends) > len(ends)


def pictures(files: Iterable[str]) -> list[str]:
    """The files whose name ends like a picture's."""
    return [file for file in files if PurePosixPath(file).suffix.lower() in PICTURES]


def part_of(word: str) -> str | None:
    """``train``, ``val`` or ``test`` for a word that names a part (validation, dev, eval …), or None."""
    return _PARTS.get(word.strip().casefold())


def fold_of(cell: str) -> str:
    """The official part or fold that a cell names; empty for an empty one.

    Raises
    ------
    DataError : it names neither; the message is the reason, as ``kind: detail``.
    """
    fold = part_of(cell) or cell
    if fold and not (part_of(fold) or _FOLD.fullmatch(fold)):
        raise DataError(f"unknown fold: {quoted(fold)}, expected train, val, test or a number of at most nine digits")
    return fold
