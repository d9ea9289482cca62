"""How strange an input is to a network: the distance of its pooled features from those of the training inputs.

The features, scaled to length one (Mahalanobis++, Müller and Hein 2025, arXiv:2505.18032), are one Gaussian: Lee et al.
2018 (arXiv:1807.03888) have one for each class with a shared covariance, but numbers and points have no classes. Of its
covariance the ``MOST`` largest directions are kept, and one variance of all others (probabilistic PCA, Tipping and
Bishop 1999), so that a few hundred inputs suffice and the file stays small.

Departures: every variance is raised by ``RIDGE`` of their mean, and scores are shares of a threshold. k-nearest
neighbours (Sun et al. 2022, arXiv:2204.06507) and the relative distance (Ren et al. 2021, arXiv:2106.09022) told
photographs from rendered faces less well, of networks of numbers and points. How many directions are kept was chosen by
the same few photographs; of networks of two classes no number of them tells all (README, What a model has not seen).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError

MOST = 32  # directions that have a variance of their own
RIDGE = 1e-3
FLAGGED = 0.01  # share of inputs like the training inputs that may be called strange
ROUNDING = 1e-4  # by which a distance may differ between batches, and between float32 and float64
TINY = 1e-12  # for features that do not vary at all


@dataclass
class Moments:
    """What is added up of features as they pass: any number of them takes the memory of one covariance.

    Attributes
    ----------
    count : features so far.
    total, products : float64, shapes (D,) and (D, D), of features of length one.
    """

    count: int = 0
    total: np.ndarray | float = 0.0
    products: np.ndarray | float = 0.0

    def add(self, hidden: np.ndarray) -> None:
        """Add pooled features, shape (B, D)."""
        unit = _unit(hidden)
        self.count += len(unit)
        self.total = self.total + unit.sum(axis=0)
        self.products = self.products + unit.T @ unit


@dataclass(frozen=True)
class Domain:
    """What a network's training inputs look like to it.

    Parameters
    ----------
    mean : float32, shape (D,), of features of length one.
    directions : float32, shape (k, D), of length one, those of most variance.
    variances : float32, shape (k,), along them.
    rest : float32, shape (1,), the variance along any other direction.
    threshold : float32, shape (1,), the distance above which an input is strange.

    Raises
    ------
    ValueError : the arrays do not fit each other, or hold what no distance has.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    rest: np.ndarray
    threshold: np.ndarray

    def __post_init__(self) -> None:
        """Refuse arrays from which no distance follows."""
        kept = len(self.variances) if self.variances.ndim == 1 else -1
        shapes = {"mean": self.mean.shape[:1], "directions": (kept, self.width), "rest": (1,), "threshold": (1,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if kept < 0 or array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}")
        for name, array in vars(self).items():
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError(f"{name} is no finite float32")
        if min(self.variances.min(initial=1), self.rest[0], self.threshold[0]) <= 0:
            raise ValueError("a variance or the threshold is not above zero")

    @property
    def width(self) -> int:
        """How many numbers a feature has."""
        return self.mean.size

    def score(self, hidden: np.ndarray) -> np.ndarray:
        """How strange inputs are: 1 at the threshold, more beyond it.

        Parameters
        ----------
        hidden : pooled features, shape (N, D).

        Returns
        -------
        float64, shape (N,).
        """
        centred = _unit(hidden) - self.mean
        along = centred @ self.directions.T.astype(np.float64)
        across = centred - along @ self.directions
        squared = (along**2 / self.variances).sum(axis=1) + (across**2).sum(axis=1) / self.rest[0]
        return np.sqrt(squared) / self.threshold[0]


def fit(moments: Moments) -> Domain:
    """The domain of training features, its threshold still 1.

    Raises
    ------
    ConfigError : there are no features, or they are not finite.
    """
    if not (moments.count and np.isfinite(moments.products).all()):
        raise ConfigError("The features of the training inputs are no numbers. Train anew: lower LEARNING_RATE")
    mean = moments.total / moments.count
    covariance = (moments.products - moments.count * np.outer(mean, mean)) / max(1, moments.count - 1)
    variances, directions = np.linalg.eigh(covariance)  # ascending
    variances = np.maximum(variances[::-1], 0)
    variances = variances + RIDGE * variances.mean() + TINY
    kept = min(MOST, len(mean) - 1)
    arrays = (mean, directions.T[::-1][:kept], variances[:kept], variances[kept:].mean(keepdims=True), np.ones(1))
    return Domain(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def threshold(distances: np.ndarray) -> float:
    """The distance that inputs like these exceed with a probability of at most ``FLAGGED``.

    The quantile of split conformal prediction (Lei et al. 2018, arXiv:1604.04173), of n distances the
    ceil((n + 1) 0.99)-th: with fewer than 99 of them there is none, the largest takes its place, and about one in n + 1
    of such inputs is called strange.

    Parameters
    ----------
    distances : of inputs that the network has not learned from, shape (N,); one at least.
    """
    rank = int(np.ceil((len(distances) + 1) * (1 - FLAGGED) - 1e-9))
    return max(float(np.sort(distances)[min(rank, len(distances)) - 1]), TINY)


def with_threshold(domain: Domain, distances: np.ndarray) -> Domain:
    """The same with the threshold of these distances."""
    distance = threshold(distances) * (1 + ROUNDING)
    return Domain(**{**vars(domain), "threshold": np.array([distance], np.float32)})


def of_arrays(arrays: Mapping[str, np.ndarray]) -> Domain:
    """A domain from the arrays that ``vars`` gives of one.

    Raises
    ------
    ValueError : they are others, or do not fit each other.
    """
    try:
        return Domain(**arrays)
    except TypeError as error:
        raise ValueError(f"it holds {', '.join(sorted(arrays))}") from error


def _unit(hidden: np.ndarray) -> np.ndarray:
    """Features scaled to length one, float64."""
    hidden = hidden.astype(np.float64)
    return hidden / np.maximum(np.linalg.norm(hidden, axis=1, keepdims=True), TINY)
