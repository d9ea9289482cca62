"""The report's figures: small panels that stack on a phone, one colour per teacher throughout.

A teacher is drawn dashed and hollow, its students solid and filled, the student without a teacher grey.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline import metrics
from pipeline.predictions import probability_column
from pipeline.reporting.drawing import INK, MUTED, PALETTE, PAPER, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.methods import HEADLINE, Difference, Method
from pipeline.reporting.runs import held_out
from pipeline.statistics import Estimate


@matplotlib.rc_context(STYLE)
def comparison(methods: list[Method]) -> Picture:
    """Headline metric of every method: mean, interval, and its seeds as small ticks."""
    figure = Figure(figsize=(4.4, _height(methods)))
    axes = figure.subplots()
    for row, method in enumerate(methods):
        color = _color(method)
        _interval(axes, row, method.estimate(HEADLINE), color, hollow=method.is_teacher)
        if len(method.runs) > 1:
            seeds = 100 * method.values[HEADLINE][:, 0]
            axes.plot(seeds, np.full(len(seeds), row + 0.27), "|", color=color, ms=5, mew=1)
    values = [f"{100 * m.estimate(HEADLINE).value:.1f}" for m in methods]
    titles = [m.title for m in methods]
    _rows(axes, titles, values)
    axes.set_xlabel("Balanced accuracy on held-out subjects, %")
    said = "; ".join(f"{title} {value}" for title, value in zip(titles, values, strict=True))
    return picture(figure, "balanced-accuracy", f"Balanced accuracy in percent: {said}")


@matplotlib.rc_context(STYLE)
def comparisons(differences: list[Difference]) -> Picture:
    """Paired differences of the headline metric with their intervals; filled where the data settle the sign."""
    figure = Figure(figsize=(4.4, _height(differences)))
    axes = figure.subplots()
    axes.axvline(0, color=MUTED, lw=0.8)
    for row, difference in enumerate(differences):
        _interval(axes, row, difference.estimate, INK, hollow=not difference.settled)
    values = [f"{100 * d.estimate.value:+.1f}".replace("-", "−") for d in differences]
    _rows(axes, [""] * len(differences), values)
    for row, difference in enumerate(differences):
        # Two texts instead of one with a line break: each is anchored at its end whatever font the page has.
        for offset, name in ((-0.17, difference.first.title), (0.17, f"minus {difference.second.title}")):
            transform = axes.get_yaxis_transform()
            axes.text(-0.03, row + offset, name, transform=transform, ha="right", va="center", size=8)
    axes.set_xlabel("Difference, percentage points")
    said = "; ".join(
        f"{d.first.title} minus {d.second.title} {value}" for d, value in zip(differences, values, strict=True)
    )
    return picture(figure, "differences", f"Differences of balanced accuracy in points: {said}")


@matplotlib.rc_context(STYLE)
def roc(methods: list[Method], teacher: str) -> Picture:
    """ROC curves of a teacher, its students in every seed, and the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, "False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, lambda label, score: roc_curve(label, score)[:2])
    return picture(figure, f"roc-{plain(teacher)}", _name_curves(axes, methods, "AUC", "roc_auc"))


@matplotlib.rc_context(STYLE)
def precision_recall(methods: list[Method], teacher: str) -> Picture:
    """Precision–recall steps of a teacher, its students in every seed, and the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, "Recall", "Precision")
    axes.axhline(held_out(methods[0].runs[0].predictions)["label"].mean(), color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, lambda label, score: precision_recall_curve(label, score)[1::-1], "steps-post")
    alt = _name_curves(axes, methods, "AP", "average_precision", left=True)
    return picture(figure, f"precision-recall-{plain(teacher)}", alt)


@matplotlib.rc_context(STYLE)
def confusion(method: Method, classes: list[str]) -> Picture:
    """Confusion matrix: share of the true class, and the number of faces (mean over seeds)."""
    frames = [held_out(run.predictions) for run in method.runs]
    counts = np.mean([metrics.confusion(f["label"].to_numpy(), f["predicted"].to_numpy()) for f in frames], axis=0)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2.05, 2.0))
    axes = figure.subplots()
    for true, said in np.ndindex(*counts.shape):
        shade = 0.08 + 0.5 * share[true, said]
        axes.add_patch(Rectangle((said, true), 1, 1, fc=_color(method), alpha=shade, lw=0))
        axes.text(said + 0.5, true + 0.45, f"{100 * share[true, said]:.1f}%", ha="center", va="center", size=10)
        number = f"{counts[true, said]:.1f}".removesuffix(".0")
        axes.text(said + 0.5, true + 0.72, number, ha="center", va="center", size=8)
    names = [name.replace("_", " ") for name in classes]
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal", xlabel="said", ylabel="true", title=method.title)
    axes.set_xticks([0.5, 1.5], names)
    axes.set_yticks([0.5, 1.5], names, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    right = " and ".join(f"{100 * share[i, i]:.0f}% of {name}" for i, name in enumerate(names))
    return picture(figure, f"confusion-{slug(method)}", f"Confusion matrix, {method.title}: {right} recognised")


@matplotlib.rc_context(STYLE)
def training(method: Method, loss_limit: float) -> Picture:
    """Loss and validation balanced accuracy by epoch, one line per seed; a dot marks the epoch that was kept."""
    figure, color = Figure(figsize=(3.0, 2.9)), _color(method)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    for run in method.runs:
        epoch, loss = run.history["epoch"], run.history["val_loss"]
        accuracy, kept = 100 * run.history["val_balanced_accuracy"], int(loss.to_numpy().argmin())
        above.plot(epoch, run.history["train_loss"], color=MUTED, lw=0.9, ls=(0, (3, 2)))
        for axes, values in ((above, loss), (below, accuracy)):
            axes.plot(epoch, values, color=color, lw=1.2)
            axes.plot(epoch.iloc[kept], values.iloc[kept], "o", color=color, ms=3.5)
    above.set(title=method.title, ylabel="Loss", ylim=(0, loss_limit))
    above.text(0.98, 0.94, "validation", color=color, ha="right", va="top", size=8, transform=above.transAxes)
    above.text(0.98, 0.80, "training", color=MUTED, ha="right", va="top", size=8, transform=above.transAxes)
    below.set(xlabel="Epoch", ylabel="Bal. acc., %", ylim=(45, 101))
    below.xaxis.get_major_locator().set_params(integer=True)
    for axes in (above, below):
        axes.grid(axis="y")
    return picture(figure, f"training-{slug(method)}", f"Training curves of {method.title}")


def slug(method: Method) -> str:
    """A file name for a method."""
    role = f"teacher-{method.teacher}" if method.is_teacher else f"student-{method.student}-{method.teacher}"
    return plain(role)


def _color(method: Method) -> str:
    """A method's colour: the baseline's grey, or its teacher's."""
    return PALETTE[(method.color - 1) % (len(PALETTE) - 1) + 1 if method.color else 0]


def _height(rows: list) -> float:
    return 0.75 + 0.42 * len(rows)


def _interval(axes: Axes, row: int, estimate: Estimate, color: str, hollow: bool) -> None:
    """One row of a forest plot, in percent."""
    axes.plot([100 * estimate.low, 100 * estimate.high], [row, row], color=color, lw=1.6)
    axes.plot(100 * estimate.value, row, "o", color=color, mfc=PAPER if hollow else color, ms=6, mew=1.5)


def _rows(axes: Axes, names: list[str], values: list[str]) -> None:
    """Names at the left and values at the right of a forest plot."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    for row, value in enumerate(values):
        axes.text(1.02, row, value, transform=axes.get_yaxis_transform(), va="center", weight="bold", size=9)


def _unit_square(figure: Figure, xlabel: str, ylabel: str) -> Axes:
    axes = figure.subplots()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel=xlabel, ylabel=ylabel)
    axes.grid()
    axes.set_axisbelow(True)
    return axes


def _curves(axes: Axes, method: Method, curve: Callable, drawstyle: str = "default") -> None:
    """One curve per run; a run whose test faces are all of one class has none."""
    dashes = (0, (4, 2)) if method.is_teacher else "-"
    for run in method.runs:
        faces = held_out(run.predictions)
        if faces["label"].nunique() == 2:
            x, y = curve(faces["label"], faces[probability_column(faces)])
            axes.plot(x, y, color=_color(method), ls=dashes, lw=1.2, alpha=0.85, drawstyle=drawstyle)


def _name_curves(axes: Axes, methods: list[Method], unit: str, metric: str, left: bool = False) -> str:
    """Write the methods and their areas in their colours where curves seldom go; the same as plain text."""
    names = [f"{method.title}  {unit} {method.estimate(metric).value:.3f}" for method in methods]
    x, align = (0.04, "left") if left else (0.97, "right")
    for place, (method, name) in enumerate(zip(reversed(methods), reversed(names), strict=True)):
        stroke = "╌" if method.is_teacher else "—"
        axes.text(x, 0.06 + 0.075 * place, f"{stroke} {name}", color=_color(method), ha=align, size=8)
    return f"Curves with areas: {'; '.join(names)}"
