"""The order in which an epoch visits the samples: a pure function of seed and epoch, so that nothing is stored."""

from __future__ import annotations

import numpy as np

from pipeline.inputs.keyed_random import permutation, uniform

BALANCED = 2  # part of a key


def epoch_order(seed: int, epoch: int, count: int, strata: np.ndarray | None = None) -> np.ndarray:
    """The samples of an epoch: each once, or, with strata, as many draws with replacement in which strata are alike.

    Parameters
    ----------
    seed, epoch : what the order is a function of.
    count : of samples N.
    strata : int64, shape (N,), such as classes: each is drawn with the same probability, and its samples alike. Those
        of a stratum below 0, of which it is not known, are drawn as often as one of the others on average.

    Returns
    -------
    int64, shape (N,).
    """
    if strata is None:
        return permutation(count, seed, epoch)
    known = strata >= 0
    _, members, sizes = np.unique(strata[known], return_inverse=True, return_counts=True)
    weights = np.full(count, len(sizes) / max(known.sum(), 1))
    weights[known] = 1 / sizes[members]
    upto = np.cumsum(weights)
    draws = uniform(seed, epoch, BALANCED, np.arange(count, dtype=np.uint64)) * upto[-1]
    return np.minimum(np.searchsorted(upto, draws, side="right"), count - 1)
