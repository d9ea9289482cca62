"""What every dataset reader returns: the pictures or signals it knows, and those it cannot use with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pipeline.artifacts.suffixes import PICTURES, SIGNALS, printable, suffix_of

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


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
    """

    targets: Mapping[str, str]
    expressive: int | None = None


@dataclass(frozen=True)
class Entry:
    """One file of a dataset: a picture or signals.

    Parameters
    ----------
    file : path relative to the dataset's folder, with forward slashes.
    subject_id : who is shown; the unit of splitting.
    regions : ``{"full": region}``, ``{"left": region, "right": region}`` for a side-by-side picture, or by number the
        windows of a file with several.
    attributes : further columns of the sample table.
    fold : the official part or fold number, empty when there is none.
    source : the dataset it is from, where there are several.
    """

    file: str
    subject_id: str
    regions: Mapping[str, Region]
    attributes: Mapping[str, str] = field(default_factory=dict)
    fold: str = ""
    source: str = ""


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
    """A dataset as its names and tables tell it, nothing decoded; with the SHA-256 of what was unpacked."""

    entries: list[Entry]
    skipped: list[Skipped]
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_signals(self) -> bool:
        """Whether the files are signals: most of them decide."""
        return of_signals(entry.file for entry in self.entries)


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
