"""Training curves of a family in one figure: teacher, student and student without a teacher, over seeds and folds."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.reporting.cells import axis, bare, factor
from pipeline.reporting.drawing import STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of, room
from pipeline.reporting.methods import Method

LOSS_ROOM = 1.05  # of the largest loss, so that no curve touches the edge


@matplotlib.rc_context(STYLE)
def training(methods: list[Method], title: str) -> Picture:
    """Validation loss and headline metric by epoch: the mean over trainings, in a band from the least to the most."""
    figure = Figure(figsize=(3.6, 4.0))
    above, below = figure.subplots(2, 1, sharex=True)
    headline, metric = methods[0].headline, methods[0].headline_metric
    for method in reversed(methods):
        _band(above, method, "val_loss", 1)
        _band(below, method, f"val_{headline}", factor(metric))
    above.set(title=title, ylabel="Validation loss", ylim=(0, LOSS_ROOM * _largest(methods)))
    label = "\n".join(textwrap.wrap(axis(metric), 16))
    ends = np.concatenate([means(m, f"val_{headline}")[["min", "max"]].to_numpy().ravel() for m in methods])
    below.set(xlabel="Epoch", ylabel=label, ylim=room(metric, ends))
    below.xaxis.get_major_locator().set_params(integer=True)
    for place, method in enumerate(methods):
        stroke = "╌" if method.is_teacher else "—"
        under = {"xycoords": "axes fraction", "textcoords": "offset points", "size": 8}
        below.annotate(f"{stroke} {_role(method)}", (0, 0), (0, -44 - 12 * place), color=color_of(method), **under)
    for axes in (above, below):
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    last = [bare(metric, means(m, f"val_{headline}")["mean"].iloc[-1]) for m in methods]
    spoken = "; ".join(f"{m.title} {value}" for m, value in zip(methods, last, strict=True))
    return picture(figure, f"training-{plain(title)}", f"Training curves, {title}; at the end {spoken}")


def means(method: Method, column: str) -> pd.DataFrame:
    """A column of the histories by epoch: mean, least and most over the trainings that got so far.

    Returns
    -------
    Columns mean, min, max and count; the index is the epoch.
    """
    every = pd.concat([one.history[["epoch", column]] for run in method.runs for one in run.folds])
    return every.groupby("epoch")[column].agg(["mean", "min", "max", "count"])


def _band(axes: Axes, method: Method, column: str, factor: float) -> None:
    """A line in its band, and a dot where, on average, the weights were kept."""
    values, color = means(method, column), color_of(method)
    kept = float(np.mean([one.best["epoch"] for run in method.runs for one in run.folds]))
    axes.fill_between(values.index, factor * values["min"], factor * values["max"], color=color, alpha=0.18, lw=0)
    dashes = (0, (4, 2)) if method.is_teacher else "-"
    axes.plot(values.index, factor * values["mean"], color=color, lw=1.3, ls=dashes)
    height = float(np.interp(kept, values.index, factor * values["mean"]))
    axes.plot(kept, height, "o", color=color, ms=4)


def _largest(methods: list[Method]) -> float:
    """The largest validation loss of any training."""
    return max(float(means(method, "val_loss")["max"].max()) for method in methods)


def _role(method: Method) -> str:
    """What a method is in its family."""
    who = "teacher" if method.is_teacher else "student" if method.is_taught else "no teacher"
    return ", ".join((who, *method.details))
