"""Losses between the numbers that a student answers and those that are true: pure functions, averaged over the batch.

Numbers are in shares of their range: 0 is its lowest value, 1 its highest. Losses count in float32 at least, whatever
arithmetic the network ran in. A truth that is not known, NaN, is left out; where none is known a loss is 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.distillation.losses.logits import wide

LEVELS = 5
FLAT = 1e-3  # numbers that deviate less than this share of the range have no concordance worth following
BETA = 0.1  # of the range


def mse_loss(prediction: Tensor, truth: Tensor, level_weights: Tensor | None = None) -> Tensor:
    """Mean squared difference, in squared shares.

    Parameters
    ----------
    prediction, truth : float, shape (B, D).
    level_weights : float, shape (5,), how much a number of each of ``levels`` counts; None: alike. The weighted mean is
        divided by the weights of what is there.
    """
    prediction, truth, weights = counted(prediction, truth, level_weights)
    return mean((prediction - truth).square(), weights)


def smooth_l1_loss(
    prediction: Tensor, truth: Tensor, level_weights: Tensor | None = None, beta: float = BETA
) -> Tensor:
    """Half the squared difference over beta where it is smaller than beta, beyond it the difference less beta / 2.

    Parameters
    ----------
    prediction, truth, level_weights : as of ``mse_loss``.
    beta : > 0, in shares. With torch's 1, the whole range, no difference would be large, and this would be half the
        squared one. With a tenth of it, 1.6 points of PSPI, small slips count squared, and a face that is wrong by half
        the range pulls no harder than one that is wrong by a tenth.

    Source: Girshick 2015, arXiv:1504.08083, equation 3, with the beta of torch's ``smooth_l1_loss``.
    """
    prediction, truth, weights = counted(prediction, truth, level_weights)
    return mean(F.smooth_l1_loss(prediction, truth, reduction="none", beta=beta), weights)


def ccc_loss(prediction: Tensor, truth: Tensor, level_weights: Tensor | None = None) -> Tensor:
    """One minus the concordance between predicted and true numbers over the batch, averaged over the numbers.

    Parameters
    ----------
    prediction, truth : float, shape (B, D).
    level_weights : as of ``mse_loss``; they weigh the moments.

    With s the covariance, v and m variances and means, CCC = 2 s / (v + v' + (m - m')^2). Where that denominator is
    below ``FLAT`` squared it counts as that: a batch in which next to nothing varies has gradients of at most about
    1/``FLAT``, and a batch of one, whose CCC is 0, has none. Numbers of which none is known are left out of the mean.

    Source: Lin 1989, Biometrics 45:255, with the variances of a whole population.
    """
    prediction, truth, weights = counted(prediction, truth, level_weights)
    total = weights.sum(0)  # (D,)
    shares = weights / total.masked_fill(total == 0, 1)
    centres = [(shares * numbers).sum(0) for numbers in (prediction, truth)]
    first, second = (numbers - centre for numbers, centre in zip((prediction, truth), centres, strict=True))
    together = (shares * first * second).sum(0)
    apart = (shares * (first.square() + second.square())).sum(0) + (centres[0] - centres[1]).square()
    return mean(1 - 2 * together / apart.clamp(min=FLAT**2), (total > 0).to(total.dtype))


def levels(shares: Tensor) -> Tensor:
    """The level of each number, int64: 0 at the lowest value, 1 to 4 in the four equal parts of the range above it.

    Parameters
    ----------
    shares : float, any shape, without NaN.
    """
    return torch.where(shares <= 0, 0, 1 + (4 * shares).floor().clamp(max=3)).long()


def counted(prediction: Tensor, truth: Tensor, level_weights: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Both in one arithmetic, 0 for a truth that is not known, and how much each number counts: all (B, D)."""
    prediction = wide(prediction)
    known, truth = ~truth.isnan(), truth.nan_to_num().to(prediction.dtype)  # NaN would reach the gradients
    weights = known.to(prediction.dtype)
    return prediction, truth, weights if level_weights is None else weights * level_weights[levels(truth)]


def mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of all values, 0 where there is no weight."""
    total = weights.sum()
    return (weights * values).sum() / total.masked_fill(total == 0, 1)
