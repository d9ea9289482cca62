"""Batches from a memory map, one ahead of their use.

A background thread gathers the rows of a batch from the page cache into one of two reused buffers, while the network
works on the batch before; what is read for the first time is verified there. Memory does not grow with the number of
faces, and bytes travel to the device, not floats.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from pipeline.artifacts.columns import Column, mapping

# A larger file is unmapped whenever so much of it was read: mapped pages count as the process's memory, and the kernel
# maps up to ten times what is touched. They stay in the page cache; mapping them again costs a sixth of the rate.
LARGE_BYTES = 2**30
UNMAPPED_AFTER = 2**26


def batches(
    images: np.ndarray | Column, rows: np.ndarray, batch_size: int, device: str = "cpu"
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Stream the given rows of an array.

    Parameters
    ----------
    images : column of a file, or array, shape (N, ...), any dtype that torch knows.
    rows : int64, shape (M,), in the order wanted.
    batch_size : rows per batch; the last may have fewer.
    device : where the batches go; on CUDA through pinned memory.

    Yields
    ------
    (rows of the batch, tensor of shape (B, ...) on the device). On a CPU the tensor is a reused buffer: it holds this
    batch until the next one is asked for.

    Raises
    ------
    IndexError : a row is outside the array.
    ArtifactError : a row of a column that is read for the first time is damaged.
    """
    rows = np.asarray(rows, dtype=np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= len(images)):
        raise IndexError(f"rows {rows.min()} to {rows.max()} of an array with {len(images)} rows")
    parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    yield from zip(parts, chunks(images, parts, device), strict=True)


def chunks(images: np.ndarray | Column, parts: Sequence[np.ndarray], device: str = "cpu") -> Iterator[Tensor]:
    """Stream batches of chosen rows, which may differ in length, each as ``batches`` does.

    Parameters
    ----------
    parts : int64 arrays, the rows of each batch, all of them inside ``images``.
    """
    fetch = _Fetcher(images, max(map(len, parts), default=0), torch.device(device))
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        ahead = [thread.submit(fetch, 0, part) for part in parts[:1]]
        for number in range(len(parts)):
            batch = ahead.pop().result()
            ahead = [thread.submit(fetch, number + 1, following) for following in parts[number + 1 : number + 2]]
            yield fetch.hand_over(batch)


class _Fetcher:
    """Gathers rows into two buffers in turn and takes them to the device."""

    def __init__(self, source: np.ndarray | Column, batch_size: int, device: torch.device):
        self._source = source
        found = mapping(source)
        self._map = found if found is not None and len(found) > LARGE_BYTES else None
        self._read = 0
        self._cuda = device.type == "cuda"
        self._device = device
        self._stream = torch.cuda.Stream(device) if self._cuda else None
        template = torch.from_numpy(np.empty(0, source.dtype))
        shape = (batch_size, *source.shape[1:])
        self._buffers = [torch.empty(shape, dtype=template.dtype, pin_memory=self._cuda) for _ in range(2)]

    def __call__(self, number: int, rows: np.ndarray) -> Tensor:
        """Runs in the background thread."""
        buffer = self._buffers[number % 2][: len(rows)]
        # The rows were checked; with mode="raise" numpy would gather into a copy first.
        np.take(self._source, rows, axis=0, out=buffer.numpy(), mode="clip")
        self._let_go(buffer.nbytes)
        if not self._cuda:
            return buffer
        with torch.cuda.stream(self._stream):
            batch = buffer.to(self._device, non_blocking=True)
        self._stream.synchronize()  # this thread waits, the device works on
        return batch

    def _let_go(self, read: int) -> None:
        """Unmap a large file now and then."""
        self._read += read
        if self._map is not None and self._read >= UNMAPPED_AFTER:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._read = 0

    def hand_over(self, batch: Tensor) -> Tensor:
        """Runs in the consumer's thread: its stream, not the copying one, owns the batch from now on."""
        if self._cuda:
            batch.record_stream(torch.cuda.current_stream(self._device))
        return batch
