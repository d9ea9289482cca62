"""One class of several: truth is the class's number, outputs are logits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.distillation.losses.table import balanced_weights
from pipeline.errors import DataError
from pipeline.inputs.views.plan import Drawn
from pipeline.tasks import Task

UNKNOWN = -1  # instead of a class


def read(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers of the rows whose target means a class, int64, and which rows those are, int64 places."""
    words = [task.read(cell) for cell in table[task.target]]
    places = np.array([place for place, word in enumerate(words) if word is not None], np.int64)
    return np.array([task.outputs.index(words[place]) for place in places], np.int64), places


def hide(truth: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The classes where a bool array (M,) says so, ``UNKNOWN`` elsewhere, int64 (M,)."""
    return np.where(kept, truth, UNKNOWN)


def known(truth: np.ndarray) -> np.ndarray:
    """Where there is a class, bool (M,)."""
    return truth != UNKNOWN


def check(truth: np.ndarray, task: Task) -> None:
    """Refuse training samples among whose known labels a class is missing.

    Raises
    ------
    DataError : naming the absent classes.
    """
    labelled = truth[known(truth)]
    counts = np.bincount(labelled, minlength=len(task.outputs))
    absent = [name for name, count in zip(task.outputs, counts, strict=True) if not count]
    if absent and len(labelled) < len(truth):
        raise DataError(
            f"No training {task.sample} with a known label is {', '.join(absent)}: of {len(truth)} {task.samples}, "
            f"{len(labelled)} are labelled, all of other classes. Label more subjects: LABELLED="
        )
    if absent:
        raise DataError(
            f"No training {task.sample} is {', '.join(absent)}: {len(truth)} {task.samples}, all of other classes. "
            "See the counts of the split: make status"
        )


def targets(truth: np.ndarray, index: np.ndarray, drawn: Drawn, task: Task) -> Tensor:
    """True classes, int64 (B,), or, of mixed views, the share of each class, float32 (B, C).

    A class that is not known is ``UNKNOWN``; shares are NaN where one of both samples' class is not known.
    """
    own = torch.from_numpy(truth[index])
    if drawn.partners is None:
        return own
    share = torch.from_numpy(drawn.kept)[:, None]
    classes = (own, torch.from_numpy(truth[drawn.partners]))
    both = [_shares(label, len(task.outputs)) for label in classes]
    return share * both[0] + (1 - share) * both[1]


def strata(truth: np.ndarray) -> np.ndarray:
    """The classes themselves, int64 (M,); ``UNKNOWN`` is below 0."""
    return truth


def weights(option: str, truth: np.ndarray, task: Task) -> Tensor | None:
    """Class weights, float32 (C,), by inverse counts where the option is ``balanced``."""
    return balanced_weights(torch.from_numpy(truth), len(task.outputs)) if option == "balanced" else None


def harden(outputs: np.ndarray) -> np.ndarray:
    """The class of the highest logit, uint16, shape (B,)."""
    return outputs.argmax(1).astype(np.uint16)


def validate(outputs: Tensor, truth: np.ndarray, class_weights: Tensor | None, task: Task) -> dict[str, float]:
    """Cross-entropy, balanced accuracy over the classes that occur, and F1 of each class; 0 where it has no value."""
    label, predicted = torch.from_numpy(truth), outputs.argmax(1)
    table = np.zeros((len(task.outputs),) * 2)
    np.add.at(table, (truth, predicted.numpy()), 1)
    hits, actual, called = np.diag(table), table.sum(1), table.sum(0)
    f1 = 2 * hits / np.maximum(actual + called, 1)
    return {
        "val_loss": F.cross_entropy(outputs, label, weight=class_weights).item(),
        "val_balanced_accuracy": float((hits / np.maximum(actual, 1))[actual > 0].mean()),
        **{f"val_f1_{name}": float(value) for name, value in zip(task.outputs, f1, strict=True)},
    }


def agreement(outputs: np.ndarray, truth: np.ndarray, task: Task) -> dict[str, int]:
    """``disagrees``: of how many samples the hard label is not the true class."""
    return {"disagrees": int((harden(outputs) != truth).sum())}


def _shares(label: Tensor, classes: int) -> Tensor:
    """Classes as shares, float32 (B, C); NaN of a class that is not known."""
    shares = F.one_hot(label.clamp(min=0), classes).float()
    return shares.masked_fill((label == UNKNOWN)[:, None], torch.nan)
