"""Batches from a memory map."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.hdf5 import Structure
from pipeline.errors import ArtifactError
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


@pytest.mark.slow
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


@pytest.fixture
def faces_path(tmp_path) -> Path:
    """Faces of noise in a file, each large enough for a digest of its own."""
    path, noise = tmp_path / "inputs.h5", np.random.default_rng(0)
    writer = arrays.open_writer(path, "inputs", "f", {"rgb": ((23, 80, 80, 3), np.uint8)}, {}, 8)
    for rows in writer.pending():
        faces = noise.integers(0, 256, (rows.stop - rows.start, 80, 80, 3), dtype=np.uint8)
        writer.write(rows, rgb=faces)
    writer.finish()
    return path


def test_a_column_streams_as_an_array_does(faces_path):
    column = arrays.Columns(faces_path, "inputs", "f")["rgb"]
    for rows, batch in batches(column, epoch_order(0, 0, 23), 5):
        assert np.array_equal(batch, column[rows])


def test_a_damaged_row_is_never_handed_out(faces_path):
    with faces_path.open("r+b") as file:
        file.seek(Structure.read(faces_path).columns["rgb"].offset + 9 * 80 * 80 * 3 + 5000)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    column = arrays.Columns(faces_path, "inputs", "f")["rgb"]
    assert sum(len(rows) for rows, _ in batches(column, np.delete(np.arange(23), 9), 5)) == 22
    stream = batches(column, np.arange(23), 5)
    assert np.array_equal(next(stream)[0], np.arange(5))
    with pytest.raises(ArtifactError, match="row 9 of column rgb is not what was written"):
        next(stream)


def test_verification_is_done_by_the_thread_that_reads_ahead(faces_path, monkeypatch):
    column, threads = arrays.Columns(faces_path, "inputs", "f")["rgb"], set()
    verify = type(column)._verify
    monkeypatch.setattr(
        type(column), "_verify", lambda *given: (threads.add(threading.current_thread().name), verify(*given))[1]
    )
    assert len(list(batches(column, np.arange(23), 5))) == 5
    assert threads == {"batches_0"}
