"""300W and its like: pictures with a ``.pts`` file of the same name beside each, which holds the points of one face.

In the usual folders the official parts are known: AFW, HELEN's and LFPW's ``trainset`` are for training, their
``testset`` (``common``), ``ibug`` (``challenging``) and the later set's ``01_Indoor`` and ``02_Outdoor`` for the test.
Other folders bring no parts. Coordinates of ``.pts`` files count from 1, see ``pts``. The sets have no boxes of faces:
a region is a square about its points.

A picture of several faces is there once for each of them, ``1051618982_1.jpg`` and so on; mirrored copies are called
``…_mirror.jpg``. In the usual folders all of these are one subject.

Source: Sagonas et al. 2013, "300 Faces in-the-Wild Challenge: The first facial landmark localization Challenge", ICCVW.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.inputs.datasets import pts
from pipeline.inputs.datasets.entries import Listing, Region, Skipped, pictures
from pipeline.inputs.datasets.faces import Face, check_count, entries_of, flat, small_text
from pipeline.inputs.datasets.frames import of_half

SUBSET = "subset"  # attribute
# Folders that a picture lies below, its part and its subset.
_LAYOUT = (
    (("afw",), "train", "train"),
    (("helen", "trainset"), "train", "train"),
    (("lfpw", "trainset"), "train", "train"),
    (("helen", "testset"), "test", "common"),
    (("lfpw", "testset"), "test", "common"),
    (("ibug",), "test", "challenging"),
    (("01_indoor",), "test", "indoor"),
    (("02_outdoor",), "test", "outdoor"),
)
_COPY = re.compile(r"(_[0-9]{1,2})?(_mirror)?$")  # the face's number in a picture of several, and a mirrored copy


def recognises(files: Mapping[str, str]) -> bool:
    """Whether a picture has a file of points beside it."""
    stems = {_stem(file) for file in files if _is_points(file)}
    return any(_stem(file) in stems for file in pictures(files))


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List pictures with files of points.

    Parameters
    ----------
    folder : the dataset's folder.
    files : SHA-256 by path below it: pictures of one content are one.

    Raises
    ------
    OSError : as ``raw_files.open_raw``.
    """
    points = {_stem(file): file for file in files if _is_points(file)}
    shown: dict[str, str] = {}
    faces, skipped = [], []
    for file in pictures(files):
        stem = _stem(file)
        if stem not in points:
            skipped.append(Skipped(file, "no points: there is no file .pts of its name beside it"))
        elif stem in shown:
            skipped.append(Skipped(file, f"contradiction: {shown[stem]} has the same file .pts"))
        else:
            shown[stem] = file
            try:
                faces.append(_face(folder, file, points[stem]))
            except DataError as error:
                skipped.append(Skipped(file, of_half(PurePosixPath(points[stem]).name, str(error))))
    skipped += [
        Skipped(file, "missing: there is no picture of its name beside it")
        for stem, file in points.items()
        if stem not in shown
    ]
    entries, further = entries_of(faces, files)
    return Listing(entries, skipped + further)


def _is_points(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() == pts.SUFFIX


def _stem(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix()


def _face(folder: Path, file: str, points: str) -> Face:
    coordinates = pts.read(small_text(folder / points))
    check_count(len(coordinates))
    parents = {folder.name.casefold(), *(part.casefold() for part in PurePosixPath(file).parts[:-1])}
    places = [(part, subset) for names, part, subset in _LAYOUT if parents.issuperset(names)]
    part, subset = places[0] if places else ("", "")
    region = Region({}, points=flat(coordinates), about_points=True, attributes={SUBSET: subset} if subset else {})
    return Face(file, region, _COPY.sub("", _stem(file)) if places else file, part)
