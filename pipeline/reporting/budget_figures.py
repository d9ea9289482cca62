"""The figure of the label budget: the headline metric over the number of labelled subjects."""

from __future__ import annotations

from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from pipeline.reporting.cells import axis, bare, direction, factor, in_points
from pipeline.reporting.drawing import MUTED, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of
from pipeline.reporting.methods import Method
from pipeline.reporting.recipes import pretty
from pipeline.reporting.units import units

APART = 0.035  # curves stand beside each other by this share of the axis, so that intervals do not cover each other


@matplotlib.rc_context(STYLE)
def curves(lines: list[list[Method]], methods: list[Method]) -> Picture:
    """A student's curves, with intervals over subjects; dashed, what the teachers reach who know all labels.

    Parameters
    ----------
    lines : of each curve its points, by ascending number of labelled subjects.
    methods : among which the teachers are.
    """
    figure = Figure(figsize=(4.4, 3.2))
    axes = figure.subplots()
    axes.set_xscale("log")
    numbers = sorted({round(method.labelled_subjects) for line in lines for method in line})
    step = (numbers[-1] / numbers[0]) ** APART
    metric = lines[0][0].headline_metric
    times, names = factor(metric), []
    for place, line in enumerate(lines):
        shift = step ** (place - (len(lines) - 1) / 2)
        estimates, color = [method.estimate(method.headline) for method in line], color_of(line[0])
        subjects = [method.labelled_subjects * shift for method in line]
        value, low, high = ([times * getattr(e, end) for e in estimates] for end in ("value", "low", "high"))
        axes.plot(subjects, value, "o-", color=color, ms=4.5)
        axes.vlines(subjects, low, high, color=color, lw=1.1)
        name = "no teacher" if line[0].is_untaught else f"{pretty(line[0].teacher)} teacher"
        names.append((value[-1], name, color))
    for teacher in (m for m in methods if m.is_teacher and m.teacher in {line[0].teacher for line in lines}):
        if not teacher.recipe.folds:
            reached = times * teacher.estimate(teacher.headline).value
            axes.axhline(reached, color=color_of(teacher), lw=0.9, ls=(0, (4, 3)), zorder=0)
    for height, (_, name, color) in zip(_apart(axes, [value for value, *_ in names]), names, strict=True):
        axes.annotate(name, (1.02, height), xycoords=("axes fraction", "data"), color=color, size=8, va="center")
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_major_formatter(FixedFormatter([str(number) for number in numbers]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y")
    axes.set_xlabel(f"Training {units(methods[0].task)} whose true labels are known", color=MUTED)
    axes.set_ylabel(f"{axis(metric)}{direction(metric)}")
    spoken = "; ".join(
        f"{line[0].kind}: "
        + ", ".join(f"{m.labelled_subjects:.0f} subjects {bare(metric, m.estimate(m.headline).value)}" for m in line)
        for line in lines
    )
    title = f"{metric.title}{in_points(metric, ' in percent')}"
    return picture(figure, f"budget-{plain(lines[0][0].student)}", f"{title} by labelled subjects: {spoken}")


def _apart(axes: Axes, heights: list[float]) -> list[float]:
    """Heights of the curves' names, moved apart where they would cover each other."""
    low, high = axes.get_ylim()
    least = 0.07 * (high - low)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    for before, place in pairwise(order):
        moved[place] = max(moved[place], moved[before] + least)
    return moved
