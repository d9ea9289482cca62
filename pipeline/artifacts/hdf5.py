"""Where everything lies in our HDF5 files: contiguous columns, the digests of their blocks, and the structure around.

HDF5 is not crash-safe while its metadata changes. So a file is created with every dataset contiguous and allocated,
closed, and only then filled through a memory map at the datasets' offsets. The first line of the file, in the room that
HDF5 leaves to its users, says in JSON where everything is: over a damaged HDF5 structure its library hangs or crashes,
so ours is written for others and never parsed.

Group ``sha256`` holds for each column the digests of its units: single rows where a row is large, so that random access
reads no more than it asks for, else the blocks in which the file is written. A digest of zeros is none: that unit is
not written yet.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import h5py
import msgspec
import numpy as np
from msgspec import Meta

from pipeline.artifacts.files import WrongKindError, open_regular
from pipeline.errors import ArtifactError

Layout = Mapping[str, tuple[tuple[int, ...], Any]]
Count = Annotated[int, Meta(ge=0, le=2**48)]
Positive = Annotated[int, Meta(ge=1, le=2**48)]

DIGESTS, DIGEST_BYTES = "sha256", 32
LARGE_ROW_BYTES = 16 * 2**10
FIRST_LINE_BYTES = 2**20
SMALLEST_USER_BLOCK = 512  # of HDF5; larger ones are powers of two


@dataclass(frozen=True)
class Place:
    """Where a column lies in its file.

    Attributes
    ----------
    offset, digests : bytes from the file's start to its data and to their digests.
    shape, dtype : of the data, rows first; the dtype as numpy writes it.
    unit : rows for each digest.
    """

    offset: Count
    digests: Count
    shape: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=8)]
    dtype: Annotated[str, Meta(pattern=r"^([|][iu]1|<[iu][248]|<f[248]|[|]S[1-9][0-9]{0,4})$")]
    unit: Positive

    @property
    def nbytes(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def units(self) -> int:
        """How many digests there are."""
        return -(-self.shape[0] // self.unit)

    def spans(self, digests: bool) -> Iterator[tuple[int, int]]:
        """The byte ranges of the data and, if wanted, of the digests."""
        yield self.offset, self.offset + self.nbytes
        if digests:
            yield self.digests, self.digests + self.units * DIGEST_BYTES


@dataclass(frozen=True)
class Structure:
    """What a file holds, as its first line says it.

    Attributes
    ----------
    columns : by name; all have as many rows.
    attrs : text and numbers; what is a list or a dict is JSON.
    block : rows that are written at once.
    size : bytes of the file.
    """

    columns: dict[str, Place]
    attrs: dict[str, str | int | float]
    block: Positive
    size: Count

    @classmethod
    def read(cls, path: Path) -> Structure:
        """Look into a file, believing nothing of it.

        Raises
        ------
        ArtifactError : it is missing, truncated, or not laid out as ``lay_out`` does it.
        """
        try:
            with open_regular(path) as file:
                found = msgspec.json.decode(file.readline(FIRST_LINE_BYTES), type=cls)
                found._check(os.fstat(file.fileno()).st_size)
        except WrongKindError as error:
            raise ArtifactError(f"{path} is not a file. {remedy(path)}") from error
        except OSError as error:
            raise ArtifactError(f"{path} cannot be opened: {error.strerror}") from error
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ArtifactError(
                f"{path} cannot be read, it is damaged or truncated: {error}. {remedy(path)}"
            ) from error
        return found

    @property
    def rows(self) -> int:
        """Of every column."""
        return next((place.shape[0] for place in self.columns.values()), 0)

    def outside(self, digests: bool) -> list[tuple[int, int]]:
        """The byte ranges (start, stop) that hold no column's data, ascending; nor, if so wanted, its digests."""
        ranges, start = [], 0
        for first, last in sorted(span for place in self.columns.values() for span in place.spans(digests)):
            if start < first:
                ranges.append((start, first))
            start = max(start, last)
        return [*ranges, (start, self.size)] if start < self.size else ranges

    def line(self) -> bytes:
        """The first line of the file."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def _check(self, size: int) -> None:
        if self.size != size:
            raise ValueError(f"it has {size:,} bytes, expected {self.size:,}")
        for name, place in self.columns.items():
            if place.shape[0] != self.rows:
                raise ValueError(f"column {name} has {place.shape[0]} rows, others {self.rows}")
            if not math.prod(place.shape[1:]):
                raise ValueError(f"column {name} has rows of nothing")
            if any(stop > size for _, stop in place.spans(digests=True)):
                raise ValueError(f"column {name} ends beyond the file")


def lay_out(path: Path, columns: Layout, attrs: Mapping[str, Any], block: int) -> None:
    """Write a file's structure; its data are holes. The same arguments give the same bytes.

    Parameters
    ----------
    columns : shape and dtype of each, rows first.
    attrs : lists and dicts are stored as JSON.
    block : rows that are going to be written at once.

    Raises
    ------
    OSError, RuntimeError : HDF5's, where the disk is full or a file may not be so large.
    """
    attrs = {
        name: value if isinstance(value, (str, int, float)) else json.dumps(value) for name, value in attrs.items()
    }
    places = {name: _anywhere(tuple(shape), np.dtype(dtype), block) for name, (shape, dtype) in columns.items()}
    room = len(Structure(places, attrs, block, 2**48).line())
    with h5py.File(path, "w", userblock_size=max(SMALLEST_USER_BLOCK, 1 << (room - 1).bit_length())) as file:
        file.attrs.update(attrs)
        digests = file.create_group(DIGESTS)
        for name, place in places.items():
            offsets = (
                _allocate(file, name, place.shape, place.dtype),
                _allocate(digests, name, (place.units, DIGEST_BYTES), "|u1"),
            )
            places[name] = replace(place, offset=offsets[0], digests=offsets[1])
    with path.open("r+b") as file:
        file.write(Structure(places, attrs, block, path.stat().st_size).line())


def reserve(path: Path) -> None:
    """Take a file's disk space now: a map that meets a full disk later would end the process without a word.

    Raises
    ------
    OSError : the disk has less, or a limit is in the way.
    """
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error  # Python leaves the name out
        os.fsync(file.fileno())


def alike(pattern: Path, path: Path) -> bool:
    """Whether all of a file but its data and digests is, byte for byte, as in a pattern laid out a moment ago."""
    structure = Structure.read(pattern)
    if path.stat().st_size != structure.size:
        return False
    with pattern.open("rb") as ours, path.open("rb") as theirs:
        for start, stop in structure.outside(digests=True):
            ours.seek(start)
            theirs.seek(start)
            if ours.read(stop - start) != theirs.read(stop - start):
                return False
    return True


def remedy(path: Path) -> str:
    """What to do about a damaged file of an artifact."""
    return f"Remove its folder and run the command again, it will be made anew: rm -r {path.parent}"


def _anywhere(shape: tuple[int, ...], dtype: np.dtype, block: int) -> Place:
    """A column whose offsets are not known yet."""
    large = math.prod(shape[1:]) * dtype.itemsize >= LARGE_ROW_BYTES
    return Place(2**48, 2**48, shape, dtype.str, 1 if large else block)


def _allocate(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: str) -> int:
    """Make room for a dataset in one piece, and return its offset."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)  # the same content gives the same bytes
    return group.create_dataset(name, dtype=dtype, shape=shape, dcpl=properties).id.get_offset() or 0
