"""Pooled features of the test samples on a plane: t-SNE, and UMAP where its package is installed.

Positions on such a plane say which samples a network takes for alike. Distances between groups, and their sizes, say
nothing, and a network is not better for a prettier plane.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

FILE = "hidden.h5"  # in the artifact of an evaluation: column ``hidden``, float16, shape (n, D), and ``sample_id``
MOST = 2000  # samples whose features are kept
PERPLEXITY = 30
STEPS = 500
LEAST = 10  # samples; of fewer there is nothing to be seen
NEIGHBOURS = 15
MOST_SETS = 6  # sets of labels that are told apart
OTHERS = "other sets"
NOTHING = ("neither", "none")  # of two labels, and of more


def tsne(hidden: np.ndarray, seed: int) -> np.ndarray:
    """Places on a plane that keep neighbours, float, shape (n, 2).

    Source: van der Maaten & Hinton 2008, Journal of Machine Learning Research 9:2579, in scikit-learn's implementation,
    from principal components, with half its steps; the perplexity is 30, of few samples a quarter of their number.

    Parameters
    ----------
    hidden : float, shape (n, D), at least `LEAST` samples.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, len(hidden) / 4)
    plane = TSNE(perplexity=perplexity, init="pca", max_iter=STEPS, random_state=seed, n_jobs=1)
    return plane.fit_transform(_scaled(hidden))


def umap(hidden: np.ndarray, seed: int) -> np.ndarray | None:
    """The same by UMAP (McInnes et al. 2018, arXiv:1802.03426); None where its package is not installed."""
    try:
        from umap import UMAP
    except ImportError:
        return None
    plane = UMAP(n_neighbors=min(NEIGHBOURS, len(hidden) - 1), random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that groups lie apart, which is what is to be seen
        return plane.fit_transform(_scaled(hidden))


def label_sets(truths: Mapping[str, np.ndarray]) -> np.ndarray:
    """The labels that each sample has, as text: ``fire + smoke``, ``neither``; rare sets are `OTHERS`, shape (n,).

    Parameters
    ----------
    truths : by label, which samples have it, bool, shape (n,).
    """
    names = [name.replace("_", " ") for name in truths]
    rows = np.stack(list(truths.values()), axis=1)
    nothing = NOTHING[len(names) > 2]
    told = [[name for name, there in zip(names, row, strict=True) if there] for row in rows]
    sets = np.array([" + ".join(labels) or nothing for labels in told])
    words, counts = np.unique(sets, return_counts=True)
    if len(words) <= MOST_SETS:
        return sets
    frequent = words[np.argsort(-counts, kind="stable")[: MOST_SETS - 1]]
    return np.where(np.isin(sets, frequent), sets, OTHERS)


def _scaled(hidden: np.ndarray) -> np.ndarray:
    """Features of mean zero over the samples and of mean square one over all of them, float32."""
    centred = np.asarray(hidden, np.float32) - np.mean(hidden, axis=0, dtype=np.float32)
    return centred / max(float(np.sqrt(np.mean(centred**2))), 1e-12)
