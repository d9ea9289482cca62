"""WFLW: two lists with a line for each face, 98 points, its box and six flags, and the pictures in ``WFLW_images``.

A line has 196 coordinates, the corners of a box, 0 or 1 for pose, expression, illumination, make-up, occlusion and
blur, and the picture's name. Coordinates count pixels from 0, so that the first one's centre, 0.5 here, is at 0 there.

Source: Wu et al. 2018, "Look at Boundary: A Boundary-Aware Face Alignment Algorithm", CVPR, arXiv:1805.10483.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.fields import read_number
from pipeline.inputs.datasets.entries import Listing, Region, Skipped, pictures
from pipeline.inputs.datasets.faces import Face, check_box, entries_of

LISTS = {f"list_98pt_rect_attr_{part}.txt": part for part in ("test", "train")}
PICTURES = "WFLW_images/"
FLAGS = ("large_pose", "expression_strong", "illumination", "make_up", "occluded", "blurred")
POINTS, CORNERS = 98, 4
FIELDS = 2 * POINTS + CORNERS + len(FLAGS) + 1
SHIFT = 0.5  # from a pixel's number, counted from 0, to its centre


def _lists(files: Mapping[str, str]) -> dict[str, str]:
    """The lists by the part that they are of, the test before the training."""
    by_name = {PurePosixPath(file).name.casefold(): file for file in files}
    return {part: by_name[name] for name, part in LISTS.items() if name in by_name}


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there is one of the lists."""
    return bool(_lists(files))


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List WFLW's faces; those of one picture are its regions.

    Parameters
    ----------
    folder : the dataset's folder.
    files : SHA-256 by path below it: pictures of one content are one.

    Raises
    ------
    DataError : there is no list, or it is no text.
    """
    lists = _lists(files)
    if not lists:
        raise DataError(f"{folder} has no {' and no '.join(LISTS)}, which name WFLW's points. Put them there.")
    by_name = {file.rpartition(PICTURES)[2]: file for file in pictures(files)}
    faces, skipped = [], []
    for part, name in lists.items():
        for number, line in enumerate(read_text(folder / name).splitlines(), 1):
            if not (fields := line.split()):
                continue
            file = by_name.get(fields[-1])
            try:
                region = region_of(fields)
                if file is None:
                    raise DataError(f"missing: there is no picture {quoted(fields[-1])}")
                faces.append(Face(file, region, file, part))
            except DataError as error:
                skipped.append(Skipped(file or f"{name}, line {number}", str(error)))
    entries, further = entries_of(faces, files)
    return Listing(entries, skipped + further)


def region_of(fields: list[str]) -> Region:
    """The face of a line.

    Raises
    ------
    DataError : the line has other fields; the message is the reason, as ``kind: detail``.
    """
    if len(fields) != FIELDS:
        raise DataError(f"unreadable line: {len(fields)} fields, expected {FIELDS}")
    numbers = tuple(_coordinates(fields[: 2 * POINTS + CORNERS]))
    flags = dict(zip(FLAGS, fields[2 * POINTS + CORNERS : -1], strict=True))
    if wrong := [name for name, flag in flags.items() if flag not in ("0", "1")]:
        raise DataError(f"unknown {wrong[0]}: {quoted(flags[wrong[0]])}, expected 0 or 1")
    points, box = numbers[: 2 * POINTS], numbers[2 * POINTS :]
    check_box(box)
    return Region({}, points=points, box=box, attributes=flags)


def _coordinates(words: list[str]) -> Iterator[float]:
    for word in words:
        number = read_number(word)
        if number is None:
            raise DataError(f"unreadable line: {quoted(word)} is no coordinate")
        yield number + SHIFT
