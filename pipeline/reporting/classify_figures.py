"""Figures of tasks that choose one class: reliability and confusion."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipeline.evaluation import calibration
from pipeline.evaluation.metrics.classify import confusion as counted
from pipeline.evaluation.predictions import logits
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import joined, words
from pipeline.reporting.curves import name_curves, unit_square
from pipeline.reporting.drawing import RULE, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of, heading, slug
from pipeline.reporting.methods import Method
from pipeline.reporting.runs import calibration_of, held_out

FAINT = 0.005  # of a true class: a smaller share is no number in a cell


@matplotlib.rc_context(STYLE)
def reliability(methods: list[Method], title: str) -> Picture:
    """Share of samples that are what the probability says, all seeds together; a dot's size is its samples.

    Of two classes the probability of the positive one, of more that of the favoured class.
    """
    figure, task = Figure(figsize=(2.8, 2.8)), methods[0].task
    positive = words(task.outputs[task.positive_output])
    named = ("Probability of " + positive, "Share of " + positive)
    if len(task.outputs) > 2:
        named = ("Probability of the class said", "Share right")
    axes = unit_square(figure, title, *named)
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        x, y, share = _reliable(method)
        axes.plot(x, y, color=color_of(method), ls=(0, (4, 2)) if method.is_teacher else "-", lw=1)
        axes.scatter(x, y, 3 + 120 * share, color=color_of(method), alpha=0.7, lw=0)
    values = [float(np.mean([calibration_of(run)["ece"] for run in m.runs])) for m in methods]
    spoken = name_curves(axes, methods, "ECE", values)
    return picture(figure, f"reliability-{plain(title)}", f"Reliability curves: {spoken}")


@matplotlib.rc_context(STYLE)
def confusion(method: Method) -> Picture:
    """Confusion matrix: share of the true class, and the number of samples (mean over seeds)."""
    names = [words(name) for name in method.task.outputs]
    frames = [held_out(run.predictions) for run in method.runs]
    counts = np.mean([counted(f["label"].to_numpy(), f["predicted"].to_numpy(), len(names)) for f in frames], axis=0)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(names) == 2
    figure = Figure(figsize=(2.05, 2.0) if few else (0.9 + 0.46 * len(names), 0.95 + 0.44 * len(names)))
    axes = figure.subplots()
    for true, predicted in np.ndindex(*counts.shape):
        shade = 0.08 + 0.5 * share[true, predicted]
        axes.add_patch(Rectangle((predicted, true), 1, 1, fc=color_of(method), alpha=shade, lw=0))
        _cell(axes, (predicted + 0.5, true), share[true, predicted], counts[true, predicted], few)
    axes.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal", xlabel="said", ylabel="true")
    axes.set_title(heading(method, 26 if few else 50))
    centres = np.arange(len(names)) + 0.5
    if few:
        axes.set_xticks(centres, names)
        axes.set_yticks(centres, names, rotation=90, va="center")
    else:
        axes.set_xticks(centres, names, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(centres, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    right = joined([f"{100 * share[i, i]:.0f}% of {name}" for i, name in enumerate(names)])
    return picture(figure, f"confusion-{slug(method)}", f"Confusion matrix, {method.title}: {right} recognised")


def _cell(axes: Axes, place: tuple[float, float], share: float, count: float, few: bool) -> None:
    """The numbers of one cell; among many cells one decimal less, and nothing where nothing is."""
    x, top = place
    number = f"{count:.1f}".removesuffix(".0")
    if few:
        axes.text(x, top + 0.45, f"{100 * share:.1f}%", ha="center", va="center", size=10)
        axes.text(x, top + 0.72, number, ha="center", va="center", size=8)
    elif share >= FAINT:
        axes.text(x, top + 0.4, f"{100 * share:.0f}%", ha="center", va="center", size=8)
        axes.text(x, top + 0.74, number, ha="center", va="center", size=6)


def _reliable(method: Method) -> np.ndarray:
    """Mean probability, share that is so, and share of all samples in each bin that is not empty, shape (3, bins)."""
    samples, question = pd.concat([held_out(run.predictions) for run in method.runs]), Question.of(method.task)
    ones = np.ones((1, len(samples)))
    bins = calibration.curve(samples["label"].to_numpy(), logits(samples, question), ones, question)
    return np.array([(b.probability, b.share.value, b.samples / len(samples)) for b in bins if b.samples]).T
