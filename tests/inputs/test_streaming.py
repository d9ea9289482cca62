"""Batches from a memory map."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.inputs import streaming
from pipeline.inputs.sampling import epoch_order
from pipeline.inputs.streaming import batches


@pytest.fixture
def images(tmp_path) -> np.memmap:
    mapped = np.memmap(tmp_path / "images", dtype=np.uint8, mode="w+", shape=(23, 4, 4, 3))
    mapped[:] = np.random.default_rng(0).integers(0, 256, mapped.shape, dtype=np.uint8)
    return mapped


def test_batches_are_the_rows_in_order(images):
    rows = epoch_order(0, 0, 23)
    streamed = [(chunk, batch.numpy().copy()) for chunk, batch in batches(images, rows, 5)]
    assert [len(chunk) for chunk, _ in streamed] == [5, 5, 5, 5, 3]
    assert np.array_equal(np.concatenate([chunk for chunk, _ in streamed]), rows)
    assert all(np.array_equal(batch, images[chunk]) for chunk, batch in streamed)


def test_a_batch_is_not_overwritten_while_the_next_is_fetched(images):
    for chunk, batch in batches(images, np.arange(23), 4):
        before = batch.numpy().copy()
        threading.Event().wait(0.002)  # the background thread has fetched the following batch by now
        assert np.array_equal(batch.numpy(), before)
        assert np.array_equal(before, images[chunk])


def test_no_rows_no_batches(images):
    assert list(batches(images, np.arange(0), 4)) == []


@pytest.mark.parametrize("row", [23, -1])
def test_a_row_outside_the_array_is_an_error(images, row):
    with pytest.raises(IndexError, match="23 rows"):
        next(batches(images, np.array([0, row]), 4))


def test_an_error_of_the_thread_reaches_the_consumer(images, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("the disk is gone")

    monkeypatch.setattr(np, "take", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches(images, np.arange(8), 4))


def test_leaving_early_ends_the_thread(images):
    stream = batches(images, np.arange(23), 4)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_memory_does_not_grow_with_the_rows(images):
    held = {batch.data_ptr() for _, batch in batches(images, np.tile(np.arange(23), 20), 4)}
    assert len(held) == 2


def test_order_is_a_function_of_seed_epoch_and_number():
    assert np.array_equal(epoch_order(1, 2, 100), epoch_order(1, 2, 100))
    assert not np.array_equal(epoch_order(1, 2, 100), epoch_order(1, 3, 100))
    assert not np.array_equal(epoch_order(1, 2, 100), epoch_order(2, 2, 100))


def mapped_bytes(path) -> int:
    """What this process has mapped of a file and touched."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    sizes = [next(line for line in lines if line.startswith("Rss")) for row in lines if str(path) in row]
    return sum(1024 * int(size.split()[1]) for size in sizes)


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "LARGE_BYTES", 2**20)
    monkeypatch.setattr(streaming, "UNMAPPED_AFTER", 1)
    path, rows = tmp_path / "large", 64
    np.random.default_rng(0).integers(0, 256, (rows, 2**20), dtype=np.uint8).tofile(path)
    images = np.memmap(path, np.uint8, "r", shape=(rows, 2**20))
    peak = 0
    for chunk, batch in batches(images, epoch_order(0, 0, rows), 2):
        assert np.array_equal(batch[0].numpy(), np.fromfile(path, np.uint8, 2**20, offset=int(chunk[0]) * 2**20))
        peak = max(peak, mapped_bytes(path))
    assert peak < path.stat().st_size / 4
