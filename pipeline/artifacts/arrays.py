"""Arrays on disk: filled and resumed block by block, and tables.

A block's digests are written after its data was synced: they say that it is done, and what is in it. A run that goes on
where another was killed verifies what is done, and a reader what it touches (``columns``).
"""

from __future__ import annotations

import logging
import mmap
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.artifacts import hdf5
from pipeline.artifacts.atomic import DRAFT, replacing
from pipeline.artifacts.columns import Column, Columns, mapped, mapping
from pipeline.artifacts.hdf5 import Layout, Structure
from pipeline.errors import ArtifactError

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

log = logging.getLogger(__name__)

BLOCK = 64
UNMAPPED_AFTER = 2**26  # bytes: mapped pages count as the process's memory


def create(
    path: Path, kind: str, fingerprint: str, columns: Layout, attrs: Mapping[str, Any], block: int = BLOCK
) -> None:
    """Create a file for ``ColumnWriter``; it appears by one rename, complete in its structure and its space reserved.

    Parameters
    ----------
    kind : what the file holds (``inputs``, ``labels``); checked when it is opened.
    fingerprint : of the artifact the file belongs to; checked when it is opened.
    columns : shape and dtype of each, rows first.
    attrs : further attributes; lists and dicts are stored as JSON.
    block : rows that are written at once.

    Raises
    ------
    OSError, RuntimeError : the disk has no room for it.
    """
    with replacing(path) as draft:
        hdf5.lay_out(draft, columns, {"kind": kind, "fingerprint": fingerprint, **attrs}, block)
        hdf5.reserve(draft)


def open_writer(
    path: Path, kind: str, fingerprint: str, columns: Layout, attrs: Mapping[str, Any], block: int = BLOCK
) -> ColumnWriter:
    """The writer of a file that a killed run left, or of a new one; parameters as of ``create``.

    What was left goes on with its own size of blocks, if all that is not data is, byte for byte, what would be created.
    """
    if os.path.lexists(path) and not _is_left_of(path, kind, fingerprint, columns, attrs):
        log.warning("%s was left by another run and is not what is to be written now: it is made anew", path)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if not path.exists():
        create(path, kind, fingerprint, columns, attrs, block)
    return ColumnWriter(path)


def _is_left_of(path: Path, kind: str, fingerprint: str, columns: Layout, attrs: Mapping[str, Any]) -> bool:
    """Whether a file could have been created with these arguments and some size of blocks."""
    try:
        block = Structure.read(path).block
    except ArtifactError:
        return False
    pattern = path.with_name(f"{path.name}{DRAFT}")
    try:
        hdf5.lay_out(pattern, columns, {"kind": kind, "fingerprint": fingerprint, **attrs}, block)
        return hdf5.alike(pattern, path)
    finally:
        pattern.unlink(missing_ok=True)


class ColumnWriter:
    """Fills a file made by ``create``, block by block; a block is done when its digests are there.

    Several processes may fill different blocks of one file.

    Parameters
    ----------
    path : the HDF5 file.
    """

    def __init__(self, path: Path):
        self.path = path
        structure, self._columns = mapped(path, "r+")
        self._rows, self._block = structure.rows, structure.block
        self._map = next((mapping(units.digests) for units in self._columns.values()), None)

    def pending(self) -> list[slice]:
        """The blocks of rows that are not done, and those that were and are not what was written."""
        return [rows for rows in self._blocks() if not self._done(rows) or self._damaged(rows)]

    def write(self, rows: slice, block: slice | None = None, **arrays: np.ndarray) -> None:
        """Write one block of every column, or the rows that are left of it, sync them, then mark the block done."""
        self.fill(rows, **arrays)
        self.mark(block or rows)

    def fill(self, rows: slice, **arrays: np.ndarray) -> None:
        """Write rows and sync them."""
        for name, values in arrays.items():
            self._columns[name].data[rows] = values
        self._sync()

    def mark(self, block: slice) -> None:
        """Mark a block whose rows are all written as done: write the digests of what it holds."""
        for units in self._columns.values():
            for unit in units.of(block):
                units.seal(unit)
        self._sync()

    def finish(self) -> None:
        """Make sure that every block is done."""
        left = [rows for rows in self._blocks() if not self._done(rows)]
        if left:
            raise RuntimeError(f"{len(left)} blocks are not written, the first starts at row {left[0].start}")

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, self._rows, self._block):
            yield slice(start, min(start + self._block, self._rows))

    def _done(self, rows: slice) -> bool:
        return all(units.sealed(unit) for units in self._columns.values() for unit in units.of(rows))

    def _damaged(self, rows: slice) -> bool:
        damaged = [
            f"{units.words(unit)} of column {name}"
            for name, units in self._columns.items()
            for unit in units.of(rows)
            if not units.intact(unit)
        ]
        self._map.madvise(mmap.MADV_DONTNEED)
        if damaged:
            number = rows.start // self._block
            log.warning(
                "%s: block %d is made again, %s is not what was written (SHA-256)", self.path, number, damaged[0]
            )
        return bool(damaged)

    def _sync(self) -> None:
        if self._map is not None:
            self._map.flush()
            self._map.madvise(mmap.MADV_DONTNEED)  # written pages stay in the page cache, not in this process's memory


class Behind:
    """Runs calls in order in a thread, so that the caller works on while the disk syncs.

    A call waits for the one before it, and the end of the context for the last; what failed there is raised then.
    """

    def __enter__(self) -> Behind:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._last: Future | None = None
        return self

    def __call__(self, function: Callable[..., Any], *args: Any, **named: Any) -> None:
        """Begin a call once the one before it is done."""
        self._wait()
        self._last = self._thread.submit(function, *args, **named)

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self._thread:
            if kind is None:
                self._wait()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()


def sample_id_column(sample_ids: list[str]) -> np.ndarray:
    """Sample ids as fixed-width UTF-8 bytes, shape (N,)."""
    encoded = [name.encode() for name in sample_ids]
    return np.array(encoded, dtype=f"S{max(map(len, encoded), default=1)}")


def write_columns(
    path: Path, kind: str, fingerprint: str, columns: Mapping[str, np.ndarray], sample_ids: list[str]
) -> None:
    """Write arrays that lie in memory, each with a row for a sample, and whose rows they are; what is there stays.

    Parameters
    ----------
    kind, fingerprint : as of ``create``.
    """
    every = {**columns, "sample_id": sample_id_column(sample_ids)}
    layout = {name: (column.shape, column.dtype) for name, column in every.items()}
    writer = open_writer(path, kind, fingerprint, layout, {})
    for rows in writer.pending():
        writer.write(rows, **{name: column[rows] for name, column in every.items()})
    writer.finish()


def verify_columns(path: Path) -> None:
    """Verify every block of a file against its digests; the record's checksum verifies the rest.

    Raises
    ------
    ArtifactError : a block is damaged.
    """
    for name, units in mapped(path, "r")[1].items():
        column = Column(path, name, units)
        rows = max(1, UNMAPPED_AFTER * len(column) // max(1, column.nbytes))
        for start in range(0, len(column), rows):
            column[start : start + rows]
            mapping(column).madvise(mmap.MADV_DONTNEED)


def outside_columns(path: Path) -> list[tuple[int, int]]:
    """The byte ranges (start, stop) of a file that are not the data of its columns, ascending."""
    return Structure.read(path).outside(digests=False)


def open_inputs(artifact: Artifact) -> Columns:
    """The prepared inputs of an ``align`` artifact, one row a sample."""
    return Columns(artifact.file("inputs.h5"), "inputs", artifact.fingerprint)


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, floats with nine significant digits, by one rename."""
    with replacing(path) as draft:
        frame.to_csv(draft, index=False, float_format="%.9g", lineterminator="\n")


def read_table(path: Path, **kinds: Any) -> pd.DataFrame:
    """Read a table; ids and files stay text whatever they look like, and only an empty field is missing."""
    text = dict.fromkeys(("sample_id", "subject_id", "file", "region", "part", "sequence"), str)
    return pd.read_csv(path, dtype={**text, **kinds}, keep_default_na=False, na_values=[""], low_memory=False)
