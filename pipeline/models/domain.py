"""How strange an input is to a network: how far it is from the training inputs, in several respects together.

Each respect (``strangeness`` measures them) is numbers of an input, and its training inputs are one Gaussian: Lee et
al. 2018 (arXiv:1807.03888) have one for each class with a shared covariance, but numbers and points have no classes. Of
its covariance the ``MOST`` largest directions are kept, and one variance of all others (probabilistic PCA, Tipping and
Bishop 1999), so that a few hundred inputs suffice and the file stays small.

What is told in any respect counts: the score is the weighted geometric mean of the distances. Lee et al. add up the
distances of all layers with weights that they fit on strange inputs; without any, each logarithm of a distance counts
by the inverse of its standard deviation over validation inputs.

Departures: every variance is raised by ``RIDGE`` of their mean, and scores are shares of a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.errors import ConfigError

FEATURES = "features"  # respects: pooled features of the network,
LAYER = "layer"  # with a number after it, those of each of its layers,
LOOK = "look"  # and statistics of the pictures that it reads
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

    @property
    def varies(self) -> bool:
        """Whether inputs differ by more than rounding: else they tell nothing in this respect."""
        mean, square = self.total / self.count, np.trace(self.products) / self.count
        return bool(square - mean @ mean > ROUNDING**2 * square)


@dataclass(frozen=True)
class Gaussian:
    """What training inputs look like in one respect.

    Parameters
    ----------
    mean : float32, shape (D,).
    directions : float32, shape (k, D), of length one, those of most variance.
    variances : float32, shape (k,), along them.
    rest : float32, shape (1,), the variance along any other direction.
    weight : float32, shape (1,), how much the logarithm of a distance from it counts.

    Raises
    ------
    ValueError : the arrays do not fit each other, or hold what no distance has.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    rest: np.ndarray
    weight: np.ndarray

    def __post_init__(self) -> None:
        """Refuse arrays from which no distance follows."""
        kept = len(self.variances) if self.variances.ndim == 1 else -1
        shapes = {"mean": self.mean.shape[:1], "variances": (kept,), "directions": (kept, self.width)}
        for name, array in vars(self).items():
            _check(name, array, shapes.get(name, (1,)))
        if min(self.variances.min(initial=1), self.rest[0], self.weight[0]) <= 0:
            raise ValueError("a variance or the weight is not above zero")

    @property
    def width(self) -> int:
        """How many numbers an input has in this respect."""
        return self.mean.size


@dataclass(frozen=True)
class Domain:
    """What training inputs look like to a network.

    Parameters
    ----------
    gaussians : by respect, one at least.
    threshold : float32, shape (1,), the weighted geometric mean of the distances above which an input is strange.

    Raises
    ------
    ValueError : there is none, or the threshold is none.
    """

    gaussians: Mapping[str, Gaussian]
    threshold: np.ndarray

    def __post_init__(self) -> None:
        """Refuse a threshold that no score has."""
        _check("threshold", self.threshold, (1,))
        if not self.gaussians or self.threshold[0] <= 0:
            raise ValueError("it has no respects, or its threshold is not above zero")


def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError where an array has another shape, or holds what is no finite float32."""
    if array.shape != shape or min(shape, default=1) < 0:
        raise ValueError(f"{name} has shape {array.shape}")
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError(f"{name} is no finite float32")


def fit(moments: Moments) -> Gaussian:
    """What training inputs look like in one respect, its weight still 1.

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


def calibration(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of the respects, and the threshold that inputs like these exceed as ``quantile`` says.

    Parameters
    ----------
    distances : of inputs that the network has not learned from, shape (N, R), by respect.

    Returns
    -------
    float32, shapes (R,) and (1,). The weights add up to 1.
    """
    logarithms = np.log(np.maximum(distances.astype(np.float64), TINY))
    weights = 1 / (logarithms.std(axis=0) + ROUNDING)
    weights /= weights.sum()
    threshold = np.exp([quantile(logarithms @ weights)]) * (1 + ROUNDING)
    return weights.astype(np.float32), threshold.astype(np.float32)


def calibrated(gaussians: Mapping[str, Gaussian], distances: np.ndarray) -> Domain:
    """The domain of these, with the ``calibration`` of distances from them, shape (N, R)."""
    weights, threshold = calibration(distances)
    weighted = {
        respect: replace(one, weight=weight)
        for (respect, one), weight in zip(gaussians.items(), weights[:, None], strict=True)
    }
    return Domain(weighted, threshold)


def arrays_of(domain: Domain) -> dict[str, np.ndarray]:
    """The arrays of a domain by name, those of a respect as ``respect/name``, as a file holds them."""
    of_respects = {f"{key}/{name}": array for key, one in domain.gaussians.items() for name, array in vars(one).items()}
    return {"threshold": domain.threshold, **of_respects}


def of_arrays(arrays: Mapping[str, np.ndarray]) -> Domain:
    """A domain from what ``arrays_of`` gives of one, or from what version 0.7 wrote: of features alone, without weight.

    Raises
    ------
    ValueError : they are others, or do not fit each other.
    """
    grouped: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        respect, _, name = key.rpartition("/")
        grouped.setdefault(respect, {})[name] = array
    try:
        threshold, own = grouped[""].pop("threshold"), grouped.pop("")
        if own:
            grouped[FEATURES] = {**own, "weight": np.ones(1, np.float32)}
        return Domain({respect: Gaussian(**one) for respect, one in grouped.items()}, threshold)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it holds {', '.join(sorted(arrays))}") from error
