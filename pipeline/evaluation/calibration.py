"""Whether probabilities mean what they say, for many weightings of the same samples at once.

Weightings are those of `pipeline.evaluation.bootstrap.resamples`, so that one function serves the value and its
interval. Of two classes everything speaks of the probability of the positive one; of more, ECE and the reliability
curve speak of the class that the model chose, and the Brier score sums over the classes. Logits keep their digits where
a probability is all but 0 or 1. What has no value is NaN; `Metric.undefined` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logsumexp

from pipeline.evaluation import bootstrap, logistic
from pipeline.evaluation.metrics.weighted import BLOCK, Metric, checked, ratio
from pipeline.evaluation.question import Question

BINS = 10
TOLERANCE = 1e-9  # of the logarithm of a temperature
WIDEST = 1e3  # temperatures are looked for between 1 / WIDEST and WIDEST times the mean size of the margins


@dataclass(frozen=True)
class Bin:
    """One point of a reliability curve.

    Parameters
    ----------
    low, high : probabilities that fall in it; ``high`` belongs to the next bin, save for the last.
    samples : how many.
    probability : their mean probability; NaN without samples.
    share : of them in the positive class (two classes) or classified correctly (more), with its interval.
    """

    low: float
    high: float
    samples: int
    probability: float
    share: bootstrap.Estimate


@dataclass(frozen=True)
class Temperature:
    """What to divide logits by; NaN with a reason where no temperature is best."""

    value: float
    reason: str = ""


def figures(question: Question) -> dict[str, Metric]:
    """What calibration is measured by, in the words of the task; slope and intercepts for two classes only."""
    one, bins = question.one, f"{BINS} bins of equal width"
    if not question.binary:
        return {
            "ece": Metric("ECE", f"expected calibration error of the chosen class, {bins}", f"needs {one}"),
            "brier": Metric("Brier score", "squared distances from the truth, summed over the classes", f"needs {one}"),
            "nll": Metric("Log loss", "mean negative logarithm of the probability given to the truth", f"needs {one}"),
        }
    name = question.names[question.positive_output]
    overlap = "needs classes that the log-odds do not separate"
    return {
        "ece": Metric("ECE", f"expected calibration error of the probability of {name}, {bins}", f"needs {one}"),
        "brier": Metric(
            "Brier score", f"mean squared distance of the probability of {name} from the truth", f"needs {one}"
        ),
        "nll": Metric("Log loss", "mean negative logarithm of the probability given to the truth", f"needs {one}"),
        "slope": Metric(
            "Calibration slope",
            f"of the truth on the log-odds of {name} in logistic regression: 1 is right, less is too sure",
            overlap,
        ),
        "intercept": Metric("Calibration intercept", "of the same regression: 0 is right", overlap),
        "in_the_large": Metric(
            "Calibration in the large",
            "intercept with the slope fixed at 1: 0 is right, "
            f"above 0 {name} is more frequent than the probabilities say",
            f"needs {question.samples} of both classes",
        ),
    }


def log_odds(logits: np.ndarray, question: Question) -> np.ndarray:
    """log(p / (1 - p)) of the probability p of the positive class, float64, shape (N,).

    Parameters
    ----------
    logits : float, shape (N, C).
    """
    logits = np.asarray(logits, dtype=np.float64)
    others = np.delete(logits, question.positive_output, axis=1)
    return logits[:, question.positive_output] - np.logaddexp.reduce(others, axis=1)


def compute(label: np.ndarray, logits: np.ndarray, weights: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """Every figure of `figures` under every weighting; NaN where it is undefined.

    Sources: ECE as Naeini et al. 2015 and Guo et al. 2017 (arXiv:1706.04599), for two classes of the positive one;
    Brier 1950; slope and intercepts as Cox 1958 and Van Calster et al. 2019 (BMC Medicine 17:230).

    Parameters
    ----------
    label : int, shape (N,), numbers of the true classes.
    logits : float, shape (N, C), finite.
    weights : float, shape (R, N), not negative.

    Returns
    -------
    dict of float64 arrays, shape (R,)
    """
    weights, label, logits = checked(weights), np.asarray(label), np.asarray(logits, dtype=np.float64)
    measured = _binary if question.binary else _many
    blocks = [measured(label, logits, weights[i : i + BLOCK], question) for i in range(0, len(weights), BLOCK)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in figures(question)}


def curve(
    label: np.ndarray, logits: np.ndarray, weights: np.ndarray, question: Question, confidence: float = 0.95
) -> list[Bin]:
    """The reliability curve: share of what the probability speaks of against it, in `BINS` bins of equal width.

    Equal widths put the bins at the same probabilities for all models, and those of a confident model's middle are
    nearly empty; their wide intervals say so.

    Parameters
    ----------
    label, logits, weights : as in `compute`; row 0 of the weights is the samples themselves.
    """
    weights = checked(weights)
    probability, true = _spoken_of(np.asarray(label), np.asarray(logits, dtype=np.float64), question)
    members = _members(probability)
    counts, hits = weights @ members, weights @ (members * true[:, None])
    share = ratio(hits, counts)
    mean = ratio(weights[:1] @ (members * probability[:, None]), counts[:1])[0]
    return [
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            samples=int(members[:, i].sum()),
            probability=float(mean[i]),
            share=bootstrap.interval(share[:, i], confidence, f"needs {question.one}"),
        )
        for i in range(BINS)
    ]


def temperature(label: np.ndarray, logits: np.ndarray, question: Question) -> Temperature:
    """The temperature with the smallest log loss, to be found on samples that are not used for the test.

    No temperature is best when the model is right about all of them (the loss falls for ever as it cools), or when the
    true class has no more than the classes' mean logit (it falls as it heats).

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

    Parameters
    ----------
    label : int, shape (N,)
    logits : float, shape (N, C)
    """
    label, logits = np.asarray(label, dtype=int), np.asarray(logits, dtype=np.float64)
    if len(label) == 0:
        return Temperature(float("nan"), f"needs a validation {question.sample}")
    below = logits - np.take_along_axis(logits, label[:, None], axis=1)  # under the true class, which has 0
    others = np.where(np.arange(logits.shape[1]) == label[:, None], -np.inf, below)
    if others.max() <= 0:
        return Temperature(float("nan"), f"needs a validation {question.sample} that the model gets wrong")
    if below.mean() >= 0:
        return Temperature(
            float("nan"), f"needs a model that is right more than wrong about the validation {question.samples}"
        )
    # The loss is convex in the inverse temperature and the two tests above put its minimum inside (0, infinity).
    size = np.abs(others.max(axis=1)).mean()
    best = minimize_scalar(
        lambda log_t: logsumexp(below / (size * np.exp(log_t)), axis=1).mean(),
        bounds=(-np.log(WIDEST), np.log(WIDEST)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return Temperature(float(size * np.exp(best.x)))


def _spoken_of(label: np.ndarray, logits: np.ndarray, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """The probability that ECE and the curve speak of, and whether it came true, (N,) each."""
    if question.binary:
        return expit(log_odds(logits, question)), label == question.positive_output
    chosen = logits.argmax(axis=1)
    return np.exp(log_softmax(logits, axis=1).max(axis=1, initial=-np.inf)), chosen == label


def _ece(probability: np.ndarray, true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error, shape (R,)."""
    gaps = np.abs(weights @ (_members(probability) * (true - probability)[:, None])).sum(axis=1)
    return ratio(gaps, weights.sum(axis=1))


def _binary(label: np.ndarray, logits: np.ndarray, weights: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """Every figure of two classes for one block of weightings."""
    odds, total = log_odds(logits, question), weights.sum(axis=1)
    probability, positive = _spoken_of(label, logits, question)
    slope, intercept = logistic.regress(positive, odds, weights)
    return {
        "ece": _ece(probability, positive, weights),
        "brier": ratio(weights @ (positive - probability) ** 2, total),
        "nll": ratio(weights @ np.logaddexp(0, np.where(positive, -odds, odds)), total),
        "slope": slope,
        "intercept": intercept,
        "in_the_large": logistic.shift(positive, odds, weights),
    }


def _many(label: np.ndarray, logits: np.ndarray, weights: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """Every figure of more than two classes for one block of weightings."""
    log_probabilities, total = log_softmax(logits, axis=1), weights.sum(axis=1)
    truth = np.arange(logits.shape[1]) == label[:, None]
    loss = -log_probabilities[truth]
    return {
        "ece": _ece(*_spoken_of(label, logits, question), weights),
        "brier": ratio(weights @ ((truth - np.exp(log_probabilities)) ** 2).sum(axis=1), total),
        "nll": ratio(weights @ loss, total),
    }


def _members(probability: np.ndarray) -> np.ndarray:
    """Which bin every sample is in, float64, shape (N, BINS)."""
    number = np.minimum((probability * BINS).astype(int), BINS - 1)
    return (number[:, None] == np.arange(BINS)).astype(np.float64)
