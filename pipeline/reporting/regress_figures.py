"""The figures of a number: what is said against what is true, and how the true ones are distributed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.evaluation.bootstrap import Estimate
from pipeline.reporting.drawing import INK, MUTED, PALETTE, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of, heading, slug
from pipeline.reporting.methods import Method
from pipeline.reporting.numeric import asked, decimals
from pipeline.tasks import Task

BINS = 8  # of the range, above its lowest value, which is one of its own
WHOLE = 20  # a range that is no wider is drawn number by number, where the numbers are whole
TICKS = 5  # at most, so that both axes have the same
PARTS = {"train": ("training", PALETTE[0]), "val": ("validation", PALETTE[2]), "test": ("test", PALETTE[1])}
ROOM = 0.04  # of the range, around the points


@dataclass(frozen=True)
class Bin:
    """Samples whose true number is within two ends: how many, the mean of the truth, and that of what is said."""

    low: float
    high: float
    samples: int
    true: float
    said: Estimate


def bins(truth: np.ndarray, task: Task) -> Iterator[tuple[float, float, np.ndarray]]:
    """The ends of every bin that has a sample, and which samples are in it, bool, shape (N,).

    The lowest value is a bin, and the range above it is divided evenly; a bin begins at its first end and ends before
    its last, which the highest bin includes.

    Parameters
    ----------
    truth : float, shape (N,)
    """
    low, high = task.bounds
    place = np.where(truth <= low, -1, np.clip(np.floor(BINS * (truth - low) / (high - low)), 0, BINS - 1))
    width = (high - low) / BINS
    for number in np.unique(place):
        ends = (low, low) if number < 0 else (low + width * number, low + width * (number + 1))
        yield *map(float, ends), place == number


@matplotlib.rc_context(STYLE)
def against(method: Method, number: int, binned: list[Bin]) -> Picture:
    """Every test sample, what is said (mean over seeds) over what is true; the mean in bins, and the identity."""
    task = method.task
    name, (low, high) = task.outputs[number], task.bounds
    figure, color = Figure(figsize=(2.9, 3.1), dpi=200), color_of(method)  # of the dots, which are pixels in both files
    axes = figure.subplots()
    true, said = (method.samples[f"{kind}_{name}"].to_numpy() for kind in ("label", "value"))
    axes.plot([low, high], [low, high], color=RULE, lw=1.0, zorder=1)
    axes.scatter(true, said, s=9, color=color, alpha=0.45, lw=0, rasterized=True, zorder=2)
    places = [one.true for one in binned]
    value, below, above = ([getattr(one.said, end) for one in binned] for end in ("value", "low", "high"))
    axes.vlines(places, below, above, color=INK, lw=0.9, zorder=3)
    axes.plot(places, value, "o-", color=INK, ms=3.5, lw=1.1, zorder=4)
    room = ROOM * (high - low)
    axes.set(xlim=(low - room, high + room), ylim=(low - room, high + room), aspect="equal")
    axes.set(title=heading(method, 36), xlabel=f"True {asked(name)}", ylabel=f"Said {asked(name)}")
    for line in (axes.xaxis, axes.yaxis):
        line.set_major_locator(MaxNLocator(TICKS))
    axes.grid()
    axes.set_axisbelow(True)
    spoken = ", ".join(f"{decimals(one.true)}: {decimals(one.said.value)}" for one in binned)
    place = "" if len(task.outputs) == 1 else f"-{plain(name)}"
    alt = f"Mean said at each true {asked(name)}, {method.title}: {spoken}"
    return picture(figure, f"against-{slug(method)}{place}", alt)


@matplotlib.rc_context(STYLE)
def distribution(samples: pd.DataFrame, task: Task, name: str) -> Picture:
    """The share of each part's samples in bins of the true number; without a training part, of all samples."""
    low, high = task.bounds
    known = [part for part in PARTS if (samples["part"] == part).any()]
    values = {part: samples.loc[samples["part"] == part, f"label_{name}"].to_numpy() for part in known}
    every = np.concatenate(list(values.values()))
    whole = high - low <= WHOLE and np.array_equal(every, np.round(every))
    edges = np.arange(low - 0.5, high + 1) if whole else np.linspace(low, high, 2 * BINS + 1)
    figure = Figure(figsize=(4.4, 2.5))
    axes = figure.subplots()
    for part, numbers in values.items():
        title, color = PARTS[part]
        share = 100 * np.histogram(numbers, edges)[0] / max(1, len(numbers))
        axes.stairs(share, edges, color=color, lw=1.4)
        place = 0.94 - 0.1 * list(values).index(part)
        mean = f"{title}, mean {decimals(float(numbers.mean()))}"
        axes.text(0.98, place, mean, color=color, ha="right", va="top", size=8, transform=axes.transAxes)
    axes.set(xlabel=f"True {asked(name)}", ylabel=f"{task.samples.capitalize()}, %", xlim=(edges[0], edges[-1]))
    axes.yaxis.label.set_color(MUTED)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    spoken = "; ".join(f"{PARTS[part][0]} {len(v)}, mean {decimals(float(v.mean()))}" for part, v in values.items())
    return picture(figure, f"distribution-{plain(name)}", f"Distribution of {asked(name)}: {spoken}")
