"""Heat maps of a network that is asked and not looked into: what changes where a part of the picture is covered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.serving.network import Network

PATCH = 1 / 6  # side of the patch in the picture's, about an eye's width of an aligned face
STEPS = 2  # patches overlap: so many lie in the width of one
GREY = 127
BATCH = 32  # pictures that the network is asked at once

Change = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def _fall_of_class(whole: np.ndarray, covered: np.ndarray, output: int) -> np.ndarray:
    return _fall(whole - whole.mean(), covered - covered.mean(1, keepdims=True), output)


def _fall(whole: np.ndarray, covered: np.ndarray, output: int) -> np.ndarray:
    return np.maximum(whole[output] - covered[:, output], 0)


def _movement(whole: np.ndarray, covered: np.ndarray, output: int) -> np.ndarray:
    moves = np.linalg.norm((covered - whole).reshape(len(covered), -1, 2), axis=2)  # (P, points)
    return moves.mean(1) if output < 0 else moves[:, output // 2]


# By kind, of the raw outputs of a picture (C,), of the same with a part covered (P, C) and a number among the C: how
# much the answer loses by each cover, or how far a point moves, (P,).
CHANGES: Mapping[str, Change] = {
    "classify": _fall_of_class,
    "multilabel": _fall,
    "regress": _fall,
    "points": _movement,
}


def occlusion(network: Network, modality: str, picture: np.ndarray, output: int) -> np.ndarray:
    """How much of an answer is lost where a grey patch covers the picture.

    Parameters
    ----------
    modality : that the network reads.
    picture : uint8, shape (S, S, channels).
    output : which number of the answer; of points either number stands for its point, -1 for all points.

    Returns
    -------
    float64, shape (S, S), >= 0: of every pixel the mean over the patches that covered it.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2, with patches that overlap.
    """
    side = len(picture)
    patch = max(1, round(side * PATCH))
    starts = np.unique(np.rint(np.linspace(0, side - patch, round(STEPS * (1 / PATCH - 1)) + 1)).astype(int))
    corners = [(top, left) for top in starts for left in starts]
    (whole,) = network.logits({modality: picture[None]})
    heat, times = np.zeros((side, side)), np.zeros((side, side))
    for first in range(0, len(corners), BATCH):
        part = corners[first : first + BATCH]
        covered = np.repeat(picture[None], len(part), axis=0)
        for one, (top, left) in zip(covered, part, strict=True):
            one[top : top + patch, left : left + patch] = GREY
        changes = CHANGES[network.task["kind"]](whole, network.logits({modality: covered}), output)
        for change, (top, left) in zip(changes, part, strict=True):
            heat[top : top + patch, left : left + patch] += change
            times[top : top + patch, left : left + patch] += 1
    return heat / times
