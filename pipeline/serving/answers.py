"""What a network's raw outputs mean, in a table and in a picture: one ``Kind`` for each kind of task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from pipeline.inputs.faces.geometry import invert, transform
from pipeline.serving import colors

THRESHOLD = 0.5  # probability above which a label is called, as evaluation does
DECIMALS = 2  # of a pixel in a table
STRANGENESS = ("domain_score", "in_domain")  # columns: how strange an input is, 1 at the threshold; whether it is not


@dataclass(frozen=True)
class Mark:
    """How an output is written into a picture.

    Parameters
    ----------
    text : its name and what is answered of it.
    color : its ground.
    called : whether it is answered with it; a label below ``THRESHOLD`` is not.
    """

    text: str
    color: str
    called: bool = True


@dataclass(frozen=True)
class Answer:
    """What a network says of one input.

    Parameters
    ----------
    values : float64, shape (C,): probabilities, numbers in the units of the target, or x, y, x, y … of points in
        pixels of the picture.
    cells : the values of ``Network.columns``.
    marks : of every output, in their order, none of points; before them that the input is strange, where it is.
    title : what is written at a face: the most probable class or label, or the numbers.
    points : float64, shape (K, 2), pixels of the picture; of other kinds K is 0.
    """

    values: np.ndarray
    cells: dict[str, Any]
    marks: tuple[Mark, ...]
    title: Mark | None
    points: np.ndarray


class Kind(NamedTuple):
    """How the answers to a kind of task are told. Names are those of the C numbers that a network answers with.

    Attributes
    ----------
    values : of raw outputs, float64, shape (N, C), the bounds of the task and, of faces alone, the maps from the
        picture to each, float64, shape (N, 2, 3): what they mean, float64, shape (N, C).
    cells : of names and the values of one input: columns of a table of predictions and what stands in them.
    marks : of names, the values of one input and the bounds: how they are written into a picture.
    titled : of the values of one input: the numbers of the marks that are written at a face.
    decided : of names: the columns in which a class or labels are called, which nothing is called in where an input is
        strange.
    located : whether values are places in the picture, which only faces are known to come from.
    """

    values: Callable[[np.ndarray, Sequence[float], np.ndarray | None], np.ndarray]
    cells: Callable[[Sequence[str], np.ndarray], dict[str, Any]]
    marks: Callable[[Sequence[str], np.ndarray, Sequence[float]], list[Mark]]
    titled: Callable[[np.ndarray], Sequence[int]]
    decided: Callable[[Sequence[str]], Sequence[str]] = lambda _: ()
    located: bool = False

    def answer(self, names: Sequence[str], values: np.ndarray, bounds: Sequence[float]) -> Answer:
        """What is said of one input by its values, float64, shape (C,)."""
        marks = self.marks(names, values, bounds)
        titled = [marks[number] for number in self.titled(values)]
        title = Mark("  ".join(mark.text for mark in titled), titled[0].color) if titled else None
        points = values.reshape(-1, 2) if self.located else np.empty((0, 2))
        return Answer(values, self.cells(names, values), tuple(marks), title, points)

    def flagged(self, names: Sequence[str], answer: Answer, notice: str, force: bool) -> Answer:
        """The same answer to an input that is unlike the training inputs.

        No class or label is called, unless ``force`` says so; probabilities, numbers and points stay.

        Parameters
        ----------
        notice : what is written into the picture, on grey.
        """
        blank = () if force else self.decided(names)
        title = f"{answer.title.text} ({notice})" if answer.title and not blank else notice
        marks = tuple(replace(mark, called=mark.called and not blank) for mark in answer.marks)
        return replace(
            answer,
            cells=answer.cells | dict.fromkeys(blank),
            marks=(Mark(notice, colors.STRANGE), *marks),
            title=Mark(title, colors.STRANGE),
        )


def _called(values: np.ndarray) -> np.ndarray:
    """Whether each label is called at these probabilities."""
    return values > THRESHOLD


def _most_probable(values: np.ndarray) -> list[int]:
    return [int(values.argmax())]


def _probabilities(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {f"prob_{name}": float(p) for name, p in zip(names, values, strict=True)}


def _class_cells(names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    return {"class": names[values.argmax()]} | _probabilities(names, values)


def _label_cells(names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    return dict(zip(names, map(int, _called(values)), strict=True)) | _probabilities(names, values)


def shown(name: str) -> str:
    """The name of an output in words."""
    return name.replace("_", " ")


def _probability_marks(names: Sequence[str], values: np.ndarray, called: np.ndarray) -> list[Mark]:
    return [Mark(f"{shown(name)} {values[c]:.2f}", colors.of_class(c), bool(called[c])) for c, name in enumerate(names)]


def _class_marks(names: Sequence[str], values: np.ndarray, _: Sequence[float]) -> list[Mark]:
    return _probability_marks(names, values, np.arange(len(values)) == values.argmax())


def _label_marks(names: Sequence[str], values: np.ndarray, _: Sequence[float]) -> list[Mark]:
    return _probability_marks(names, values, _called(values))


def _in_units(raw: np.ndarray, bounds: Sequence[float], _: np.ndarray | None) -> np.ndarray:
    """Shares of the bounds as numbers within them."""
    low, high = bounds
    return np.clip(low + raw * (high - low), low, high)


def _number_marks(names: Sequence[str], values: np.ndarray, bounds: Sequence[float]) -> list[Mark]:
    low, high = bounds
    decimals = max(0, 2 - math.floor(math.log10(high - low)))  # 100 to 1,000 steps from the lowest to the highest
    return [
        Mark(f"{shown(name)} {value:.{decimals}f}", colors.on_scale((value - low) / (high - low)))
        for name, value in zip(names, values, strict=True)
    ]


def _in_picture(raw: np.ndarray, _: Sequence[float], warps: np.ndarray) -> np.ndarray:
    """Shares of each face's side from its middle as pixels of the picture that it was drawn from."""
    shares = raw.reshape(len(raw), raw.shape[1] // 2, 2)
    pixels = [transform(invert(warp), points) for warp, points in zip(warps, shares, strict=True)]
    return np.array(pixels).reshape(raw.shape)


KINDS = {
    "classify": Kind(
        lambda raw, *_: torch.from_numpy(raw).softmax(dim=1).numpy(),
        _class_cells,
        _class_marks,
        _most_probable,
        lambda _: ("class",),
    ),
    "multilabel": Kind(
        lambda raw, *_: torch.from_numpy(raw).sigmoid().numpy(),
        _label_cells,
        _label_marks,
        _most_probable,
        lambda names: names,
    ),
    "regress": Kind(
        _in_units,
        lambda names, values: {f"value_{name}": float(value) for name, value in zip(names, values, strict=True)},
        _number_marks,
        lambda values: range(len(values)),
    ),
    "points": Kind(
        _in_picture,
        lambda names, values: dict(zip(names, np.round(values, DECIMALS).tolist(), strict=True)),
        lambda *_: [],
        lambda _: (),
        located=True,
    ),
}


def none_of(task: Mapping[str, Any]) -> str:
    """What is said where a picture or a frame shows nothing that is asked about."""
    return f"no {task['sample']} found"
