"""Align beside the plain loop: one facenet-pytorch MTCNN in one process that looks for faces of 20 px and more."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pandas as pd
from facenet_pytorch import MTCNN
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Work
from pipeline.inputs.faces.geometry import sample, similarity, template
from stages import align
from stages.graph import Graph
from tests.benchmarks import pictures
from tests.benchmarks.measure import Figure, alone, compare
from tests.helpers.presets import PAPER

SIZE, MARGIN, SMALLEST = 256, 0.25, 20


class PlainLoop:
    """Open a picture, cut it, detect, warp, write a PNG: what most people write first."""

    def __init__(self):
        self.network = MTCNN(min_face_size=SMALLEST, select_largest=False)

    def __call__(self, folder: Path, table: pd.DataFrame, out: Path) -> np.ndarray:
        """Landmarks of the most probable face of each row, (N, 5, 2), NaN where there is none."""
        landmarks = np.full((len(table), 5, 2), np.nan)
        for file, rows in groupby(table.itertuples(), key=lambda row: row.file):
            picture = Image.open(folder / file).convert("RGB")
            for row in rows:
                half = picture.crop((row.x0, row.y0, row.x1, row.y1))
                _, _, points = self.network.detect(half, landmarks=True)
                if points is not None:
                    face = sample(np.asarray(half), similarity(points[0].astype(float), template(SIZE, MARGIN)), SIZE)
                    Image.fromarray(face).save(out / f"{row.Index}.png")
                    landmarks[row.Index] = points[0] + (row.x0, row.y0)
        return landmarks


class Stage:
    """The stage itself over a folder of pictures, each time anew."""

    def __init__(self, folder: Path, scratch: Path, device: str = "cpu"):
        self._scratch, self._numbers = scratch, count()
        self._config = replace(PAPER.align, data=str(folder), face_size=SIZE, margin=MARGIN, device=device)
        preset = replace(PAPER, index=replace(PAPER.index, data=str(folder)), align=self._config)
        self._graph = Graph(preset, RawData(folder))
        self.samples: Artifact
        (self.samples,) = ArtifactStore(scratch / "cache").build(self._graph.samples)
        self.table = arrays.read_table(self.samples.file("samples.csv"))

    def timed(self, workers: int = 0) -> tuple[int, float]:
        """How many faces in how many seconds, once the processes are there: their start weighs on a few hundred."""
        blocks = [slice(0, align.BLOCK)] * 2 * (workers or joblib.cpu_count())
        for _ in align._blocks(replace(self._config, workers=workers), blocks, align._rows(self._config, self.table)):
            pass
        start = time.perf_counter()
        return len(self(workers)["look"]), time.perf_counter() - start

    def __call__(self, workers: int = 0) -> arrays.Columns:
        """The faces."""
        work = Work(self._scratch / f"inputs-{next(self._numbers)}", self._graph.inputs)
        work.path.mkdir(parents=True)
        align.run(replace(self._config, workers=workers), work, self.samples)
        return arrays.Columns(work.path / "inputs.h5", "inputs", work.fingerprint)


def run(quick: bool) -> Iterator[Figure]:
    """Speed, scaling, recall and landmarks on halves of 656 x 736 pixels."""
    pairs, copies, rounds = (2, 2, 1) if quick else (16, 24, 5)
    raw = pictures.rendered(pairs)
    with TemporaryDirectory(dir=pictures.scratch()) as scratch:
        folder = Path(scratch)
        loop, few = PlainLoop(), Stage(raw, folder / "few")
        many = Stage(pictures.multiplied(raw, folder / "many", pairs * copies), folder / "cache")
        yield compare(
            *("align", "one process a core", many.timed, lambda: len(loop(raw, few.table, folder))),
            *("plain MTCNN loop", "faces/s", rounds, 8),
        )
        yield compare(
            *("align", "one process a core", many.timed, lambda: many.timed(workers=1), "one process", "faces/s"),
            rounds=(rounds + 1) // 2,
        )
        yield from _quality(loop, raw, few, folder)


def _quality(loop: PlainLoop, raw: Path, stage: Stage, folder: Path) -> Iterator[Figure]:
    """Faces found, and how far the landmarks are from the rendered head's own and from themselves."""
    truth = pd.read_csv(raw / "truth.csv").set_index(["file", "region"])
    columns = [f"l5_{point}_{axis}" for point in range(5) for axis in "xy"]
    true = truth.loc[pd.MultiIndex.from_frame(stage.table[["file", "region"]]), columns].to_numpy().reshape(-1, 5, 2)
    theirs, ours = loop(raw, stage.table, folder), stage()["landmarks"]
    found = [float(np.isfinite(landmarks).all(axis=(1, 2)).mean()) for landmarks in (ours, theirs)]
    yield Figure(
        "align",
        "recall",
        100 * found[0],
        "% of faces",
        100 * found[1],
        "plain loop",
        found[0] / found[1],
        "≥ 1×",
        found[0] >= found[1],
    )
    distances = [_distance(landmarks, true) for landmarks in (ours, theirs)]
    yield Figure(
        "align",
        "landmarks from the rendered head's, median",
        *(distances[0], "% of the eyes' distance", distances[1], "plain loop", distances[1] / distances[0]),
        *("≥ 1×", distances[0] <= distances[1]),
    )
    spread = [_spread(find, raw, stage.table) for find in (_by_stage(), _by_loop(loop))]
    yield Figure(
        "align",
        "landmarks when the picture is cut and scaled otherwise, median",
        *(spread[0], "% of the eyes' distance", spread[1], "plain loop", spread[1] / spread[0]),
        *("≤ 1 %", spread[0] <= 1),
    )
    yield alone("align", "landmarks from the plain loop's, median", _distance(ours, theirs), "% of the eyes' distance")


def _distance(landmarks: np.ndarray, others: np.ndarray) -> float:
    """Median over the faces of the mean distance of five points, in percent of the distance between the eyes."""
    eyes = np.linalg.norm(others[:, 1] - others[:, 0], axis=1)
    return float(100 * np.nanmedian(np.linalg.norm(landmarks - others, axis=2).mean(axis=1) / eyes))


def _by_stage():
    from pipeline.inputs.faces.detector import Detector

    detector = Detector("cpu", PAPER.align.min_face, PAPER.align.fine_min_face_px)
    return lambda image: detector.detect(np.asarray(image))[0].landmarks


def _by_loop(loop: PlainLoop):
    return lambda image: loop.network.detect(image, landmarks=True)[2][0].astype(float)


CUTS = ((0, 0, 1.0), (0, 0, 0.9), (7, 5, 1.0), (3, 9, 0.8), (11, 2, 0.95))  # left, top, scale


def _spread(find, raw: Path, table: pd.DataFrame) -> float:
    """How far the landmarks of one face are from their mean over several cuts of its picture, in percent, median."""
    found = []
    for row in table.iloc[: len(table) // 2].itertuples():
        half = Image.open(raw / row.file).convert("RGB").crop((row.x0, row.y0, row.x1, row.y1))
        points = []
        for left, top, scale in CUTS:
            cut = half.crop((left, top, *half.size))
            size = round(cut.width * scale), round(cut.height * scale)
            image = cut.resize(size, Image.Resampling.LANCZOS)
            points.append(find(image) * (cut.width / size[0], cut.height / size[1]) + (left, top))
        points = np.stack(points)
        eyes = np.linalg.norm(points[0, 1] - points[0, 0])
        found.append(np.linalg.norm(points - points.mean(axis=0), axis=2).mean() / eyes)
    return float(100 * statistics.median(found))
