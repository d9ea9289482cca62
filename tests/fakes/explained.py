"""Believable heat maps of fake models, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Node
from pipeline.config import ExplainTestsConfig
from pipeline.evaluation import explanations, predictions
from pipeline.evaluation.muscles import SIDE
from tests.fakes.classify import Fakes

MOVED = slice(8, 24)  # rows and columns of the middle, a quarter of the face
WAYS = {"train_teacher": "grad-cam", "distill": "attention-gradient"}


def explanation(fakes: Fakes, model: Node, explained: int = 12, muscles: bool = True) -> Node:
    """Heat maps of a model: a spot in each face, which students of a teacher find more often than others do.

    Parameters
    ----------
    explained : how many test samples.
    muscles : whether shares of muscles are known of them.
    """

    def run(config, work, **inputs) -> dict:
        split = arrays.read_table(inputs["split"].file("split.csv"))
        every = predictions.samples_table(fakes.table, split, None, fakes.task)
        found = every["sample_id"].isin(fakes.table.loc[fakes.detected, "sample_id"])
        test = every[(every["part"] == "test") & found].head(explained)
        output, true = explanations.EXPLAINED[fakes.task.kind](test, fakes.task)
        faces = test[["sample_id", "subject_id"]].assign(empty=False, output=output, true=true)
        moved = np.zeros((len(test), SIDE, SIDE), np.uint8)
        if muscles:
            moved[:, MOVED, MOVED] = 1
        arrays.write_table(work.path / explanations.FACES, faces)
        _write(work, _maps(model, len(test)), moved, test["sample_id"].tolist())
        return {"counts": {"explained": len(test), "empty": 0}, "skipped": [], "method": WAYS[model.stage]}

    config = ExplainTestsConfig(fakes.task, explained)
    return Node("explain_tests", f"explanation-{model.slug}", 1, config, {**fakes.data, "model": model}, run)


def _maps(model: Node, count: int) -> np.ndarray:
    """The teacher's spot in each face; of students without a teacher another one."""
    spots = np.random.default_rng(5).integers(4, 28, (2, count, 2))[int(model.config.teacher == "none")]
    grid = np.stack(np.mgrid[:SIDE, :SIDE], axis=-1)
    distance = ((grid - spots[:, None, None]) ** 2).sum(-1)  # (n, side, side)
    maps = np.exp(-distance / 40) + 0.02 * np.random.default_rng(len(model.slug)).random(distance.shape)
    return (maps / maps.mean((1, 2), keepdims=True)).astype(np.float16)


def _write(work, maps: np.ndarray, moved: np.ndarray, sample_ids: list[str]) -> None:
    columns = {"maps": maps, "moved": moved, "sample_id": arrays.sample_id_column(sample_ids)}
    layout = {name: (column.shape, column.dtype) for name, column in columns.items()}
    writer = arrays.open_writer(work.path / explanations.MAPS, "maps", work.fingerprint, layout, {})
    for rows in writer.pending():
        writer.write(rows, **{name: column[rows] for name, column in columns.items()})
    writer.finish()
