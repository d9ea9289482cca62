"""What it costs that everything read for the first time is verified: a first epoch, and the gathering alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.artifacts.arrays import Columns
from pipeline.inputs.batches import Samples
from tests.benchmarks import gather, loops, pictures
from tests.benchmarks.measure import Figure, Way, compare
from tests.helpers.presets import DEMO

BATCH = 32
WARM = "all of it verified before"


def run(quick: bool) -> Iterator[Figure]:
    """A student's first epoch in a process, and one pass over the faces, beside the same once all is verified."""
    faces, rounds = (64, 1) if quick else (512, 5)
    with TemporaryDirectory(dir=pictures.scratch()) as folder:
        path = Path(folder) / "inputs.h5"
        samples = _samples(gather.face_file(path, faces), faces)
        student = DEMO.student("deit")
        training = loops.Training(student, samples, BATCH)
        epoch = (_over(path, samples, training.ours, verified) for verified in (False, True))
        yield compare(
            "verification", f"first epoch of {student.label}, batch {BATCH}", *epoch, WARM, "images/s", rounds, 0.97
        )
        once = gather.streamed(samples, np.random.default_rng(0).permutation(faces))
        passes = (_over(path, samples, lambda: _timed(once), verified) for verified in (False, True))
        yield compare(
            "verification", f"first gathering of faces of {gather.SIZE} px alone", *passes, WARM, "images/s", rounds
        )


def _samples(faces: object, count: int) -> Samples:
    return Samples({"rgb": faces}, np.arange(count), [f"{n:06d}" for n in range(count)], np.arange(count) % 2)


def _over(path: Path, samples: Samples, way: Way, verified: bool) -> Way:
    """A way that finds its faces newly opened, or newly opened and verified; neither counts in its time."""

    def opened() -> int | tuple[int, float]:
        column = Columns(path, "inputs", "")["rgb"]
        if verified:
            column.verify()
        samples.columns["rgb"] = column
        return way()

    return opened


def _timed(way: Way) -> tuple[int, float]:
    start = time.perf_counter()
    return way(), time.perf_counter() - start
