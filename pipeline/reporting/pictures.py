"""Samples to look at: those a model gets wrong, some that it gets right, and faces that were not found.

A picture is shown as it is, a signal as the line that it draws.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.reporting import numeric
from pipeline.reporting.cells import words
from pipeline.reporting.drawing import PALETTE
from pipeline.reporting.material import Material
from pipeline.reporting.methods import Method
from pipeline.reporting.people import hard_negatives, not_found
from pipeline.tasks import Task

SHOWN_PX = 144
MOST_PAIRS = 4  # of classes taken for each other
EXTREME = 0.5  # percent of the shown values at each end that a line's frame may cut

Groups = list[tuple[str, pd.DataFrame]]  # heading and samples


@dataclass(frozen=True)
class Shown:
    """A picture with its true class, and what else is said of it, in lines."""

    uri: str
    truth: str
    lines: tuple[str, ...]


def right_samples(method: Method, count: int, seed: int) -> pd.DataFrame:
    """A drawing of the test samples that a method got right, if it can equally many of each class."""
    samples = method.samples.sort_values("sample_id")
    right = samples[samples["predicted"] == samples["label"]].sample(frac=1, random_state=np.random.default_rng(seed))
    share = count // len(method.task.outputs)
    equal = pd.concat([right[right["label"] == number].head(share) for number in range(len(method.task.outputs))])
    return pd.concat([equal, right.drop(equal.index)]).head(count)


def wrong_samples(method: Method, count: int) -> Groups:
    """Test samples that a method got wrong, worst first, by the pairs of classes that it confuses most.

    Two classes are one group without a heading. The worst is the one whose true class has the least probability.
    """
    samples, task = method.samples, method.task
    samples = samples.assign(true_probability=_of_class(samples, task, "label"))
    wrong = samples[samples["predicted"] != samples["label"]].sort_values(["true_probability", "sample_id"])
    if len(task.outputs) == 2:
        return [("", wrong.head(count))] if len(wrong) else []
    pairs = wrong.groupby(["label", "predicted"]).size().sort_values(ascending=False, kind="stable").head(MOST_PAIRS)
    each = max(1, count // max(1, len(pairs)))
    support = samples["label"].value_counts()
    return [
        (
            f"{words(task.outputs[true])} taken for {words(task.outputs[predicted])}: {number} of {support[true]}",
            wrong[(wrong["label"] == true) & (wrong["predicted"] == predicted)].head(each),
        )
        for (true, predicted), number in pairs.items()
        if count
    ]


def examples(material: Material) -> tuple[list[tuple[str, list[Shown]]], list[Shown]]:
    """Wrong samples in groups, and right ones, of the method that did best on validation."""
    method, config = material.favourite, material.config
    wrong = [(heading, _show(material, rows)) for heading, rows in wrong_samples(method, config.examples)]
    return wrong, _show(material, right_samples(method, config.examples, config.seed))


def lost(material: Material) -> list[Shown]:
    """Samples in which no face was found."""
    everyone = material.everyone
    rows = everyone[not_found(everyone)].head(material.config.examples)
    names = TRUTH[material.task.kind](rows, material.task)
    return [Shown(uri, name, ("centre crop",)) for name, uri in zip(names, uris(material, rows), strict=True)]


def data_uri(image: np.ndarray) -> str:
    """An RGB picture, uint8 (S, S, 3), as a small JPEG inside a URI."""
    picture = Image.fromarray(image)
    picture.thumbnail((SHOWN_PX * 3 // 2, SHOWN_PX * 3 // 2), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _show(material: Material, rows: pd.DataFrame) -> list[Shown]:
    """Samples with their words: the probability of the positive class of two, of more that of the class chosen."""
    task = material.task
    column = "predicted" if len(task.outputs) > 2 else None
    classes = rows[column] if column else pd.Series(task.positive_output, index=rows.index)
    probability = _of_class(rows.assign(shown=classes), task, "shown")
    shown, names = uris(material, rows), _truth(rows, task)
    return [
        Shown(
            uri,
            name,
            (f"p({words(task.outputs[number])}) {p:.2f}", *((f"{task.sample} not found",) if missed else ())),
        )
        for uri, name, number, p, missed in zip(shown, names, classes, probability, not_found(rows), strict=True)
    ]


def _of_class(samples: pd.DataFrame, task: Task, column: str) -> np.ndarray:
    """The probability of the class that a column numbers, float, shape (N,)."""
    every = samples[[f"prob_{name}" for name in task.outputs]].to_numpy()
    return every[np.arange(len(samples)), samples[column].to_numpy(dtype=int)]


def _truth(rows: pd.DataFrame, task: Task) -> list[str]:
    """The true classes in words."""
    hard = hard_negatives(rows, task)
    return [
        words(task.outputs[label]) + (f", {words(task.hard_negatives)}" if is_hard else "")
        for label, is_hard in zip(rows["label"], hard, strict=True)
    ]


def _of_numbers(rows: pd.DataFrame, task: Task) -> list[str]:
    """The true numbers in words."""
    columns = [f"label_{name}" for name in task.outputs]
    named = [zip(task.outputs, values, strict=True) for values in rows[columns].to_numpy()]
    return [", ".join(f"{numeric.asked(name)} {value:.4g}" for name, value in pairs) for pairs in named]


# By kind of task, what is true of samples, in words.
TRUTH: dict[str, Callable[[pd.DataFrame, Task], list[str]]] = {
    "classify": _truth,
    "regress": _of_numbers,
    "points": lambda rows, task: [task.sample] * len(rows),
}


def line_uris(signals: np.ndarray) -> list[str]:
    """Signals, float, shape (N, T, C), as small SVGs inside URIs: one frame for all, a line for each channel.

    Steps that are NaN are not drawn.
    """
    known = signals[np.isfinite(signals)]
    low, high = np.percentile(known, [EXTREME, 100 - EXTREME]) if len(known) else (0.0, 1.0)
    heights = (SHOWN_PX * (0.95 - 0.9 * (np.clip(signals, low, high) - low) / max(high - low, 1e-12))).round(1)
    places = (SHOWN_PX * np.linspace(0.02, 0.98, signals.shape[1])).round(1)
    return [_svg_uri([_line(places, channel) for channel in window.T]) for window in heights]


def _line(places: np.ndarray, heights: np.ndarray) -> str:
    drawn = np.isfinite(heights)
    return " ".join(f"{x:g},{y:g}" for x, y in zip(places[drawn], heights[drawn], strict=True))


def _svg_uri(lines: list[str]) -> str:
    hues = PALETTE[2:] + PALETTE[1:2]
    drawn = "".join(
        f'<polyline points="{points}" fill="none" stroke="{hues[number % len(hues)]}" stroke-width="1.6"/>'
        for number, points in enumerate(lines)
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SHOWN_PX} {SHOWN_PX}">{drawn}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


# By modality: samples as networks see them, shape (N, ...), to what the page shows of each.
URIS: dict[str, Callable[[np.ndarray], list[str]]] = {
    "rgb": lambda images: [data_uri(image) for image in images],
    "ir": lambda images: [data_uri(np.repeat(image, 3, axis=-1)) for image in images],
    "signal": line_uris,
}


def uris(material: Material, rows: pd.DataFrame) -> list[str]:
    """The samples as networks see them, in the modality that students read first."""
    store, modality = arrays.open_inputs(material.inputs), material.task.student_inputs[0]
    return URIS[modality](store[modality][store.rows(rows["sample_id"])])
