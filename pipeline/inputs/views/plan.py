"""Which view of a sample an epoch sees: drawn from (view seed, sample, view number), whatever its modality.

What a view is, each modality says itself: groups of numbers that it draws and that its ``make`` applies. Modalities
that name one group show one geometry: two cameras that look at a face are cropped and turned alike, while the colours
of each are drawn in a group of its own. Nothing but the seed has to be stored.

A mixed view has a part of another sample in it; the partner, the part and the shares are drawn like everything else,
once for all modalities, so that a label of the mixture is right for each of them and does not depend on which of them a
network reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.config import STRONG
from pipeline.inputs.keyed_random import hashed, uniform

# Of view seed, sample keys and numbers of views, uint64, shape (B,): float32, shape (B, numbers of the group).
Draw = Callable[[int, np.ndarray, np.ndarray], np.ndarray]

TEACHERS = 1  # part of a key
SHARE, CENTRE_X, CENTRE_Y, PARTNER, MIXED = range(8, 13)  # further parts; those of a group's own numbers are others


@dataclass(frozen=True)
class Plan:
    """Which view of a sample an epoch sees, and how views are made.

    Parameters
    ----------
    seed : of all views.
    views : how many there are of each sample; 1: a new one in every epoch.
    mix : ``none``, ``cutmix`` (a part of another sample, Yun et al. 2019, arXiv:1905.04899: a box of a picture, a
        stretch of a signal's time) or ``mixup`` (an average with another sample, Zhang et al. 2018, arXiv:1710.09412);
        the share of the other sample is uniform, Beta(1, 1).
    augment : False: the sample itself is the only view.
    mix_probability : share of the views that are mixed.
    strong : how the inputs were prepared (``align``, ``resize``), where the look of pictures is broken, too; empty: it
        is not.
    """

    seed: int
    views: int = 1
    mix: str = "none"
    augment: bool = True
    mix_probability: float = 1.0
    strong: str = ""

    def number(self, epoch: int) -> int:
        """The view that an epoch sees."""
        return epoch % self.views if self.views > 1 else epoch


@dataclass(frozen=True)
class Drawn:
    """One view of each of B samples, as numbers.

    Attributes
    ----------
    parameters : by group float32, shape (B, numbers of the group); None: the samples themselves.
    partners : int64, shape (B,), which of the samples is mixed in; None where nothing is.
    partner_parameters : by group float32, shape (B, numbers of the group), of the partners' own views.
    kept : float32, shape (B,), share of the view that is the sample's own.
    boxes : float32, shape (B, 4), x0, y0, x1, y1 of the partner's box in 0..1; all zero for an average.
    spans : float32, shape (B, 2), start and end of the partner's stretch of time in 0..1, as large a share as the box;
        both zero for an average.
    """

    parameters: Mapping[str, np.ndarray] | None = None
    partners: np.ndarray | None = None
    partner_parameters: Mapping[str, np.ndarray] | None = None
    kept: np.ndarray | None = None
    boxes: np.ndarray | None = None
    spans: np.ndarray | None = None

    def has(self, group: str) -> bool:
        """Whether numbers of a group were drawn."""
        return self.parameters is not None and group in self.parameters

    def of(self, group: str) -> np.ndarray | None:
        """The numbers of a group, the partners' after the samples' own; None: the samples themselves."""
        if self.parameters is None:
            return None
        if self.partners is None:
            return self.parameters[group]
        return np.concatenate([self.parameters[group], self.partner_parameters[group]])


def broken_look(strength: str, prepare: str) -> str:
    """What a plan says of strong views: how the inputs were prepared whose look is broken; empty for plain ones."""
    return prepare if strength == STRONG else ""


def teacher_seed(seed: int) -> int:
    """The seed of the views that a teacher trains on: other ones than those that it labels."""
    return int(hashed(seed, TEACHERS)[0])


class Views:
    """The views of a set of samples.

    What is drawn for a sample depends on the plan, its key and the view's number; its partner on the set of keys too,
    not on their order.

    Parameters
    ----------
    plan : how views are made.
    sample_keys : uint64, shape (N,), from ``keyed_random.keys(sample_ids)``.
    draws : by group, how its numbers are drawn.
    """

    def __init__(self, plan: Plan, sample_keys: np.ndarray, draws: Mapping[str, Draw]):
        self.plan, self._keys, self._draws = plan, sample_keys, draws
        self._sorted = np.argsort(sample_keys, kind="stable")

    def draw(self, index: np.ndarray, view: int | np.ndarray) -> Drawn:
        """Draw one view of some samples.

        Parameters
        ----------
        index : int64, shape (B,), which samples.
        view : number of the view, for all or for each, int64, shape (B,).
        """
        if not self.plan.augment:
            return Drawn()
        seed, keys = self.plan.seed, self._keys[index]
        view = np.broadcast_to(np.asarray(view, np.uint64), keys.shape)
        own = self._parameters(keys, view)
        if self.plan.mix == "none":
            return Drawn(own)
        places = np.minimum(uniform(seed, keys, view, PARTNER) * len(self._keys), len(self._keys) - 1)
        partners = self._sorted[places.astype(np.int64)]
        return Drawn(own, partners, self._parameters(self._keys[partners], view), *_mixture(self.plan, keys, view))

    def _parameters(self, keys: np.ndarray, view: np.ndarray) -> dict[str, np.ndarray]:
        return {group: draw(self.plan.seed, keys, view) for group, draw in self._draws.items()}


def _mixture(plan: Plan, keys: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share that stays the sample's own, the partner's box, cut at the picture's edge, and as long a span of time.

    A view that is not mixed is all its own.
    """
    mixed = uniform(plan.seed, keys, view, MIXED) < plan.mix_probability
    share = uniform(plan.seed, keys, view, SHARE)
    if plan.mix == "mixup":
        nowhere = np.zeros((len(keys), 4), np.float32)
        return np.where(mixed, share, 1).astype(np.float32), nowhere, nowhere[:, :2]
    half = np.where(mixed, np.sqrt(1 - share) / 2, 0)
    centre = np.stack([uniform(plan.seed, keys, view, CENTRE_X), uniform(plan.seed, keys, view, CENTRE_Y)])
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)  # (2, B)
    area = (high - low).prod(axis=0)
    start = centre[0] * (1 - area)
    boxes, spans = np.concatenate([low, high]).T, np.stack([start, start + area], axis=1)
    return (1 - area).astype(np.float32), boxes.astype(np.float32), spans.astype(np.float32)
