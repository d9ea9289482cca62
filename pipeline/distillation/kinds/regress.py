"""A number: truth and outputs are in shares of its bounds, 0 the lowest value and 1 the highest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.distillation.kinds import columns
from pipeline.distillation.losses.numbers import LEVELS, ccc_loss, levels, mse_loss
from pipeline.errors import DataError
from pipeline.inputs import sample_table
from pipeline.tasks import Task

hide, known, targets = columns.hide, columns.known, columns.mixed
harden = None  # a number has no hard label


def read(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that have one, in shares, float32 (M, 1), and which rows those are, int64 places.

    Raises
    ------
    DataError : a number lies outside the bounds.
    """
    (low, high), numbers = task.bounds, sample_table.numbers(table, task)
    places = np.flatnonzero(~np.isnan(numbers))
    return ((numbers[places, None] - low) / (high - low)).astype(np.float32), places


def check(truth: np.ndarray, task: Task) -> None:
    """Refuse training samples among whose known numbers no two differ.

    Raises
    ------
    DataError : saying how many there are.
    """
    labelled = truth[known(truth)]
    if len(labelled) and np.ptp(labelled) > 0:
        return
    some = f" with a known number, of {len(truth)}" if len(labelled) < len(truth) else ""
    instead = "Label more of them: LABELLED=" if some else "See the counts of the split: make status"
    raise DataError(
        f"Nothing can be learned of {task.target}: all {len(labelled)} training {task.samples}{some} have the same "
        f"value, and some must differ. {instead}"
    )


def strata(truth: np.ndarray) -> np.ndarray:
    """The level of each number, int64 (M,); below 0 where it is not known."""
    return np.where(known(truth), _levels(np.nan_to_num(truth)), -1)


def weights(option: str, truth: np.ndarray, task: Task) -> Tensor | None:
    """How much a number of each level counts, float32 (5,): by inverse counts where the option is ``balanced``.

    The mean over the samples is 1. A level of which there is none counts as much as it would without weights.
    """
    if option != "balanced":
        return None
    counts = np.bincount(_levels(truth), minlength=LEVELS)
    occurs = counts > 0
    return torch.from_numpy(np.where(occurs, len(truth) / (occurs.sum() * np.maximum(counts, 1)), 1).astype(np.float32))


def validate(outputs: Tensor, truth: np.ndarray, level_weights: Tensor | None, task: Task) -> dict[str, float]:
    """Weighted squared difference, in shares; concordance; MAE and RMSE in the target's units.

    All but the first are of answers within the bounds. Concordance is 0 where nothing varies.
    """
    label = torch.from_numpy(truth)
    answered, (low, high) = outputs.clamp(0, 1).double(), task.bounds
    apart = (high - low) * (answered - label)
    return {
        "val_loss": mse_loss(outputs, label, level_weights).item(),
        "val_ccc": 1 - ccc_loss(answered, label).item(),
        "val_mae": apart.abs().mean().item(),
        "val_rmse": apart.square().mean().sqrt().item(),
    }


def agreement(outputs: np.ndarray, truth: np.ndarray, task: Task) -> dict[str, float]:
    """``error``: the mean distance from the true number, in its own units, of answers within the bounds."""
    low, high = task.bounds
    return {"error": float((high - low) * np.abs(outputs.clip(0, 1) - truth).mean(dtype=np.float64))}


def _levels(truth: np.ndarray) -> np.ndarray:
    """The level of each number, int64 (M,)."""
    return levels(torch.from_numpy(truth[:, 0])).numpy()
