"""Whether a network that was written in another form still answers the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BOUND = 1e-3  # of a difference, in shares of the largest output but at least of 1, as labels are verified in float32


@dataclass(frozen=True)
class Parity:
    """How alike two networks answer.

    Parameters
    ----------
    inputs : how many were compared.
    difference : the largest, of raw outputs.
    bound : that it must not exceed.
    agreement : share of equal answers, of classes and labels.
    in_units : the largest difference of numbers and points, in ``unit``.
    unit : of what is answered.
    of_scores : the largest difference of how strange an input is, in shares of the larger score but at least of 1; None
        where the form has no such output.
    flagged_alike : share of inputs that both call strange or both do not; None likewise.
    """

    inputs: int
    difference: float
    bound: float
    agreement: float | None = None
    in_units: float | None = None
    unit: str = ""
    of_scores: float | None = None
    flagged_alike: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the differences are within their bounds; one that is no number never is."""
        return not self.fault

    @property
    def fault(self) -> str:
        """What differs by more than it may, and how much; empty where nothing does."""
        apart = {"outputs": (self.difference, self.bound), "domain scores": (self.of_scores, BOUND)}
        return "; ".join(
            f"{name} differ by {difference:.3g}, expected at most {bound:.3g}"
            for name, (difference, bound) in apart.items()
            if difference is not None and not difference <= bound
        )

    @property
    def words(self) -> str:
        """What is to be said of the answers."""
        if self.agreement is not None:
            return f"{100 * self.agreement:.4g} % of {self.inputs} {self.unit}"
        return f"within {self.in_units:.2g} {self.unit} of {self.inputs} inputs"


def compared(
    expected: np.ndarray,
    found: np.ndarray,
    card: Mapping[str, Any],
    scores: tuple[np.ndarray, np.ndarray] | None = None,
    share: float = BOUND,
) -> Parity:
    """Compare the raw outputs of a network and of what it was written as.

    Parameters
    ----------
    expected, found : float32, shape (N, C).
    card : of the network, with its task.
    scores : how strange each input is to the one and to the other, shape (N,) each; None where the form has no such
        output.
    share : of the largest output, but at least of 1, by which outputs may differ; infinite of what is another network.
    """
    a, b = expected.astype(np.float64), found.astype(np.float64)
    difference = float(np.abs(a - b).max()) if a.shape == b.shape else float("nan")
    bound = share * max(1.0, float(np.abs(a).max()))
    told = ANSWERS[card["task"]["kind"]](a, b, card) if difference <= bound else {}
    return Parity(len(a), difference, bound, **told, **(_of_scores(*scores) if scores else {}))


def _of_scores(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """How differently two networks find the same inputs strange."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    difference = np.abs(a - b) / np.maximum(1, np.maximum(a, b))
    return {"of_scores": float(difference.max()), "flagged_alike": float(((a > 1) == (b > 1)).mean())}


def _classes(a: np.ndarray, b: np.ndarray, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"agreement": float((a.argmax(1) == b.argmax(1)).mean()), "unit": "classes"}


def _labels(a: np.ndarray, b: np.ndarray, _: Mapping[str, Any]) -> dict[str, Any]:
    """Labels are called above one half: where their logits are above 0."""
    return {"agreement": float(((a > 0) == (b > 0)).mean()), "unit": "inputs' labels"}


def _numbers(a: np.ndarray, b: np.ndarray, card: Mapping[str, Any]) -> dict[str, Any]:
    low, high = card["task"]["bounds"]
    return {"in_units": float(np.abs(a - b).max() * (high - low)), "unit": card["task"]["target"]}


def _points(a: np.ndarray, b: np.ndarray, card: Mapping[str, Any]) -> dict[str, Any]:
    apart = np.hypot(*np.moveaxis((a - b).reshape(len(a), -1, 2), -1, 0))
    return {"in_units": float(apart.max() * card["network"]["image_size"]), "unit": "px"}


ANSWERS: dict[str, Callable[[np.ndarray, np.ndarray, Mapping[str, Any]], dict[str, Any]]] = {
    "classify": _classes,
    "multilabel": _labels,
    "regress": _numbers,
    "points": _points,
}
