"""Several yes-or-no labels: truth is 0 or 1 of each, outputs are a logit of each, called where it is above 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.distillation.kinds import columns
from pipeline.distillation.losses.labels import binary_loss
from pipeline.errors import DataError
from pipeline.tasks import Task

hide, known, targets = columns.hide, columns.known, columns.mixed


def read(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the rows of which all are known, float32 (M, L), and which rows those are, int64 places."""
    numbers = table[list(task.targets)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    places = np.flatnonzero(np.isin(numbers, (0, 1)).all(axis=1))
    return numbers[places], places


def check(truth: np.ndarray, task: Task) -> None:
    """Refuse training samples among whose known labels one is on all of them or on none.

    Raises
    ------
    DataError : naming the labels.
    """
    labelled = truth[known(truth)]
    shares = labelled.mean(axis=0) if len(labelled) else np.zeros(len(task.outputs))
    constant = [name for name, share in zip(task.outputs, shares, strict=True) if share in (0, 1)]
    if not constant:
        return
    some = f" with known labels, of {len(truth)}" if len(labelled) < len(truth) else ""
    instead = "Label more of them: LABELLED=" if some else "See the counts of the split: make status"
    raise DataError(
        f"Nothing can be learned of {', '.join(constant)}: all {len(labelled)} training {task.samples}{some} have the "
        f"same answer, and each label must be on some and not on others. {instead}"
    )


def strata(truth: np.ndarray) -> np.ndarray:
    """Which of the sets of labels each sample has, as a binary number, int64 (M,); below 0 where it is not known."""
    there = known(truth)
    return np.where(there, np.where(there[:, None], truth, 0).astype(np.int64) @ (1 << np.arange(truth.shape[1])), -1)


def weights(option: str, truth: np.ndarray, task: Task) -> Tensor | None:
    """How much each label counts where it is there, float32 (L,): absences for each presence, if ``balanced``."""
    if option != "balanced":
        return None
    there = truth.sum(axis=0)
    return torch.from_numpy(((len(truth) - there) / there).astype(np.float32))


def harden(outputs: np.ndarray) -> np.ndarray:
    """1 where a logit is above 0, uint8, shape (B, L)."""
    return (outputs > 0).astype(np.uint8)


def validate(outputs: Tensor, truth: np.ndarray, positive_weights: Tensor | None, task: Task) -> dict[str, float]:
    """Binary cross-entropy, mean F1 of the labels, and F1 of each; 0 where it has no value."""
    called = harden(outputs.numpy())
    right, either = (called * truth).sum(axis=0), called.sum(axis=0) + truth.sum(axis=0)
    f1 = 2 * right / np.maximum(either, 1)
    return {
        "val_loss": binary_loss(outputs, torch.from_numpy(truth), positive_weights).item(),
        "val_macro_f1": float(f1.mean()),
        **{f"val_f1_{name}": float(value) for name, value in zip(task.outputs, f1, strict=True)},
    }


def agreement(outputs: np.ndarray, truth: np.ndarray, task: Task) -> dict[str, int]:
    """``disagrees``: of how many samples a hard label is not the true one."""
    return {"disagrees": int((harden(outputs) != truth).any(axis=1).sum())}
