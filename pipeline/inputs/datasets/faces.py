"""Faces with points, as readers find them: one by one, and then by the picture that they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.raw_files import open_raw
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Region, Skipped
from pipeline.tasks.schemes import SCHEMES

MAX_BYTES = 2**20  # of a file that says something of one picture


@dataclass(frozen=True)
class Face:
    """One face of a picture.

    Parameters
    ----------
    file : the picture.
    region : what is known of the face.
    subject_id : who is shown, or which picture it was.
    fold : the official part, empty without one.
    """

    file: str
    region: Region
    subject_id: str
    fold: str = ""


def entries_of(faces: Iterable[Face], digests: Mapping[str, str]) -> tuple[list[Entry], list[Skipped]]:
    """An entry for each picture, with a region for each of its faces: ``full``, or by number where there are several.

    Files of one content are one picture. Of one whose faces are in different official parts only those in the test part
    stay: a network would have seen it. Without a training or a test part there are no parts.

    Parameters
    ----------
    faces : in the order in which they are numbered.
    digests : SHA-256 by file, empty where it could not be read.
    """
    of_picture: dict[str, list[Face]] = {}
    for face in faces:
        of_picture.setdefault(digests[face.file] or face.file, []).append(face)
    divided = {"train", "test"} <= {face.fold for group in of_picture.values() for face in group}
    entries, skipped = [], []
    for group in of_picture.values():
        parts = {face.fold for face in group}
        fold = "test" if "test" in parts else group[0].fold
        regions: list[Region] = []
        for face in group:
            if face.fold != fold:
                skipped.append(Skipped(face.file, f"{DROPPED}: a face of the same picture is in the {fold} part"))
            elif face.region in regions:
                skipped.append(Skipped(face.file, f"duplicate: the same face is in {group[0].file}"))
            else:
                regions.append(face.region)
        names = [str(number) for number in range(1, len(regions) + 1)] if len(regions) > 1 else ["full"]
        first = next(face for face in group if face.fold == fold)
        named = dict(zip(names, regions, strict=True))
        entries.append(Entry(first.file, first.subject_id, named, fold=fold if divided else ""))
    return entries, skipped


def flat(points: np.ndarray) -> tuple[float, ...]:
    """Points of shape (K, 2) one behind the other."""
    return tuple(np.asarray(points, float).ravel().tolist())


def check_count(count: int) -> None:
    """Refuse a set of points that no scheme has.

    Raises
    ------
    DataError : there is none of so many; the message is the reason, as ``kind: detail``.
    """
    if count not in SCHEMES:
        raise DataError(f"unknown points: {count} of them, expected {SETS}")


SETS = " or ".join([", ".join(map(str, list(SCHEMES)[:-1])), str(list(SCHEMES)[-1])])


def check_box(box: Sequence[float]) -> None:
    """Refuse a box without a width or a height.

    Raises
    ------
    DataError : the message is the reason, as ``kind: detail``.
    """
    x0, y0, x1, y1 = box
    if not (x0 < x1 and y0 < y1):
        raise DataError(f"unknown box: {x0:g}, {y0:g}, {x1:g}, {y1:g}, expected x0 below x1 and y0 below y1")


def small_text(path: Path) -> str:
    """The text of a small file beside a picture.

    Raises
    ------
    DataError : it is no file, too large, cannot be read or is no text; the message is the reason, as ``kind: detail``.
    OSError : as ``raw_files.open_raw``.
    """
    file, size = open_raw(path, MAX_BYTES)
    with file:
        content = file.read(min(size, MAX_BYTES))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"unreadable: it is no text, {error.reason} at byte {error.start}") from error
