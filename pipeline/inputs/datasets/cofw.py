"""COFW: faces behind hands, hair and glasses, 29 points each, in MATLAB files that hold the pictures, too.

``COFW_train.mat`` and ``COFW_test.mat`` (grey), or ``COFW_train_color.mat`` and ``COFW_test_color.mat``, saved as 7.3,
which is HDF5: cells of pictures ``IsTr``, points ``phisTr`` (29 x, 29 y, 29 times whether it is hidden) and boxes
``bboxesTr`` (x, y, width, height) of the training part, ``IsT``, ``phisT`` and ``bboxesT`` of the test part. MATLAB
counts pixels from 1: the centre of the first one, 0.5 here, is at 1 there. HDF5 has the axes of MATLAB's arrays in
reverse order.

Source: Burgos-Artizzu, Perona, Dollár 2013, "Robust face landmark estimation under occlusion", ICCV.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pipeline.artifacts.raw_files import SURROUNDINGS, open_raw
from pipeline.artifacts.suffixes import quoted
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, Unpack
from pipeline.inputs.datasets.faces import check_box, flat
from pipeline.inputs.images import MAX_PIXELS

POINTS = 29
OCCLUDED, SHARE = "occluded", 0.3  # attribute: 1 where at least this share of the points is hidden
SHIFT = 0.5  # from MATLAB's pixel number to its centre
PARTS = {"train": "Tr", "test": "T"}  # how the names of a part's variables end
MAX_BYTES = 2**36
MAX_FACES = 1_000_000
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError)  # as h5py tells of it
_NAME = re.compile(r"cofw_(train|test)(_color)?\.mat", re.IGNORECASE)


def _parts(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """The files, and the part of each."""
    names = [(file, _NAME.fullmatch(PurePosixPath(file).name)) for file in files]
    return [(file, match[1].lower()) for file, match in names if match]


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there is a file of such a name."""
    return bool(_parts(files))


def read(folder: Path, files: Mapping[str, str], unpack: Unpack) -> Listing:
    """List COFW's faces, and unpack their pictures.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).
    unpack : keeps an encoded picture under a name and returns its SHA-256.

    Raises
    ------
    DataError : there is no such file, there are two of one part, or one is damaged or holds other arrays.
    """
    parts = _parts(files)
    of_part: dict[str, list[str]] = {}
    for file, part in parts:
        of_part.setdefault(part, []).append(file)
    if not parts:
        raise DataError(f"{folder} has no COFW_train.mat or COFW_test.mat, in colour or grey. Put them there.")
    if twice := [names for names in of_part.values() if len(names) > 1]:
        raise DataError(f"{folder}: {' and '.join(twice[0])} are the same part. Keep one.")
    entries, skipped, digests = [], [], {}
    for file, part in parts:
        stem = PurePosixPath(file).with_suffix("").as_posix()
        for number, face in enumerate(_faces(folder / file, PARTS[part])):
            name = f"{stem}/{number:07d}.png"
            if isinstance(face, str):
                skipped.append(Skipped(name, face))
                continue
            content, region = face
            digests[name] = unpack(name, content)
            entries.append(Entry(name, name, {"full": region}, fold=part if len(of_part) > 1 else ""))
    return Listing(entries, skipped, digests)


def _faces(path: Path, end: str) -> Iterator[tuple[bytes, Region] | str]:
    """Of each face the picture as PNG and what is known of it, or why it cannot be used."""
    with _opened(path) as file:
        names = [f"{name}{end}" for name in ("Is", "phis", "bboxes")]
        if missing := [name for name in names if name not in file]:
            raise DataError(f"{path} has no array {missing[0]}. Fetch it again.")
        pictures, points, boxes = (file[name] for name in names)
        count = _checked(path, pictures, points, boxes)
        phis, corners = points[:].T.astype(float), boxes[:].T.astype(float)  # (N, 87), (N, 4)
        for reference, phi, box in zip(pictures[:].ravel(), phis, corners, strict=True) if count else ():
            try:
                face = _encoded(file[reference]), region_of(phi, box)
            except DataError as error:
                face = str(error)
            except DAMAGE as error:
                _check_surroundings(error)
                face = f"unreadable: {quoted(error)}"
            yield face


def _checked(path: Path, pictures: Any, points: Any, boxes: Any) -> int:
    """How many faces a file has."""
    import h5py

    shapes = [getattr(array, "shape", None) for array in (pictures, points, boxes)]
    count = shapes[1][-1] if shapes[1] else 0
    wanted = [{(1, count), (count, 1)}, {(3 * POINTS, count)}, {(4, count)}]
    cells = h5py.check_ref_dtype(pictures.dtype) is h5py.Reference if shapes[0] else False
    numbers = all(array.dtype.kind in "fiu" for array, shape in zip((points, boxes), shapes[1:], strict=True) if shape)
    fitting = all(shape in some for shape, some in zip(shapes, wanted, strict=True))
    if not (fitting and cells and numbers) or count > MAX_FACES:
        raise DataError(
            f"{path} holds arrays of shapes {', '.join(map(str, shapes))}; expected cells of N pictures, "
            f"({3 * POINTS}, N) and (4, N) numbers. Fetch it again."
        )
    return count


def region_of(phi: np.ndarray, box: np.ndarray) -> Region:
    """The face that a row of numbers tells.

    Parameters
    ----------
    phi : float, shape (87,): 29 x, 29 y, and 1 for each point that is hidden.
    box : float, shape (4,): x, y, width, height.

    Raises
    ------
    DataError : a number is not finite, or the box has no size; the message is the reason, as ``kind: detail``.
    """
    if not (np.isfinite(phi).all() and np.isfinite(box).all()):
        raise DataError("unreadable: a coordinate is no finite number")
    x, y, hidden = phi.reshape(3, POINTS)
    corners = flat(np.concatenate([box[:2], box[:2] + box[2:]]) - SHIFT)
    check_box(corners)
    flags = tuple((hidden > 0).astype(int).tolist())
    occluded = str(int(sum(flags) >= SHARE * POINTS))
    points = flat(np.stack([x, y], axis=1) - SHIFT)
    return Region({}, points=points, hidden=flags, box=corners, attributes={OCCLUDED: occluded})


def _encoded(picture: Any) -> bytes:
    """A picture of MATLAB's as PNG."""
    shape = getattr(picture, "shape", ())
    grey, coloured = len(shape) == 2, len(shape) == 3 and shape[0] == 3
    if not (grey or coloured) or picture.dtype != np.uint8 or not 0 < np.prod(shape[-2:], dtype=float) <= MAX_PIXELS:
        kind = getattr(picture, "dtype", type(picture).__name__)
        raise DataError(f"unreadable: {kind} of shape {shape}, expected 8 bits of width x height, or 3 times that")
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[:].T)).save(content, "PNG")  # (H, W) or (H, W, 3)
    return content.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A MATLAB file; what its reader says of damage, then or later, becomes one line."""
    import h5py

    try:
        content = open_raw(path, MAX_BYTES)[0]
    except DataError as error:
        raise DataError(f"{path} is no readable MATLAB file ({error}). Fetch it again.") from error
    try:
        with content, h5py.File(content, "r") as file:
            yield file
    except DAMAGE as error:
        _check_surroundings(error)
        raise DataError(
            f"{path} is no readable MATLAB file of version 7.3 ({quoted(error, 200)[1:-1]}). Fetch it again."
        ) from error


def _check_surroundings(error: Exception) -> None:
    """Let an error through that says nothing of the file."""
    if isinstance(error, OSError) and error.errno in SURROUNDINGS:
        raise error
