"""What of a test part is explained by heat maps, and how the artifact of a model's maps is laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pipeline.tasks import Task

MAPS = "maps.h5"  # columns ``maps``, float16, (n, SIDE, SIDE), times SIDE² so that their mean is 1, and ``sample_id``
FACES = "faces.csv"  # a row each: sample_id, output, whether it is true, whether the map is empty, shares of muscles
SIDE = 32


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
