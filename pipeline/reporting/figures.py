"""The report's figures: small panels that stack on a phone, one colour per teacher throughout.

A teacher is drawn dashed and hollow, its students solid and filled, the student without a teacher grey.
"""

from __future__ import annotations

import math
import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.reporting.cells import axis, bare, direction, factor, in_points, lowered, signed
from pipeline.reporting.drawing import INK, MUTED, PALETTE, PAPER, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method
from pipeline.reporting.recipes import pretty
from pipeline.reporting.runs import Trained
from pipeline.reporting.units import units, who

FEW_LINES = 6  # in a panel of training curves; more are drawn thinner
MOST_LINES = 24  # of them; with a fold for each subject there are hundreds of networks


@matplotlib.rc_context(STYLE)
def comparison(methods: list[Method]) -> Picture:
    """Headline metric of every method: mean, interval, and its seeds as small ticks."""
    figure, metric = Figure(figsize=(4.4, _height(methods))), methods[0].headline_metric
    axes = figure.subplots()
    for row, method in enumerate(methods):
        color = color_of(method)
        _interval(axes, row, method.estimate(method.headline), metric, color, hollow=method.is_teacher)
        if len(method.runs) > 1:
            seeds = factor(metric) * method.values[method.headline][:, 0]
            axes.plot(seeds, np.full(len(seeds), row + 0.27), "|", color=color, ms=5, mew=1)
    values = [bare(metric, m.estimate(m.headline).value) for m in methods]
    _rows(axes, [(m.kind, ", ".join(m.details)) for m in methods], values)
    title, task, leaks = metric.title, methods[0].task, methods[0].runs[0].leaks
    tested = f"seen {who(task)} (a leak)" if leaks else f"held-out {units(task)}"
    axes.set_xlabel(f"{title} on {tested}{in_points(metric, ', %')}{direction(metric)}")
    spoken = "; ".join(f"{m.title} {value}" for m, value in zip(methods, values, strict=True))
    return picture(figure, "headline", f"{title}{in_points(metric, ' in percent')}: {spoken}")


@matplotlib.rc_context(STYLE)
def recipes(methods: list[Method]) -> Picture:
    """Headline metric of every student: a row per recipe, in it a dot with its interval per teacher."""
    rows: dict[str, list[Method]] = {}
    for method in (m for m in methods if not m.is_teacher):
        rows.setdefault(_without_teacher(method), []).append(method)
    figure, metric = Figure(figsize=(4.4, 0.75 + 0.3 * len(rows))), methods[0].headline_metric
    axes = figure.subplots()
    for row, group in enumerate(rows.values()):
        for place, method in enumerate(group):
            offset = 0.22 * (place - (len(group) - 1) / 2)
            estimate = method.estimate(method.headline)
            _interval(axes, row + offset, estimate, metric, color_of(method), hollow=False, size=4)
    _rows(axes, [(name, "") for name in rows], [""] * len(rows))
    axes.set_xlabel(f"{axis(metric)}{direction(metric)}")
    every = (m for group in rows.values() for m in group)
    spoken = "; ".join(f"{m.title} {bare(metric, m.estimate(m.headline).value)}" for m in every)
    title = f"{metric.title}{in_points(metric, ' in percent')}"
    return picture(figure, "recipes", f"{title} of every student: {spoken}")


@matplotlib.rc_context(STYLE)
def effects(comparisons: list[Effect]) -> Picture:
    """What each choice changes, with intervals: filled where its sign is settled, a bar where it hardly could be."""
    figure, metric = Figure(figsize=(4.4, _height(comparisons))), comparisons[0].metric
    axes, times = figure.subplots(), factor(metric)
    axes.axvline(0, color=MUTED, lw=0.8)
    for row, e in enumerate(comparisons):
        if not math.isnan(e.smallest):
            width, start = 2 * times * e.smallest, -times * e.smallest
            axes.barh(row, width, 0.5, left=start, color=RULE, alpha=0.6, lw=0, zorder=0)
        _interval(axes, row, e.estimate, metric, INK, hollow=not e.settled)
    values = [signed(e.estimate.value, metric) for e in comparisons]
    names = [(e.names[0], ", ".join(filter(None, (f"instead of {e.names[1]}", e.among)))) for e in comparisons]
    _rows(axes, names, values)
    for row in range(1, len(comparisons)):
        if comparisons[row].factor != comparisons[row - 1].factor:
            axes.axhline(row - 0.5, color=RULE, lw=0.8)
    title = lowered(metric.title)
    lines = f"Difference of {title}{in_points(metric, ', percentage points')}", direction(metric).strip()
    axes.set_xlabel("\n".join(filter(None, lines)))
    spoken = "; ".join(f"{' '.join(name)} {value}" for name, value in zip(names, values, strict=True))
    return picture(figure, "effects", f"Differences of {title}{in_points(metric, ' in points')}: {spoken}")


@matplotlib.rc_context(STYLE)
def training(method: Method, loss_limit: float, least: float = 0.0) -> Picture:
    """Loss and the headline metric on validation by epoch, a line a network; a dot marks the epoch that was kept.

    Parameters
    ----------
    loss_limit : the same for all panels.
    least : of the headline metric as it is drawn, for `room`.
    """
    figure, color, metric = Figure(figsize=(3.0, 2.9)), color_of(method), method.headline_metric
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    lines = trained(method)
    thin = 1.0 if len(lines) <= FEW_LINES else 0.4
    for one in lines:
        epoch, loss = one.history["epoch"], one.history["val_loss"]
        reached, best = factor(metric) * one.history[f"val_{method.headline}"], int(one.best["epoch"]) - 1
        above.plot(epoch, one.history["train_loss"], color=MUTED, lw=0.9 * thin, ls=(0, (3, 2)))
        for axes, values in ((above, loss), (below, reached)):
            axes.plot(epoch, values, color=color, lw=1.2 * thin)
            axes.plot(epoch.iloc[best], values.iloc[best], "o", color=color, ms=3.5 * thin)
    above.set(title=heading(method, 38), ylabel="Loss", ylim=(0, loss_limit))
    above.text(0.98, 0.94, "validation", color=color, ha="right", va="top", size=8, transform=above.transAxes)
    above.text(0.98, 0.80, "training", color=MUTED, ha="right", va="top", size=8, transform=above.transAxes)
    title = "\n".join(textwrap.wrap(axis(metric), 14))
    reached = np.concatenate([one.history[f"val_{method.headline}"] for one in lines])
    below.set(xlabel="Epoch", ylabel=title, ylim=room(metric, reached, least))
    below.xaxis.get_major_locator().set_params(integer=True)
    for axes in (above, below):
        axes.grid(axis="y")
    return picture(figure, f"training-{slug(method)}", f"Training curves of {method.title}")


def room(metric: Metric, values: np.ndarray, least: float = 0.0) -> tuple[float, float]:
    """The ends of an axis of a metric: of an error from zero to the largest value, else up to the best that can be.

    Parameters
    ----------
    values : all that are drawn, not yet in percent.
    least : where the axis begins, as it is drawn; of what is no share, unless a value lies below.
    """
    if metric.lower_is_better:
        return 0.0, 1.05 * factor(metric) * (float(np.nanmax(values)) or 1.0)
    return (least, 101.0) if metric.percent else (min(least, float(np.nanmin(values)) - 0.02), 1.01)


def trained(method: Method) -> list[Trained]:
    """The networks whose training is drawn, of many some that are spread over seeds and folds."""
    every = [one for run in method.runs for one in run.folds]
    if len(every) <= MOST_LINES:
        return every
    return [every[round(place)] for place in np.linspace(0, len(every) - 1, MOST_LINES)]


def slug(method: Method) -> str:
    """A file name for a method."""
    role = f"teacher-{method.teacher}" if method.is_teacher else f"student-{method.student}-{method.teacher}"
    return plain("-".join((role, *method.details)))


def heading(method: Method, width: int) -> str:
    """A method's title over a panel, what sets it apart on lines of its own."""
    return "\n".join([method.kind, *textwrap.wrap(", ".join(method.details), width)])


def _without_teacher(method: Method) -> str:
    """The row of a student among all recipes."""
    return ", ".join((pretty(method.student), *(method.details or ("no teacher",) * method.is_untaught)))


def color_of(method: Method) -> str:
    """A method's colour: the baseline's grey, or its teacher's."""
    return PALETTE[(method.color - 1) % (len(PALETTE) - 1) + 1 if method.color else 0]


def _height(rows: list) -> float:
    return 0.75 + 0.42 * len(rows)


def _interval(
    axes: Axes, row: float, estimate: Estimate, metric: Metric, color: str, hollow: bool, size: float = 6
) -> None:
    """One row of a forest plot, shares in percent."""
    value, low, high = (factor(metric) * end for end in (estimate.value, estimate.low, estimate.high))
    axes.plot([low, high], [row, row], color=color, lw=size / 4)
    axes.plot(value, row, "o", color=color, mfc=PAPER if hollow else color, ms=size, mew=size / 4)


def _rows(axes: Axes, names: list[tuple[str, str]], values: list[str]) -> None:
    """Names, of one line or two, at the left and values at the right of a forest plot."""
    axes.set_yticks(range(len(names)), [""] * len(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    beside = {"transform": axes.get_yaxis_transform(), "va": "center"}
    for row, (lines, value) in enumerate(zip(names, values, strict=True)):
        # Two texts instead of one with a line break: each is anchored at its end whatever font the page has.
        for offset, text in zip((-0.17, 0.17) if lines[1] else (0, 0), lines, strict=True):
            axes.text(-0.03, row + offset, text, ha="right", size=8, **beside)
        axes.text(1.02, row, value, weight="bold", size=9, **beside)
