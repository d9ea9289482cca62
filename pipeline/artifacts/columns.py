"""Columns as they are read: arrays in the map of a file, verified block by block when they are first touched.

Reading maps the bytes that were written, which keeps h5py's lock out of the hot path. What is touched is hashed once,
then it costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts import hdf5
from pipeline.artifacts.hdf5 import DIGEST_BYTES, Place, Structure
from pipeline.errors import ArtifactError


class Units:
    """The bytes of a column in the map of its file, in the units that have a digest each.

    Attributes
    ----------
    data : the column.
    digests : uint8, shape (units, 32).
    """

    def __init__(self, place: Place, file: np.memmap):
        self._rows = place.unit
        self._bytes = file[place.offset : place.offset + place.nbytes]
        self.data = np.ndarray(place.shape, place.dtype, self._bytes)
        self.digests = file[place.digests : place.digests + place.units * DIGEST_BYTES].reshape(-1, DIGEST_BYTES)

    def of(self, rows: slice) -> range:
        """The units that some rows lie in."""
        return range(rows.start // self._rows, -(-rows.stop // self._rows))

    def at(self, rows: np.ndarray) -> np.ndarray:
        """The units that some rows lie in, each once, ascending."""
        return np.unique(rows // self._rows)

    def rows(self, unit: int) -> slice:
        """The rows of a unit."""
        return slice(unit * self._rows, min((unit + 1) * self._rows, len(self.data)))

    def words(self, unit: int) -> str:
        """A unit's name in messages."""
        rows = self.rows(unit)
        return f"row {unit}" if self._rows == 1 else f"block {unit} (rows {rows.start} to {rows.stop - 1})"

    def seal(self, unit: int) -> None:
        """Write the digest of what a unit holds."""
        self.digests[unit] = np.frombuffer(self._digest(unit), np.uint8)

    def sealed(self, unit: int) -> bool:
        """Whether a unit has a digest."""
        return bool(self.digests[unit].any())

    def intact(self, unit: int) -> bool:
        """Whether a unit holds what its digest says."""
        return self._digest(unit) == self.digests[unit].tobytes()

    def _digest(self, unit: int) -> bytes:
        rows, width = self.rows(unit), self.data.strides[0]
        return hashlib.sha256(self._bytes[rows.start * width : rows.stop * width]).digest()


class Column:
    """A column of a file: an array whose bytes are verified when they are first touched, and then no more.

    Parameters
    ----------
    path : of the file, for messages.
    name : of the column.
    units : its bytes.
    """

    __eq__ = None  # not an array: to compare it as one would silently be False

    def __init__(self, path: Path, name: str, units: Units):
        self._path, self._name, self._units = path, name, units
        self.shape, self.dtype, self.nbytes = units.data.shape, units.data.dtype, units.data.nbytes
        self.ndim, self.base = units.data.ndim, units.data.base
        self._seen = np.zeros(len(units.digests), bool)
        self._all_seen = not len(self._seen)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """What numpy gives for an index, a view where it can.

        Raises
        ------
        ArtifactError : a unit that is touched for the first time is damaged.
        """
        if not self._all_seen:
            self._verify(self._touched(index))
        return self._units.data[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.verify()
        return np.array(self._units.data, dtype, copy=copy)

    def take(self, indices: np.ndarray, axis: int = 0, out: np.ndarray | None = None, mode: str = "raise"):
        """What ``np.take`` calls: gather rows that lie inside the column, int64, into an array."""
        if not self._all_seen:
            self._verify(self._touched(indices))
        return self._units.data.take(indices, axis, out, mode)

    def verify(self) -> None:
        """Verify all that was not touched yet.

        Raises
        ------
        ArtifactError : a unit is damaged.
        """
        if not self._all_seen:
            self._verify(np.arange(len(self._seen)))

    def _touched(self, index: Any) -> np.ndarray:
        """The units that an index touches, or more."""
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, slice):
            start, stop, step = first.indices(len(self))
            return np.array(self._units.of(slice(start, stop)) if step > 0 else range(len(self._seen)), int)
        rows = np.asarray(first)
        if rows.dtype == bool and rows.ndim == 1:
            return self._units.at(np.flatnonzero(rows))
        if rows.dtype.kind in "iu":
            return self._units.at(rows % max(1, len(self)))
        return np.arange(len(self._seen))

    def _verify(self, units: np.ndarray) -> None:
        unseen = units[~self._seen[units]]
        for unit in unseen.tolist():
            if not self._units.intact(unit):
                raise ArtifactError(
                    f"{self._path} is damaged: {self._units.words(unit)} of column {self._name} is not what was "
                    f"written (SHA-256). {hdf5.remedy(self._path)}"
                )
            self._seen[unit] = True  # two threads may verify a unit twice, which does no harm
        if len(unseen):
            self._all_seen = bool(self._seen.all())


class Attributes(dict[str, Any]):
    """A file's attributes: text and numbers by name."""

    def __init__(self, path: Path, values: Mapping[str, Any]):
        super().__init__(values)
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise ArtifactError(f"{self._path} does not say its {name}. {hdf5.remedy(self._path)}")


class Columns:
    """The columns of a file by name, each verified when it is read.

    Parameters
    ----------
    path : the HDF5 file; of a finished artifact as ``Artifact.file`` gives it, which verifies what is not in columns.
    kind : what it must hold.
    fingerprint : of the artifact it must belong to.

    Raises
    ------
    ArtifactError : the file is unreadable or truncated, holds something else, or belongs to another artifact.
    """

    def __init__(self, path: Path, kind: str, fingerprint: str):
        structure, units = mapped(path, "r")
        self.path, self.attrs = path, Attributes(path, structure.attrs)
        self._columns = {name: Column(path, name, one) for name, one in units.items()}
        for name, expected in (("kind", kind), ("fingerprint", fingerprint)):
            if self.attrs[name] != expected:
                raise ArtifactError(
                    f"{path} has {name} {self.attrs[name]!r}, expected {expected!r}: it does not belong here. "
                    f"{hdf5.remedy(path)}"
                )

    def __getitem__(self, name: str) -> Column:
        if name not in self._columns:
            raise ArtifactError(
                f"{self.path} has no column {name}; it has {', '.join(self._columns)}. {hdf5.remedy(self.path)}"
            )
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    @property
    def sample_ids(self) -> list[str]:
        """The rows' sample ids, in file order."""
        return [value.decode() for value in self["sample_id"][:].tolist()]

    def json(self, name: str) -> Any:
        """An attribute that was stored as JSON."""
        try:
            return json.loads(self.attrs[name])
        except (ValueError, TypeError, RecursionError) as error:
            raise ArtifactError(f"{self.path}: {name} is no JSON ({error}). {hdf5.remedy(self.path)}") from error

    def rows(self, sample_ids: list[str] | pd.Series) -> np.ndarray:
        """Row numbers (int64) of the given samples, in their order.

        Raises
        ------
        ArtifactError : a sample is not in the file.
        """
        places = pd.Index(self.sample_ids).get_indexer(pd.Index(sample_ids))
        missing = [str(name) for name, place in zip(sample_ids, places, strict=True) if place < 0]
        if missing:
            raise ArtifactError(
                f"{self.path} lacks {len(missing)} of {len(places)} samples, the first is {missing[0]}: "
                "it was made for another dataset."
            )
        return places.astype(np.int64)


def mapping(array: np.ndarray | Column) -> mmap.mmap | None:
    """The memory map that an array lies in, if it lies in one."""
    found: object = array
    while isinstance(found, (np.ndarray, Column)):
        found = found.base
    return found if isinstance(found, mmap.mmap) else None


def mapped(path: Path, mode: str) -> tuple[Structure, dict[str, Units]]:
    """A file's structure, and its columns in one map of the whole file."""
    structure = Structure.read(path)
    try:
        file = np.memmap(path, np.uint8, mode)
    except OSError as error:  # too many open files, or no address space
        raise ArtifactError(f"{path} cannot be mapped: {error.strerror}") from error
    return structure, {name: Units(place, file) for name, place in structure.columns.items()}
