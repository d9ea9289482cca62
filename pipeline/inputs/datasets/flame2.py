"""FLAME 2: pairs of RGB and thermal frames from a drone over prescribed fires, by the names of their folders.

``254p RGB Images/254p RGB Frame (7).jpg`` belongs to ``254p Thermal Images/254p Thermal Frame (7).jpg``, or, in another
copy, to ``254p IR Images/254p IR Frame (7).jpg``. A text file beside them has lines ``first last FLAGS``: whether fire
is visible in either frame, and whether smoke fills half of the RGB frame. Without it, ``RANGES`` holds.

Each range is a segment; inside it consecutive frames form blocks (``blocks``), and no block spans two segments.

Source: Hopkins et al. 2022, "FLAME 2: Fire detection and modeling: Aerial Multi-spectral image dataset", IEEE DataPort.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.inputs.datasets import blocks
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped, pictures

LABELS = ("fire", "smoke")
SEGMENT = "segment"  # attribute: the number of a frame's range
_KINDS = {"rgb": "rgb", "thermal": "ir", "ir": "ir"}
_WORDS = {"rgb": "RGB frame", "ir": "IR frame"}
_FOLDER = re.compile(r"254p (rgb|thermal|ir) (?:images|frames)", re.IGNORECASE)
_NAME = re.compile(r"254p (rgb|thermal|ir) frame ?\(([0-9]{1,9})\)\.jpe?g", re.IGNORECASE)
_LINE = re.compile(r"([0-9]{1,9})[\t ]+([0-9]{1,9})[\t ]+([YNyn])([YNyn])")
MOST_RANGES = 100_000

Range = tuple[int, int, str]  # first and last frame, and a letter for each label, Y or N

# Frame 41642 is in two of them: the later one holds.
RANGES: tuple[Range, ...] = (
    (1, 13700, "NN"),
    (13701, 14699, "YY"),
    (14700, 15980, "YN"),
    (15981, 19802, "YY"),
    (19803, 19899, "YN"),
    (19900, 27183, "YY"),
    (27184, 27514, "YN"),
    (27515, 31294, "YY"),
    (31295, 31509, "YN"),
    (31510, 33597, "YY"),
    (33598, 33929, "YN"),
    (33930, 36550, "YY"),
    (36551, 38030, "YN"),
    (38031, 38153, "YY"),
    (38154, 41642, "YN"),
    (41642, 45279, "YY"),
    (45280, 51206, "YN"),
    (51207, 52286, "YY"),
    (52287, 53451, "YN"),
)


def recognises(files: Iterable[str]) -> bool:
    """Whether any file lies in a folder of FLAME 2's RGB frames."""
    folders = {PurePosixPath(file).parent.name for file in files}
    return any((match := _FOLDER.fullmatch(folder)) and match[1].lower() == "rgb" for folder in folders)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List FLAME 2's pairs.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : there are two files of labels, or one that contradicts itself.
    """
    halves, skipped = _halves(files)
    for kind, other in (("rgb", "ir"), ("ir", "rgb")):
        lone = halves[kind].keys() - halves[other].keys()
        skipped += [Skipped(halves[kind][n], f"missing: {_WORDS[other]}, there is none of number {n}") for n in lone]
    numbers = sorted(halves["rgb"].keys() & halves["ir"].keys())
    ranges = _ranges(folder, files)
    segment = dict(zip(numbers, segments_of(numbers, ranges).tolist(), strict=True))
    skipped += [Skipped(halves["rgb"][n], f"no label: frame {n} is in no range") for n in numbers if not segment[n]]
    labelled = sorted((number for number in numbers if segment[number]), key=lambda number: (segment[number], number))
    length, gap = blocks.sizes(len(labelled))
    stretches = [len(list(group)) for _, group in groupby(labelled, segment.get)]
    entries = []
    for number, block in zip(labelled, blocks.dealt(stretches, length, gap), strict=True):
        rgb, ir, of_range = halves["rgb"][number], halves["ir"][number], segment[number]
        if block:
            region, traits = Region(targets_of(ranges[of_range - 1])), {SEGMENT: str(of_range)}
            entries.append(Entry(rgb, block, {"full": region}, traits, companions={"ir": ir}))
        else:
            skipped.append(Skipped(rgb, blocks.REASON))
    return Listing(entries, skipped, grouping=blocks.grouping(length, gap))


def segments_of(numbers: Sequence[int], ranges: Sequence[Range]) -> np.ndarray:
    """The number of each frame's range, from 1, or 0 where it is in none; of several the last.

    Parameters
    ----------
    numbers : of the frames, ascending.

    Returns
    -------
    int64, shape (frames,).
    """
    segments = np.zeros(len(numbers), np.int64)
    for segment, (first, last, _) in enumerate(ranges, 1):
        segments[np.searchsorted(numbers, first) : np.searchsorted(numbers, last, "right")] = segment
    return segments


def targets_of(labelled: Range) -> dict[str, str]:
    """What a range says of each label, ``0`` or ``1``."""
    return {label: str(int(letter == "Y")) for label, letter in zip(LABELS, labelled[2], strict=True)}


def _halves(files: Iterable[str]) -> tuple[dict[str, dict[int, str]], list[Skipped]]:
    """The frames of each kind by their numbers, and what bears no name or number of its own."""
    halves: dict[str, dict[int, str]] = {"rgb": {}, "ir": {}}
    skipped = []
    for file in pictures(files):
        place = PurePosixPath(file)
        folder, name = _FOLDER.fullmatch(place.parent.name), _NAME.fullmatch(place.name)
        if folder is None:
            skipped.append(Skipped(file, f"{DROPPED}: it lies in no folder of frames, such as 254p RGB Images"))
            continue
        kind = _KINDS[folder[1].lower()]
        if name is None:
            skipped.append(Skipped(file, "name: not 254p RGB Frame (7).jpg, nor with Thermal or IR for RGB"))
        elif _KINDS[name[1].lower()] != kind:
            skipped.append(Skipped(file, f"contradiction: the folder says {_WORDS[kind]}, the name another"))
        elif (number := int(name[2])) in halves[kind]:
            skipped.append(Skipped(file, f"listed twice: {_WORDS[kind]} {number} is {halves[kind][number]}"))
        else:
            halves[kind][number] = file
    return halves, skipped


def _ranges(folder: Path, files: Iterable[str]) -> Sequence[Range]:
    """The ranges of the text file that has any, else the published ones."""
    named = {file: ranges for file in files if file.lower().endswith(".txt") and (ranges := _ranges_in(folder / file))}
    if len(named) > 1:
        raise DataError(f"{folder} has two files of labels: {', '.join(list(named)[:2])}. Keep one.")
    return next(iter(named.values()), RANGES)


def _ranges_in(path: Path) -> list[Range]:
    """The ranges of a text file; none where no line of it is one, as in a note that lies beside the frames."""
    try:
        lines = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1)]
    except DataError:
        return []
    matches = [(number, line, _LINE.fullmatch(line)) for number, line in lines if line]
    if not any(match for _, _, match in matches):
        return []
    ranges = []
    for number, line, match in matches:
        if match and int(match[1]) <= int(match[2]):
            ranges.append((int(match[1]), int(match[2]), (match[3] + match[4]).upper()))
        elif match or line[0].isdigit():
            raise DataError(f"{path}, line {number}: {quoted(line)} is no range, first last FLAGS such as 1 13700 NN.")
    if len(ranges) > MOST_RANGES:
        raise DataError(f"{path} has {len(ranges):,} ranges, at most {MOST_RANGES:,} are read.")
    return ranges
