"""The sample table with what lies beside it: the points of each sample, and the way from its picture to its input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.artifacts.columns import Columns
from pipeline.artifacts.store import Artifact
from pipeline.errors import DataError
from pipeline.tasks import Task
from pipeline.tasks.task import AXES

POINTS = "points.h5"  # of the index, where the dataset knows points or boxes
WARP = tuple(f"warp_{place}" for place in range(6))


def read(samples: Artifact, task: Task | None = None, inputs: Artifact | None = None) -> pd.DataFrame:
    """The rows of ``samples.csv``, with what a task's kind has besides.

    Parameters
    ----------
    samples : of the ``index`` stage.
    task : whose answers are needed. Of points the table gets ``<target>`` (1, NaN of a sample without points) and
        ``<target>_<i>_x``, ``<target>_<i>_y``, pixels of the picture, where the dataset knows such points.
    inputs : prepared. Of points the table gets ``warp_0`` to ``warp_5``, the rows of the affine map, shape (2, 3), from
        the picture's pixels to the input, whose edges are at -0.5 and 0.5.
    """
    table = arrays.read_table(samples.file("samples.csv"))
    if task is None or task.kind != "points":
        return table
    stored = _opened(samples)
    if stored is not None and task.target in stored:
        points = stored[task.target][stored.rows(table["sample_id"])]  # (N, K, 2)
        table = table.join(_columns(task.target, points))
    if inputs is not None:
        prepared = arrays.open_inputs(inputs)
        warps = prepared["warp"][prepared.rows(table["sample_id"])]
        table = table.join(pd.DataFrame(warps.reshape(-1, 6), columns=list(WARP)))
    return table


def numbers(table: pd.DataFrame, task: Task) -> np.ndarray:
    """The number that each row of a sample table answers, float64 (N,), NaN where it has none.

    Raises
    ------
    DataError : one lies outside the task's bounds.
    """
    low, high = task.bounds
    values = pd.to_numeric(table[task.target], errors="coerce").to_numpy(np.float64)
    outside = values[(values < low) | (values > high)]  # nothing is by NaN
    if len(outside):
        raise DataError(
            f"{len(outside)} of {len(table)} {task.samples} have a {task.target} outside {low:g} to {high:g}, such as "
            f"{outside[0]:g}. Give its lowest and highest value: TARGET={task.target} RANGE=LOW,HIGH; where the number "
            "stands for an unknown one, leave the cell empty."
        )
    return values


def boxes(samples: Artifact, of: str) -> np.ndarray | None:
    """Where each sample's face is, float64 (N, 4), pixels of the picture, NaN where it is not known.

    Parameters
    ----------
    samples : of the ``index`` stage.
    of : ``points``: about them, whatever set of points there is; ``dataset``: its own boxes. None where it has none.
    """
    stored = _opened(samples)
    if stored is None:
        return None
    if of == "dataset":
        return stored["box"][:].astype(float) if "box" in stored else None
    sets = [stored[name][:].astype(float) for name in samples.summary["targets"] if name in stored]
    if not sets:
        return None
    corners = [np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1) for points in sets]
    return np.fmin.reduce(corners)


def points_of_inputs(samples: Artifact, inputs: Artifact, of: str, sample_ids: Sequence[str]) -> np.ndarray | None:
    """Where points lie on prepared faces: float64, shape (N, K, 2), shares of the side from the middle, NaN if unknown.

    Parameters
    ----------
    of : the set of points in ``points.h5``. None where the dataset has none, or the inputs are no faces.
    """
    stored, prepared = _opened(samples), arrays.open_inputs(inputs)
    if stored is None or of not in stored or "warp" not in prepared:
        return None
    pixels = stored[of][stored.rows(sample_ids)].astype(float)
    warps = prepared["warp"][prepared.rows(sample_ids)]
    return np.einsum("nij,nkj->nki", warps[:, :, :2], pixels) + warps[:, None, :, 2]


def _opened(samples: Artifact) -> Columns | None:
    if POINTS not in samples.record["files"]:
        return None
    return Columns(samples.file(POINTS), "points", samples.fingerprint)


def _columns(target: str, points: np.ndarray) -> pd.DataFrame:
    """Points, shape (N, K, 2), as columns, and which samples have them."""
    names = [f"{target}_{number}_{axis}" for number in range(points.shape[1]) for axis in AXES]
    flat = pd.DataFrame(points.reshape(len(points), -1).astype(float), columns=names)
    there = flat.notna().all(axis=1)
    return flat.where(there).assign(**{target: np.where(there, 1.0, np.nan)})
