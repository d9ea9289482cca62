"""Points of a face: truth and outputs are x and y of each, in shares of the input's side from its middle.

The edges of the input are at -0.5 and 0.5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.distillation.kinds import columns
from pipeline.distillation.losses.numbers import mse_loss
from pipeline.errors import DataError
from pipeline.inputs.sample_table import WARP
from pipeline.inputs.views.image import GROUP, PARAMETERS, view_points
from pipeline.inputs.views.plan import Drawn
from pipeline.tasks import Task
from pipeline.tasks.schemes import SCHEMES
from pipeline.tasks.task import AXES

FLIP = PARAMETERS.index("flip")
hide, known = columns.hide, columns.known
harden = None  # a point has no hard label


def read(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Points of the rows that have them, in shares, float32 (M, 2K), and which rows those are, int64 places.

    Parameters
    ----------
    table : of `pipeline.inputs.sample_table`, with the points in pixels of the picture and its ``WARP`` to the input.
    """
    names = [f"{task.target}_{number}_{axis}" for number in range(len(task.outputs)) for axis in AXES]
    places = np.flatnonzero(table[task.target] == 1)
    rows = table.iloc[places]
    pixels = rows[names].to_numpy(np.float64).reshape(len(rows), len(task.outputs), len(AXES))
    warp = rows[list(WARP)].to_numpy(np.float64).reshape(-1, 2, 3)
    shares = pixels @ warp[:, :, :2].mT + warp[:, None, :, 2]  # (M, K, 2)
    return shares.reshape(len(rows), len(names)).astype(np.float32), places


def check(truth: np.ndarray, task: Task) -> None:
    """Refuse training samples of which no points are known.

    Raises
    ------
    DataError : saying how many samples there are.
    """
    if not known(truth).any():
        raise DataError(
            f"Nothing can be learned of {task.target}: of {len(truth)} training {task.samples} none has known points. "
            "Label some of them: LABELLED="
        )


def targets(truth: np.ndarray, index: np.ndarray, drawn: Drawn, task: Task) -> Tensor:
    """True points where they are in the views, float32 (B, 2K), renumbered in mirrored ones; NaN where not known.

    Views are never mixed: two faces have no points of one.
    """
    points, parameters = truth[index], drawn.of(GROUP)
    if parameters is None:
        return torch.from_numpy(points)
    points = view_points(2 * points.reshape(len(points), -1, len(AXES)), parameters) / 2  # edges are at -1 and 1 there
    flipped = parameters[:, FLIP] > 0
    points[flipped] = points[flipped][:, list(task.mirrored)]
    return torch.from_numpy(points.reshape(len(points), -1))


def strata(truth: np.ndarray) -> np.ndarray:
    """One stratum, 0, of all whose points are known, int64 (M,); below 0 where they are not."""
    return np.where(known(truth), 0, -1)


def weights(option: str, truth: np.ndarray, task: Task) -> Tensor | None:
    """None: points have no classes that could be rare."""
    return None


def validate(outputs: Tensor, truth: np.ndarray, point_weights: Tensor | None, task: Task) -> dict[str, float]:
    """Squared difference, in shares of the side, and the normalised mean error, a share."""
    return {
        "val_loss": mse_loss(outputs, torch.from_numpy(truth)).item(),
        "val_nme": agreement(outputs.numpy(), truth, task)["nme"],
    }


def agreement(outputs: np.ndarray, truth: np.ndarray, task: Task) -> dict[str, float]:
    """``nme``: the mean distance from the true points over that of the outer corners of the eyes, averaged over faces.

    Distances are those in the input: those in the picture, but for inputs that were resized as a whole, whose sides may
    have changed by different factors.
    """
    answered, true = (points.astype(np.float64).reshape(len(points), -1, len(AXES)) for points in (outputs, truth))
    left, right = SCHEMES[len(task.outputs)].corners
    between = np.linalg.norm(true[:, left] - true[:, right], axis=1)
    return {"nme": float((np.linalg.norm(answered - true, axis=2).mean(axis=1) / between).mean())}
