"""Whether probabilities mean what they say, for many weightings of the same faces at once.

Weightings are those of `pipeline.statistics.resamples`, so that one function serves the value and its interval.
Probabilities are given as log-odds of pain, which keep their digits where a probability is all but 0 or 1. What has no
value is NaN; `Metric.undefined` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from pipeline.evaluation import bootstrap, logistic
from pipeline.evaluation.metrics.classify import BLOCK, Metric, ratio

BINS = 10
TOLERANCE = 1e-9  # of the logarithm of a temperature
WIDEST = 1e3  # temperatures are looked for between 1 / WIDEST and WIDEST times the mean size of the log-odds

FIGURES = {
    "ece": Metric(
        "ECE", f"expected calibration error of the probability of pain, {BINS} bins of equal width", "needs a face"
    ),
    "brier": Metric("Brier score", "mean squared distance of the probability of pain from the truth", "needs a face"),
    "nll": Metric("Log loss", "mean negative logarithm of the probability given to the truth", "needs a face"),
    "slope": Metric(
        "Calibration slope",
        "of the truth on the log-odds of pain in logistic regression: 1 is right, less is too sure",
        "needs classes that the log-odds do not separate",
    ),
    "intercept": Metric(
        "Calibration intercept",
        "of the same regression: 0 is right",
        "needs classes that the log-odds do not separate",
    ),
    "in_the_large": Metric(
        "Calibration in the large",
        "intercept with the slope fixed at 1: 0 is right, above 0 pain is more frequent than the probabilities say",
        "needs faces with and without pain",
    ),
}


@dataclass(frozen=True)
class Bin:
    """One point of a reliability curve.

    Parameters
    ----------
    low, high : probabilities of pain that fall in it; ``high`` belongs to the next bin, save for the last.
    faces : how many.
    probability : their mean probability; NaN without faces.
    share : of them in pain, with its interval.
    """

    low: float
    high: float
    faces: int
    probability: float
    share: bootstrap.Estimate


@dataclass(frozen=True)
class Temperature:
    """What to divide log-odds by; NaN with a reason where no temperature is best."""

    value: float
    reason: str = ""


def compute(label: np.ndarray, log_odds: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure of `FIGURES` under every weighting; NaN where it is undefined.

    Sources: ECE as Naeini et al. 2015 and Guo et al. 2017 (arXiv:1706.04599), of the positive class; Brier 1950; slope
    and intercepts as Cox 1958 and Van Calster et al. 2019 (BMC Medicine 17:230).

    Parameters
    ----------
    label : int, shape (N,); 1 is the positive class, pain.
    log_odds : float, shape (N,), finite: log(p / (1 - p)) of the probability p of pain.
    weights : float, shape (R, N), not negative.

    Returns
    -------
    dict of float64 arrays, shape (R,)
    """
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    log_odds, positive = np.asarray(log_odds, dtype=np.float64), np.asarray(label) == 1
    blocks = [_compute(positive, log_odds, weights[i : i + BLOCK]) for i in range(0, len(weights), BLOCK)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in FIGURES}


def curve(label: np.ndarray, log_odds: np.ndarray, weights: np.ndarray, confidence: float = 0.95) -> list[Bin]:
    """The reliability curve: share of pain against its probability, in `BINS` bins of equal width.

    Equal widths put the bins at the same probabilities for all models, and those of a confident model's middle are
    nearly empty; their wide intervals say so.

    Parameters
    ----------
    label, log_odds, weights : as in `compute`; row 0 of the weights is the sample.
    """
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    positive, probability = np.asarray(label) == 1, expit(np.asarray(log_odds, dtype=np.float64))
    members = _members(probability)
    faces, pain = weights @ members, weights @ (members * positive[:, None])
    share = ratio(pain, faces)
    mean = ratio(weights[:1] @ (members * probability[:, None]), faces[:1])[0]
    return [
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            faces=int(members[:, i].sum()),
            probability=float(mean[i]),
            share=bootstrap.interval(share[:, i], confidence, "needs a face"),
        )
        for i in range(BINS)
    ]


def temperature(label: np.ndarray, log_odds: np.ndarray) -> Temperature:
    """The temperature with the smallest log loss, to be found on faces that are not used for the test.

    No temperature is best when all log-odds lie on the right side of zero (the loss falls for ever as it cools) or on
    the wrong one, on the whole (it falls as it heats).

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

    Parameters
    ----------
    label : int, shape (N,)
    log_odds : float, shape (N,)
    """
    margin = np.where(np.asarray(label) == 1, 1.0, -1.0) * np.asarray(log_odds, dtype=np.float64)
    if len(margin) == 0:
        return Temperature(float("nan"), "needs a validation face")
    if margin.min() >= 0:
        return Temperature(float("nan"), "needs a validation face that the model gets wrong")
    if margin.sum() <= 0:
        return Temperature(float("nan"), "needs a model that is right more than wrong about the validation faces")
    # The loss is convex in the inverse temperature and the two tests above put its minimum inside (0, infinity).
    size = np.abs(margin).mean()
    found = minimize_scalar(
        lambda log_t: np.logaddexp(0, -margin / (size * np.exp(log_t))).mean(),
        bounds=(-np.log(WIDEST), np.log(WIDEST)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return Temperature(float(size * np.exp(found.x)))


def _compute(positive: np.ndarray, log_odds: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure for one block of weightings."""
    total, probability = weights.sum(axis=1), expit(log_odds)
    members = _members(probability)
    gaps = np.abs(weights @ (members * (positive - probability)[:, None])).sum(axis=1)
    slope, intercept = logistic.regress(positive, log_odds, weights)
    return {
        "ece": ratio(gaps, total),
        "brier": ratio(weights @ (positive - probability) ** 2, total),
        "nll": ratio(weights @ np.logaddexp(0, np.where(positive, -log_odds, log_odds)), total),
        "slope": slope,
        "intercept": intercept,
        "in_the_large": logistic.shift(positive, log_odds, weights),
    }


def _members(probability: np.ndarray) -> np.ndarray:
    """Which bin every face is in, float64, shape (N, BINS)."""
    number = np.minimum((probability * BINS).astype(int), BINS - 1)
    return (number[:, None] == np.arange(BINS)).astype(np.float64)
