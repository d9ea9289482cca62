"""The sample table with points and with the way from pictures to inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, ArtifactStore, Node, Work
from pipeline.config import AlignConfig, IndexConfig
from pipeline.inputs import sample_table
from pipeline.tasks import TASKS, find

NAMES = ["b.jpg#full", "a.jpg#left", "a.jpg#right"]
POINTS = np.random.default_rng(0).uniform(0, 300, (3, 68, 2)).astype(np.float32)
POINTS[1] = np.nan
BOXES = np.array([[1, 2, 30, 40], [np.nan] * 4, [5, 6, 70, 80]], np.float32)
WARPS = np.random.default_rng(1).normal(size=(3, 2, 3))


def filled(work: Work, name: str, kind: str, **columns: np.ndarray) -> None:
    columns["sample_id"] = arrays.sample_id_column(NAMES)
    layout = {name: (column.shape, column.dtype) for name, column in columns.items()}
    writer = arrays.open_writer(work.path / name, kind, work.fingerprint, layout, {})
    for rows in writer.pending():
        writer.write(rows, **{name: column[rows] for name, column in columns.items()})
    writer.finish()


def index(config, work, **columns: np.ndarray) -> dict:
    arrays.write_table(work.path / "samples.csv", pd.DataFrame({"sample_id": NAMES, "pain": ["pain"] * 3}))
    if columns:
        filled(work, "points.h5", "points", **columns)
    return {"counts": {}, "skipped": [], "targets": ["pain", *(name for name in columns if name.startswith("points"))]}


def made(root: Path, **columns: np.ndarray) -> list[Artifact]:
    """An index with such columns of ``points.h5``, and inputs with warps."""
    samples = Node("index", "samples", 1, IndexConfig(), {}, lambda config, work: index(config, work, **columns))

    def align(config, work, samples) -> dict:
        filled(work, "inputs.h5", "inputs", warp=WARPS)
        return {"counts": {}, "skipped": []}

    return ArtifactStore(root).build(samples, Node("align", "inputs", 1, AlignConfig(), {"samples": samples}, align))


def test_points_and_warps_stand_beside_the_samples(tmp_path):
    samples, inputs = made(tmp_path, points68=POINTS)
    table = sample_table.read(samples, TASKS["landmarks"], inputs)
    assert table["sample_id"].tolist() == NAMES
    assert table["points68"].fillna(0).tolist() == [1, 0, 1]
    assert table.loc[2, "points68_67_y"] == pytest.approx(POINTS[2, 67, 1])
    assert table.loc[1, [f"points68_{i}_{axis}" for i in range(68) for axis in "xy"]].isna().all()
    assert np.allclose(table[list(sample_table.WARP)], WARPS.reshape(3, 6))


def test_other_tasks_and_other_sets_of_points_have_none(tmp_path):
    samples, inputs = made(tmp_path, points68=POINTS)
    assert list(sample_table.read(samples, TASKS["pain"], inputs)) == ["sample_id", "pain"]
    other = sample_table.read(samples, find("landmarks", points=98))
    assert list(other) == ["sample_id", "pain"]


def test_boxes_are_the_points_or_the_datasets(tmp_path):
    samples, _ = made(tmp_path, points68=POINTS, box=BOXES)
    about = sample_table.boxes(samples, "points")
    assert np.isnan(about[1]).all()
    assert np.allclose(about[0], [*POINTS[0].min(axis=0), *POINTS[0].max(axis=0)])
    assert np.array_equal(sample_table.boxes(samples, "dataset"), BOXES.astype(float), equal_nan=True)


def test_two_sets_of_points_each_make_the_boxes_of_their_samples(tmp_path):
    other = np.full((3, 29, 2), np.nan, np.float32)
    other[1] = 7
    samples, _ = made(tmp_path, points68=POINTS, points29=other)
    about = sample_table.boxes(samples, "points")
    assert about[1].tolist() == [7, 7, 7, 7]
    assert np.allclose(about[2], [*POINTS[2].min(axis=0), *POINTS[2].max(axis=0)])


def test_without_points_there_are_no_boxes(tmp_path):
    samples, _ = made(tmp_path / "none")
    assert sample_table.boxes(samples, "points") is sample_table.boxes(samples, "dataset") is None
    boxed, _ = made(tmp_path / "boxed", box=BOXES)
    assert sample_table.boxes(boxed, "points") is None
