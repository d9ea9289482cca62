"""What of a test part is explained by heat maps, and how the artifact of a model's maps is laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pipeline.evaluation.muscles import pooled
from pipeline.tasks import Task

# Columns ``maps``, float16, (n, side, side) with the side of ``muscles``, times its square so that their mean is 1;
# ``moved``, uint8, of the same shape, 1 where muscles moved; and ``sample_id``.
MAPS = "maps.h5"
FACES = "faces.csv"  # a row each: sample_id, output, whether it is true, whether the map is empty, shares of muscles
NOTHING = 1e-9  # of a map's own size: what rounding leaves of one that is the same everywhere
COMPARED = 8  # cells of a side in which two maps are compared: networks' own grids have 4 to 14


def _of_classes(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    labels = table["label"].to_numpy(int)
    asked = np.full(len(labels), task.positive_output) if len(task.outputs) == 2 else labels
    return asked, asked == labels


def _of_numbers(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(table), int), table[f"label_{task.outputs[0]}"].to_numpy(float) > task.bounds[0]


# By kind, of a table of samples and the task: the number of the output that is explained for each, and whether there is
# something of it to be seen. Of two classes it is the positive one for all: what speaks for pain is asked of every
# face. Of more classes it is the true one, of numbers the first: what makes it larger.
EXPLAINED: Mapping[str, Callable[[pd.DataFrame, Task], tuple[np.ndarray, np.ndarray]]] = {
    "classify": _of_classes,
    "regress": _of_numbers,
}


def chosen(true: np.ndarray, order: np.ndarray, most: int) -> np.ndarray:
    """Places of the samples that are explained, ascending: as many with something to be seen as without, if there are.

    Parameters
    ----------
    true : bool, shape (N,), whether there is something to be seen.
    order : int, shape (N,), the places in the order in which they are drawn, the same for all models.
    most : how many.
    """
    of_each = [order[true[order]], order[~true[order]]]
    few = min(len(of_each[1]), most // 2)
    first = of_each[0][: most - few]
    return np.sort(np.concatenate([first, of_each[1][: most - len(first)]]))


def agreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation of two maps of each sample over a coarse grid, float64 (N,), NaN where one is empty.

    Parameters
    ----------
    first, second : float, shape (N, S, S).
    """
    both = [pooled(maps, COMPARED).reshape(len(maps), -1) for maps in (first, second)]
    a, b = (cells - cells.mean(axis=1, keepdims=True) for cells in both)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    sizes = both[0].mean(axis=1) * both[1].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lengths > NOTHING * sizes, (a * b).sum(axis=1) / lengths, np.nan)


def others(folds: np.ndarray, true: np.ndarray) -> np.ndarray:
    """For each sample the place of another one like it, half of these away, int (N,); its own where there is none.

    Parameters
    ----------
    folds : shape (N,), by whose networks each is answered: the same ones answer for the other.
    true : bool, shape (N,), whether what is explained is to be seen: it is in the other, too.
    """
    places, groups = np.arange(len(folds)), 2 * np.asarray(folds, int) + np.asarray(true, bool)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        places[own] = np.roll(own, len(own) // 2)
    return places


def on_parts(maps: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The share of each map on the parts that moved, float64 (N,), NaN where none did.

    Parameters
    ----------
    maps : float, shape (N, side, side).
    moved : of the same shape, 1 where muscles moved.
    """
    there = (maps * moved).sum(axis=(1, 2), dtype=np.float64)
    return np.where(moved.any(axis=(1, 2)), there / maps.sum(axis=(1, 2), dtype=np.float64), np.nan)


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of samples that have a value, under every weighting: float64, shape (1 + replicates,).

    Parameters
    ----------
    values : float, shape (N,); NaN counts nothing.
    weights : float, shape (1 + replicates, N), as of ``bootstrap.resamples``.
    """
    there = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return weights[:, there] @ values[there] / weights[:, there].sum(axis=1)
