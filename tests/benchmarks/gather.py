"""Batches of faces from the page cache into memory: as fast as memory is copied, and as much memory for any file."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

from pipeline.artifacts import arrays
from pipeline.artifacts.columns import Column
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from tests.benchmarks import pictures
from tests.benchmarks.measure import Figure, Way, alone, figure, interleaved, memory_mb

SIZE, BATCH = 256, 256
FACE_BYTES = SIZE * SIZE * 3
LARGE_FACES = 20 * 10**9 // FACE_BYTES


def face_file(path: Path, faces: int, sparse: bool = False) -> Column | np.ndarray:
    """Faces in a file as the align stage lays it out; a sparse one is a bare memory map without blocks on the disk."""
    if sparse:
        with path.open("wb") as file:
            os.truncate(file.fileno(), faces * FACE_BYTES)
        return np.memmap(path, np.uint8, "r", 0, (faces, SIZE, SIZE, 3))
    writer = arrays.open_writer(path, "inputs", "", {"rgb": ((faces, SIZE, SIZE, 3), np.uint8)}, {})
    rng = np.random.default_rng(0)
    for block in writer.pending():
        noise = rng.integers(0, 256, (block.stop - block.start, SIZE, SIZE, 3), dtype=np.uint8)
        writer.write(block, rgb=noise)
    writer.finish()
    return arrays.Columns(path, "inputs", "")["rgb"]


def streamed(samples: Samples, order: np.ndarray) -> Way:
    """One pass over some samples, in batches."""
    return lambda: sum(len(batch.raw["rgb"]) for batch in batches.identity(samples, order, BATCH, "cpu"))


def all_of(images: Column | np.ndarray) -> Samples:
    """Every row of an array as a sample."""
    return Samples({"rgb": images}, np.arange(len(images)), list(map(str, range(len(images)))))


def run(quick: bool) -> Iterator[Figure]:
    """Images a second beside a copy of the same bytes and beside h5py, and memory for a file of 20 GB."""
    faces, passes, rounds = (1024, 4, 1) if quick else (4096, 8, 5)
    with TemporaryDirectory(dir=pictures.scratch()) as scratch:
        path, rng = Path(scratch) / "inputs.h5", np.random.default_rng(1)
        images = face_file(path, faces)
        order = np.concatenate([rng.permutation(faces) for _ in range(passes)])
        with h5py.File(path) as file:
            ways = {
                "ours": streamed(all_of(images), order),
                "memory copied in order": _copied(images),
                "h5py, a sorted list a batch": _listed(file["rgb"], order[: faces // 8]),
                "h5py, face by face": _one_by_one(file["rgb"], order[:faces]),
            }
            rates = interleaved(ways, rounds)
    for against in list(ways)[1:]:
        two = {name: rates[name] for name in ("ours", against)}
        yield figure(
            "gather", f"batches of {BATCH} faces of {SIZE} px, page cache, one process", two, against, "images/s"
        )
    rate = statistics.median(rates["ours"])
    yield alone("gather", "the same", rate, "images/s", least=50_000)
    small, large = (_peak(count) for count in (1000, 4000 if quick else LARGE_FACES))
    yield Figure(
        "gather",
        f"peak memory over a sparse file of {(4000 if quick else LARGE_FACES) * FACE_BYTES / 1e9:.0f} GB, once through",
        *(large, "MB", small, "file of 0.2 GB", large / small, "≤ 2 GB", large <= 2000),
    )


def _copied(images: Column) -> Way:
    """The limit: the same bytes from the page cache into one batch's memory, in order."""
    batch = np.empty((BATCH, SIZE, SIZE, 3), np.uint8)

    def way() -> int:
        for start in range(0, len(images), BATCH):
            np.copyto(batch, images[start : start + BATCH])
        return len(images)

    return way


def _listed(dataset: h5py.Dataset, order: np.ndarray) -> Way:
    def way() -> int:
        return sum(len(dataset[np.sort(order[i : i + BATCH])]) for i in range(0, len(order), BATCH))

    return way


def _one_by_one(dataset: h5py.Dataset, order: np.ndarray) -> Way:
    batch = np.empty((BATCH, SIZE, SIZE, 3), np.uint8)

    def way() -> int:
        for number, row in enumerate(order):
            dataset.read_direct(batch, np.s_[row], np.s_[number % BATCH])
        return len(order)

    return way


def _peak(faces: int) -> float:
    """Peak memory in MB of a process that streams a file once, mapped pages included."""
    with TemporaryDirectory(dir=pictures.scratch()) as scratch:
        command = [sys.executable, "-m", "tests.benchmarks.gather", str(Path(scratch) / "faces"), str(faces)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=pictures.REPOSITORY).stdout
    return json.loads(said)


def _stream_once(path: Path, faces: int) -> float:
    samples = all_of(face_file(path, faces, sparse=True))
    order, peak = np.random.default_rng(1).permutation(faces), 0.0
    for _ in batches.identity(samples, order, BATCH, "cpu"):
        peak = max(peak, memory_mb()["pss"])
    return peak


if __name__ == "__main__":
    print(json.dumps(_stream_once(Path(sys.argv[1]), int(sys.argv[2]))))
