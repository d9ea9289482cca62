"""Logistic regression on one variable, for many weightings of the same samples at once.

Where the data have no best fit, because the variable separates the classes or a class is missing, the answer is NaN:
that is decided beforehand from the data, so that no fit runs away.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

STEPS = 60  # Newton's at most; six to ten are usual
TOLERANCE = 1e-9  # of intercept and slope on a standardised variable
ROUNDING = 1e-13  # of a loss
NEAR = 1e-12  # of the spread of x: what rounding makes of equal values, no overlap


def regress(positive: np.ndarray, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of the most likely regression of the class on x.

    It exists when the classes overlap: some negative sample lies above a positive one and some below (Albert & Anderson
    1984, Biometrika 71, 1-10, for one variable).

    Parameters
    ----------
    positive : bool, shape (N,)
    x : float64, shape (N,), finite.
    weights : float64, shape (R, N), not negative; NaN gives NaN.

    Returns
    -------
    slope, intercept : float64, shape (R,); NaN where there is none.
    """
    slope, intercept = np.full((2, len(weights)), np.nan)
    fitted = np.flatnonzero(_overlap(positive, x, weights))
    if len(fitted) == 0:
        return slope, intercept
    centre, scale = x.mean(), x.std()
    weights = weights[fitted] / weights[fitted].sum(axis=1, keepdims=True)
    z = (x - centre) / scale
    together = weights.mean(axis=0, keepdims=True)
    start = _fit(positive, z, together, logit(together @ positive), np.zeros(1))  # near to all others
    a, b = _fit(positive, z, weights, *(np.repeat(value, len(fitted)) for value in start))
    slope[fitted] = b / scale
    intercept[fitted] = a - b * centre / scale
    return slope, intercept


def shift(positive: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Intercept of the regression whose slope is 1: what to add to x so that the mean probability is the share.

    Parameters
    ----------
    positive, x, weights : as in `regress`.

    Returns
    -------
    float64, shape (R,); NaN without samples of both classes.
    """
    share = weights @ positive / np.where(weights.any(axis=1), weights.sum(axis=1), 1)
    shifts = np.full(len(weights), np.nan)
    fitted = np.flatnonzero((share > 0) & (share < 1))
    share, weights = share[fitted], weights[fitted] / weights[fitted].sum(axis=1, keepdims=True)
    # The root lies where all samples together would be pushed past the share. Newton's steps inside this bracket,
    # halving it where they would leave it: the curve can be all but flat between two groups of sure answers.
    low, high = logit(share) - x.max(initial=0), logit(share) - x.min(initial=0)
    value = np.clip(0.0, low, high)
    for _ in range(STEPS):
        probability = expit(x + value[:, None])
        excess = (weights * probability).sum(axis=1) - share
        low, high = np.where(excess < 0, value, low), np.where(excess < 0, high, value)
        slope = (weights * probability * (1 - probability)).sum(axis=1)
        step = np.divide(-excess, slope, out=np.full(len(slope), np.inf), where=slope > 0)
        inside = (value + step >= low) & (value + step <= high)
        new = np.where(inside, value + step, (low + high) / 2)
        moved, value = np.abs(new - value), new
        if (moved <= TOLERANCE).all():
            break
    shifts[fitted] = value
    return shifts


def _overlap(positive: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Under which weightings the classes overlap, bool, shape (R,)."""
    low, high = _ends(x, (weights > 0) & positive)
    other_low, other_high = _ends(x, (weights > 0) & ~positive)
    near = NEAR * np.ptp(x) if len(x) else 0.0
    return (low + near < other_high) & (other_low + near < high)


def _ends(x: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest x among the samples that count, (R,) each; infinity and its negative where none does."""
    low = np.where(counted, x, np.inf).min(axis=1, initial=np.inf)
    return low, np.where(counted, x, -np.inf).max(axis=1, initial=-np.inf)


def _fit(
    positive: np.ndarray, z: np.ndarray, weights: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Intercept and slope by Newton's method from a and b, each step halved until the loss does not grow."""
    loss = _loss(positive, a, b, z, weights)
    going = np.arange(len(weights))
    for _ in range(STEPS):
        da, db = _step(positive, a[going], b[going], z, weights[going])
        for _ in range(STEPS):
            new = _loss(positive, a[going] + da, b[going] + db, z, weights[going])
            worse = ~(new <= loss[going] + ROUNDING)
            if not worse.any():
                break
            da[worse], db[worse] = da[worse] / 2, db[worse] / 2
        a[going], b[going], loss[going] = a[going] + da, b[going] + db, new
        going = going[np.maximum(np.abs(da), np.abs(db)) > TOLERANCE * (1 + np.abs(b[going]))]
        if len(going) == 0:
            break
    a[going], b[going] = np.nan, np.nan
    return a, b


def _step(
    positive: np.ndarray, a: np.ndarray, b: np.ndarray, z: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step of intercept and slope."""
    probability = expit(a[:, None] + b[:, None] * z)
    pull, curvature = weights * (positive - probability), weights * probability * (1 - probability)
    g0, g1 = pull.sum(axis=1), pull @ z
    h00, h01, h11 = curvature.sum(axis=1), curvature @ z, curvature @ z**2
    determinant = h00 * h11 - h01**2
    return (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant


def _loss(positive: np.ndarray, a: np.ndarray, b: np.ndarray, z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean negative log-likelihood, shape (R,)."""
    line = a[:, None] + b[:, None] * z
    return (weights * np.logaddexp(0, np.where(positive, -line, line))).sum(axis=1)
