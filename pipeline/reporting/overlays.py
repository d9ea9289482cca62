"""Faces with the heat maps of several networks over them, those that are answered worst and best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.reporting.cells import words
from pipeline.reporting.material import Material
from pipeline.reporting.methods import Method, baseline, teacher_of
from pipeline.reporting.pictures import TRUTH, data_uri
from pipeline.tasks import Task

MOST = 4  # faces of each kind
STRONGEST = 0.6  # share of the colour where a map is hottest


class Mapped(NamedTuple):
    """A method with its explained samples and its maps of them, float, shape (N, side, side)."""

    method: Method
    faces: pd.DataFrame
    maps: np.ndarray


@dataclass(frozen=True)
class Row:
    """A face, and what each network rests its answer on.

    Parameters
    ----------
    truth : in words.
    uri : of the face.
    maps : by network the face with its map, and what it answers.
    """

    truth: str
    uri: str
    maps: tuple[tuple[str, str, str], ...]


def _error_of_class(samples: pd.DataFrame, task: Task) -> np.ndarray:
    probabilities = samples[[f"prob_{name}" for name in task.outputs]].to_numpy()
    return 1 - probabilities[np.arange(len(samples)), samples["label"].to_numpy(int)]


def _error_of_number(samples: pd.DataFrame, task: Task) -> np.ndarray:
    name = task.outputs[0]
    return (samples[f"value_{name}"] - samples[f"label_{name}"]).abs().to_numpy()


# By kind, of test samples with a method's answers: how far each is from the truth; and of one sample and the number of
# an output what is answered of it.
ERRORS: Mapping[str, Callable[[pd.DataFrame, Task], np.ndarray]] = {
    "classify": _error_of_class,
    "regress": _error_of_number,
}
ANSWERS: Mapping[str, Callable[[pd.Series, Task, int], str]] = {
    "classify": lambda row, task, output: f"p({words(task.outputs[output])}) {row[f'prob_{task.outputs[output]}']:.2f}",
    "regress": lambda row, task, output: f"{row[f'value_{task.outputs[output]}']:.2f}",
}


def examples(material: Material, every: list[Mapped]) -> tuple[list[Row], list[Row]]:
    """The explained samples that a student answers worst, and best, with its maps and those of teacher and no teacher.

    Parameters
    ----------
    every : of all methods, the same samples.
    """
    shown, task = lineup(material, every), material.task
    judged = next((one.method for one in shown if one.method.is_taught), shown[-1].method)
    explained = shown[0].faces["sample_id"]
    errors = ERRORS[task.kind](judged.samples.set_index("sample_id").loc[explained], task)
    order = np.lexsort((explained, -errors))
    count = min(MOST, material.config.examples, len(order) // 2)
    return tuple([_row(material, shown, place) for place in places[:count]] for places in (order, order[::-1]))


def lineup(material: Material, every: list[Mapped]) -> list[Mapped]:
    """The teacher of the student that did best on validation, that student, and the one without a teacher."""
    methods = [one.method for one in every]
    best = next((method for method in methods if method is material.favourite), methods[-1])
    near = [teacher_of(best, methods), best, baseline(best, methods)] if best.is_taught else methods[-3:]
    return [one for method in near for one in every if one.method is method]


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture, uint8 (S, S, 3), with a map (side, side) over it, as ``serving.heat_maps.overlay`` lays it."""
    low, high = float(heat.min()), float(heat.max())
    shares = (heat - low) / (high - low) if high > low else np.zeros_like(heat)
    large = Image.fromarray(shares.astype(np.float32)).resize(image.shape[1::-1], Image.Resampling.BILINEAR)
    spread = np.clip(np.asarray(large), 0, 1)
    weights = STRONGEST * np.sqrt(spread)[..., None]
    colored = 255 * colormaps["viridis"](spread)[..., :3]
    return np.rint(image * (1 - weights) + colored * weights).astype(np.uint8)


def _row(material: Material, shown: list[Mapped], place: int) -> Row:
    """One explained sample, by its place among them."""
    task, store = material.task, arrays.open_inputs(material.inputs)
    name, output = shown[0].faces["sample_id"].iloc[place], int(shown[0].faces["output"].iloc[place])
    (image,) = store[task.student_inputs[0]][store.rows([name])]
    over = []
    for one in shown:
        answer = one.method.samples.set_index("sample_id").loc[name]
        uri = data_uri(overlay(image, one.maps[place]))
        over.append((one.method.title, uri, ANSWERS[task.kind](answer, task, output)))
    samples = shown[0].method.samples
    (truth,) = TRUTH[task.kind](samples[samples["sample_id"] == name], task)
    return Row(truth, data_uri(image), tuple(over))
