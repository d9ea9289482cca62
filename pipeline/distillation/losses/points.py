"""Losses between the points that a student answers, the true ones and those of its teachers: averaged over the batch.

Points are x and y of each in shares of the input's side; every coordinate counts by itself. Losses count in float32 at
least, whatever arithmetic the network ran in. A truth that is not known, NaN, is left out; where none is known a loss
is 0. The squared difference is ``numbers.mse_loss``.

A coordinate's difference to the truth G is d = P - G, a teacher's error is its distance from G. What teachers add:

- ``main_loss`` pulls to the truth, harder beyond a teacher's error.
- ``assistive_loss`` pulls to a teacher from beyond it, and pushes from it to the truth once the student is nearer.
- ``kd_loss`` is their sum over all teachers.

Source: Fard and Mahoor 2022, arXiv:2111.07047.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.distillation.losses.numbers import counted, mean

WIDTH, CURVATURE = 10 / 256, 2 / 256  # 10 px and 2 px of a face of 256 px


@dataclass(frozen=True)
class Zones:
    """How a teacher's ``assistive_loss`` weighs a coordinate by where the student is.

    Parameters
    ----------
    inner : where the influence begins to fade, as a share of the teacher's error.
    beyond : weight where the student is farther from the truth than the teacher; above 0.
    within : weight where it is nearer; below 0.
    """

    inner: float
    beyond: float
    within: float


@dataclass(frozen=True)
class Constants:
    """What ``kd_loss`` is made with.

    Parameters
    ----------
    c : inner bound of ``Zones``.
    alpha_plus, alpha_minus : their weights beyond and within, of the tough and of the tolerant teacher.
    g : slope of ``main_loss`` within a teacher's error.
    main : weight of ``main_loss`` for each teacher; an assistive loss has 1.
    """

    c: float
    alpha_plus: tuple[float, float]
    alpha_minus: tuple[float, float]
    g: float
    main: float

    def zones(self, teachers: int) -> tuple[Zones, ...]:
        """Those of some teachers, from tough to tolerant: the last is the tolerant one, all others are tough."""
        tolerant = [place == teachers - 1 for place in range(teachers)]
        return tuple(Zones(self.c, self.alpha_plus[last], self.alpha_minus[last]) for last in tolerant)


# As read off the published figure of the whole loss, and as the authors' code has them, each for two teachers.
CONSTANTS = {
    "paper": Constants(c=0.4, alpha_plus=(0.9, 0.9), alpha_minus=(-0.45, -0.45), g=1.0, main=1.25),
    "code": Constants(c=0.15, alpha_plus=(1.9, 1.8), alpha_minus=(-0.45, -0.40), g=3.0, main=1.0),
}


def wing_loss(prediction: Tensor, truth: Tensor, width: float = WIDTH, curvature: float = CURVATURE) -> Tensor:
    """Logarithm of small differences, large ones as they are: width * ln(1 + d / curvature) up to width, then linear.

    Parameters
    ----------
    prediction, truth : float, shape (B, 2K).
    width, curvature : > 0, in shares of the side; the authors' w = 10 and epsilon = 2 are pixels of a 256 px face.

    Source: Feng et al. 2018, arXiv:1711.06753, equation 5. Departure: the mean over coordinates, not their sum.
    """
    prediction, truth, known = counted(prediction, truth)
    distance = (prediction - truth).abs()
    offset = width - width * math.log(1 + width / curvature)  # both pieces meet at the width
    near = width * torch.log1p(distance / curvature)
    return mean(torch.where(distance < width, near, distance - offset), known)


def main_loss(prediction: Tensor, truth: Tensor, teacher: Tensor, g: float) -> Tensor:
    """g times the distance to the truth within a teacher's error, beyond it the squared distance, joined on to that.

    Parameters
    ----------
    prediction, truth, teacher : float, shape (B, 2K).
    g : > 0.

    With t the teacher's error: g |d| where |d| <= t, else d^2 + g t - t^2.
    """
    prediction, truth, known = counted(prediction, truth)
    distance, error = (prediction - truth).abs(), _error(teacher, truth)
    return mean(torch.where(distance <= error, g * distance, distance.square() + g * error - error.square()), known)


def assistive_loss(prediction: Tensor, truth: Tensor, teacher: Tensor, zones: Zones) -> Tensor:
    """Weighted distance to a teacher's point, as it lies or reflected at the truth to the student's side.

    Parameters
    ----------
    prediction, truth, teacher : float, shape (B, 2K).
    zones : the weights.

    With t the teacher's error, T' = G + sign(d) t, and e = |P - T'|: ``beyond`` e where |d| > t; ``within`` e where
    |d| is from ``inner`` t to t; nearer to the truth that fades, by the factor |d| / (inner t), to 0 at the truth. It
    is continuous and, within the teacher's error, below 0: alone it leads the student beside the truth, and only beside
    ``main_loss`` to it. No gradient flows through T', nor through the choice of zone.

    It fades as in the authors' figure. In their code the weight is 0 at once below the inner bound: the loss jumps.
    """
    prediction, truth, known = counted(prediction, truth)
    difference, error = prediction - truth, _error(teacher, truth)
    distance, bound = difference.abs(), zones.inner * error
    reflected = truth + difference.detach().sign() * error
    fading = zones.within * distance / bound.masked_fill(bound == 0, 1)
    weight = torch.where(distance > error, zones.beyond, torch.where(distance < bound, fading, zones.within))
    return mean(weight * (prediction - reflected).abs(), known)


def kd_loss(
    prediction: Tensor,
    truth: Tensor,
    teachers: Sequence[Tensor],
    constants: Constants,
    zones: Sequence[Zones] | None = None,
) -> Tensor:
    """``main_loss`` about the more tolerant teacher of each coordinate, and the ``assistive_loss`` of every teacher.

    Parameters
    ----------
    prediction, truth : float, shape (B, 2K).
    teachers : float, shape (B, 2K) each, from tough to tolerant; at least one.
    constants : the first part counts ``constants.main`` times the number of teachers.
    zones : of each teacher; by default ``constants.zones``.

    Where ``guaranteed`` holds, a coordinate's loss has its minimum, 0, at the truth alone. Departure: the authors take
    the tolerant teacher's error for the main part, this takes the largest error of any teacher: the same wherever the
    tolerant one is the farther. Where the tough one is, theirs has a slope beyond the tolerant one, 2 |d|, that can be
    less than what the tough one's fading takes away, and its minimum, below 0, beside the truth.
    """
    zones = constants.zones(len(teachers)) if zones is None else zones
    main = main_loss(prediction, truth, _farthest(teachers, truth), constants.g)
    assistive = (assistive_loss(prediction, truth, *both) for both in zip(teachers, zones, strict=True))
    return constants.main * len(teachers) * main + sum(assistive)


def guaranteed(constants: Constants, teachers: int) -> bool:
    """Whether ``kd_loss`` rises from the truth on.

    Beside the truth its slope is weight * g for the main part and, for each teacher, within * (t - 2 |d|) / (inner t),
    which is steepest at the truth: within / inner. From the inner bound on no part falls, beyond a teacher its own
    rises, and none is beyond the error of the main part. So the loss rises everywhere if it does at the truth:
    weight * g >= sum of |within| / inner.
    """
    falling = sum(-zones.within / zones.inner for zones in constants.zones(teachers))
    rising = constants.main * teachers * constants.g
    return rising >= falling or math.isclose(rising, falling)


def _farthest(teachers: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Of each coordinate the teachers' answer that is farthest from the truth, (B, 2K)."""
    answers = torch.stack(tuple(teachers))
    return answers.gather(0, _error(answers, truth).argmax(0, keepdim=True))[0]


def _error(teacher: Tensor, truth: Tensor) -> Tensor:
    """How far a teacher is from the truth, (B, 2K), without a gradient."""
    return (teacher.detach().to(truth.dtype) - truth).abs()
