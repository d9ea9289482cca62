"""How strange an input is to a network: the distance of what it is from what the training inputs are, in two respects.

Each respect (``strangeness`` makes them) is numbers of an input, and its training inputs are one Gaussian: Lee et al.
2018 (arXiv:1807.03888) have one for each class with a shared covariance, but numbers and points have no classes. Of its
covariance the ``MOST`` largest directions are kept, and one variance of all others (probabilistic PCA, Tipping and
Bishop 1999), so that a few hundred inputs suffice and the file stays small. An input is as strange as it is in the
respect in which it is stranger.

Departures: every variance is raised by ``RIDGE`` of their mean, and scores are shares of thresholds. Of pooled features
alone, k-nearest neighbours (Sun et al. 2022, arXiv:2204.06507) and the relative distance (Ren et al. 2021,
arXiv:2106.09022) told photographs from rendered faces less well, of networks of numbers and points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError

RESPECTS = ("features", "look")  # pooled features of the network; statistics of the pictures that it reads
MOST = 32  # directions that have a variance of their own
RIDGE = 1e-3
FLAGGED = 0.01  # share of inputs like the training inputs that may be called strange
ROUNDING = 1e-4  # by which a distance may differ between batches, machines and runtimes
TINY = 1e-12  # for what does not vary at all


@dataclass
class Moments:
    """What is added up of inputs as they pass: any number of them takes the memory of one covariance.

    Attributes
    ----------
    count : inputs so far.
    total, products : float64, shapes (D,) and (D, D).
    """

    count: int = 0
    total: np.ndarray | float = 0.0
    products: np.ndarray | float = 0.0

    def add(self, numbers: np.ndarray) -> None:
        """Add inputs in one respect, shape (B, D)."""
        numbers = numbers.astype(np.float64)
        self.count += len(numbers)
        self.total = self.total + numbers.sum(axis=0)
        self.products = self.products + numbers.T @ numbers


@dataclass(frozen=True)
class Gaussian:
    """What training inputs look like in one respect.

    Parameters
    ----------
    mean : float32, shape (D,).
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
        """How many numbers an input has in this respect."""
        return self.mean.size


Domain = Mapping[str, Gaussian]  # what training inputs look like, by respect; one at least of ``RESPECTS``


def fit(moments: Moments) -> Gaussian:
    """What training inputs look like in one respect, its threshold still 1.

    Raises
    ------
    ConfigError : there are no inputs, or their numbers are not finite.
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
    return Gaussian(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def quantile(values: np.ndarray) -> float:
    """The value that others like these exceed with a probability of at most ``FLAGGED``.

    The quantile of split conformal prediction (Lei et al. 2018, arXiv:1604.04173), of n values the
    ceil((n + 1) 0.99)-th: with fewer than 99 of them there is none, the largest takes its place, and about one in n + 1
    of such inputs is called strange.

    Parameters
    ----------
    values : of inputs that the network has not learned from, shape (N,); one at least.
    """
    rank = int(np.ceil((len(values) + 1) * (1 - FLAGGED) - 1e-9))
    return float(np.sort(values)[min(rank, len(values)) - 1])


def thresholds(distances: np.ndarray) -> np.ndarray:
    """The distances above which an input is strange: one rate of false alarms of all respects together.

    In each respect the threshold lies equally far out: as many standard deviations of the logarithms of these distances
    above their mean. How many these are is the ``quantile`` of what each input has where it has most.

    Parameters
    ----------
    distances : of inputs that the network has not learned from, shape (N, R), by respect.

    Returns
    -------
    float64, shape (R,).
    """
    logarithms = np.log(np.maximum(distances.astype(np.float64), TINY))
    mean, spread = logarithms.mean(axis=0), logarithms.std(axis=0) + ROUNDING
    outmost = ((logarithms - mean) / spread).max(axis=1)
    return np.exp(mean + spread * quantile(outmost)) * (1 + ROUNDING)


def with_thresholds(domain: Domain, distances: np.ndarray) -> dict[str, Gaussian]:
    """The same with the thresholds of these distances, shape (N, R), by respect in the order of the domain."""
    values = dict(zip(domain, thresholds(distances), strict=True))
    return {
        name: Gaussian(**{**vars(one), "threshold": np.array([values[name]], np.float32)})
        for name, one in domain.items()
    }


def arrays_of(domain: Domain) -> dict[str, np.ndarray]:
    """The arrays of a domain, each by ``respect/name``, as a file holds them."""
    return {f"{respect}/{name}": array for respect, one in domain.items() for name, array in vars(one).items()}


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Gaussian]:
    """A domain from what ``arrays_of`` gives of one.

    Raises
    ------
    ValueError : they are others, or do not fit each other.
    """
    grouped: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        respect, _, name = key.rpartition("/")
        grouped.setdefault(respect or RESPECTS[0], {})[name] = array  # files of version 0.7 know features alone
    try:
        if not grouped or set(grouped) - set(RESPECTS):
            raise TypeError
        return {respect: Gaussian(**grouped[respect]) for respect in RESPECTS if respect in grouped}
    except TypeError as error:
        raise ValueError(f"it holds {', '.join(sorted(arrays))}") from error
