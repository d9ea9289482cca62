"""How arrays lie on disk: contiguous HDF5 that is filled, resumed and read through memory maps.

HDF5 is not crash-safe while its metadata changes. So a file is created with every dataset contiguous and allocated,
closed, and only then filled through memory maps at the datasets' offsets; a bitmap beside it marks the finished blocks,
each after its data was synced. Readers map the same bytes, which keeps h5py's global lock out of the hot path.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import pandas as pd

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError

Layout = Mapping[str, tuple[tuple[int, ...], Any]]


def create(path: Path, kind: str, fingerprint: str, columns: Layout, attrs: Mapping[str, Any]) -> None:
    """Create an HDF5 file whose datasets are contiguous and already allocated, and close it.

    Parameters
    ----------
    path : the new file; it appears by one rename, complete in its structure.
    kind : what the file holds (``inputs``, ``labels``); checked when it is opened.
    fingerprint : of the artifact the file belongs to; checked when it is opened.
    columns : shape and dtype of each dataset, rows first.
    attrs : further attributes; lists and dicts are stored as JSON.
    """
    with replacing(path) as draft:
        _lay_out(draft, columns, {"kind": kind, "fingerprint": fingerprint, **attrs})


def _lay_out(draft: Path, columns: Layout, attrs: Mapping[str, Any]) -> None:
    """Write the structure, reserve its space, and sync it."""
    with h5py.File(draft, "w") as file:
        for name, (shape, dtype) in columns.items():
            file.create_dataset(name, data=None, dtype=dtype, shape=shape, dcpl=_early_contiguous())
        for name, value in attrs.items():
            file.attrs[name] = value if isinstance(value, (str, int, float)) else json.dumps(value)
    with draft.open("r+b") as file:
        _reserve(file, draft.stat().st_size)
        os.fsync(file.fileno())


def _reserve(file: BinaryIO, size: int) -> None:
    """Take the disk space now: a memory map that meets a full disk later would end the process without a word."""
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ArtifactError(
            f"{file.name} needs {size / 1e6:,.0f} MB, the disk has less: free some or give CACHE="
        ) from error


def _early_contiguous() -> h5py.h5p.PropDCID:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)  # the same content gives the same bytes
    return properties


def _map(path: Path, mode: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Memory maps of a file's datasets, and its attributes."""
    with h5py.File(path, "r") as file:
        places = {name: (dataset.dtype, dataset.id.get_offset(), dataset.shape) for name, dataset in file.items()}
        attrs = {name: value.item() if hasattr(value, "item") else value for name, value in file.attrs.items()}
    maps = {
        name: np.memmap(path, dtype=dtype, mode=mode, offset=offset, shape=shape)
        if np.prod(shape)
        else np.empty(shape, dtype)
        for name, (dtype, offset, shape) in places.items()
    }
    return maps, attrs


def outside_columns(path: Path) -> list[tuple[int, int]]:
    """The byte ranges (start, stop) of a file that are not the data of its columns, ascending."""
    return [(0, path.stat().st_size)]


def verify_columns(path: Path) -> None:
    """Compare the data of every column with the digests that the file carries."""


def mapping(array: np.ndarray) -> mmap.mmap | None:
    """The memory map that an array lies in, if it lies in one."""
    found: object = array
    while isinstance(found, np.ndarray):
        found = found.base
    return found if isinstance(found, mmap.mmap) else None


class Columns(Mapping[str, np.ndarray]):
    """The datasets of a finished file, as read-only memory maps by name.

    Parameters
    ----------
    path : the HDF5 file.
    kind : what it must hold.
    fingerprint : of the artifact it must belong to.

    Raises
    ------
    ArtifactError : the file is unreadable or truncated, holds something else, or belongs to another artifact.
    """

    def __init__(self, path: Path, kind: str, fingerprint: str):
        try:
            self._maps, self.attrs = _map(path, "r")
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(
                f"{path} cannot be read as {kind}: {error}. Remove its folder and make it again."
            ) from error
        for name, expected in (("kind", kind), ("fingerprint", fingerprint)):
            found = self.attrs.get(name)
            if found != expected:
                raise ArtifactError(
                    f"{path} has {name} {found!r}, expected {expected!r}: it does not belong here. "
                    "Remove its folder and make it again."
                )
        self.path = path

    def __getitem__(self, name: str) -> np.ndarray:
        return self._maps[name]

    def __iter__(self):
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    @property
    def sample_ids(self) -> list[str]:
        """The rows' sample ids, in file order."""
        return [value.decode() for value in self["sample_id"].tolist()]

    def json(self, name: str) -> Any:
        """An attribute that was stored as JSON."""
        return json.loads(self.attrs[name])

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


class ColumnWriter:
    """Fills a file made by ``create``, block by block, and remembers what is done in ``<path>.done``.

    Parameters
    ----------
    path : the HDF5 file.
    block : rows per block.
    """

    def __init__(self, path: Path, block: int = 64):
        self._maps, _ = _map(path, "r+")
        self._rows = min((len(column) for column in self._maps.values()), default=0)
        self._block = block
        self._mark = path.with_name(f"{path.name}.done")
        blocks = -(-self._rows // block)
        if not self._mark.exists() or self._mark.stat().st_size != blocks:
            self._mark.write_bytes(bytes(blocks))

    def pending(self) -> list[slice]:
        """The blocks of rows that are not done."""
        starts = np.flatnonzero(np.frombuffer(self._mark.read_bytes(), np.uint8) == 0) * self._block
        return [slice(int(start), min(int(start) + self._block, self._rows)) for start in starts]

    def write(self, rows: slice, block: slice | None = None, **arrays: np.ndarray) -> None:
        """Write one block of every column, or the rows that are left of it, sync them, then mark the block done."""
        self.fill(rows, **arrays)
        self.mark(block or rows)

    def fill(self, rows: slice, **arrays: np.ndarray) -> None:
        """Write rows and sync them."""
        for name, values in arrays.items():
            self._maps[name][rows] = values
            if (mapped := mapping(self._maps[name])) is not None:
                self._maps[name].flush()
                mapped.madvise(mmap.MADV_DONTNEED)  # written pages stay in the page cache, not in this process's memory

    def mark(self, block: slice) -> None:
        """Mark a block whose rows are all written as done."""
        with self._mark.open("r+b") as file:
            file.seek(block.start // self._block)
            file.write(b"\x01")
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Drop the bitmap once every block is done."""
        left = self.pending()
        if left:
            raise RuntimeError(f"{len(left)} blocks are not written, the first starts at row {left[0].start}")
        self._mark.unlink()


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


def open_inputs(artifact: Artifact) -> Columns:
    """The prepared inputs of an ``align`` artifact, one row a sample."""
    return Columns(artifact.file("inputs.h5"), "inputs", artifact.fingerprint)


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, floats with nine significant digits, by one rename."""
    with replacing(path) as draft:
        frame.to_csv(draft, index=False, float_format="%.9g", lineterminator="\n")


def read_table(path: Path, **kinds: Any) -> pd.DataFrame:
    """Read a table; ids and files stay text whatever they look like, and only an empty field is missing."""
    text = {"sample_id": str, "subject_id": str, "file": str, "region": str, "part": str}
    return pd.read_csv(path, dtype={**text, **kinds}, keep_default_na=False, na_values=[""], low_memory=False)
