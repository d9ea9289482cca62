"""The report's figures: small panels that stack on a phone, one colour per teacher throughout.

A teacher is drawn dashed and hollow, its students solid and filled, the student without a teacher grey.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.evaluation import calibration
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import classify as metrics
from pipeline.evaluation.predictions import log_odds, probability_column
from pipeline.reporting.cells import signed
from pipeline.reporting.drawing import INK, MUTED, PALETTE, PAPER, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import HEADLINE, Method
from pipeline.reporting.recipes import pretty
from pipeline.reporting.runs import held_out


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
    _rows(axes, [(m.kind, ", ".join(m.told)) for m in methods], values)
    axes.set_xlabel("Balanced accuracy on held-out subjects, %")
    said = "; ".join(f"{m.title} {value}" for m, value in zip(methods, values, strict=True))
    return picture(figure, "balanced-accuracy", f"Balanced accuracy in percent: {said}")


@matplotlib.rc_context(STYLE)
def recipes(methods: list[Method]) -> Picture:
    """Headline metric of every student: a row per recipe, in it a dot with its interval per teacher."""
    rows: dict[str, list[Method]] = {}
    for method in (m for m in methods if not m.is_teacher):
        rows.setdefault(_without_teacher(method), []).append(method)
    figure = Figure(figsize=(4.4, 0.75 + 0.3 * len(rows)))
    axes = figure.subplots()
    for row, group in enumerate(rows.values()):
        for place, method in enumerate(group):
            offset = 0.22 * (place - (len(group) - 1) / 2)
            _interval(axes, row + offset, method.estimate(HEADLINE), _color(method), hollow=False, size=4)
    _rows(axes, [(name, "") for name in rows], [""] * len(rows))
    axes.set_xlabel("Balanced accuracy, %")
    said = "; ".join(f"{m.title} {100 * m.estimate(HEADLINE).value:.1f}" for group in rows.values() for m in group)
    return picture(figure, "recipes", f"Balanced accuracy in percent of every student: {said}")


@matplotlib.rc_context(STYLE)
def effects(found: list[Effect]) -> Picture:
    """What each choice changes, with intervals; filled where the data settle the sign."""
    figure = Figure(figsize=(4.4, _height(found)))
    axes = figure.subplots()
    axes.axvline(0, color=MUTED, lw=0.8)
    for row, e in enumerate(found):
        _interval(axes, row, e.estimate, INK, hollow=not e.settled)
    values = [signed(e.estimate.value) for e in found]
    _rows(axes, [(e.names[0], f"instead of {e.names[1]}") for e in found], values)
    for row in range(1, len(found)):
        if found[row].factor != found[row - 1].factor:
            axes.axhline(row - 0.5, color=RULE, lw=0.8)
    axes.set_xlabel("Difference of balanced accuracy, percentage points")
    said = "; ".join(f"{' instead of '.join(e.names)} {value}" for e, value in zip(found, values, strict=True))
    return picture(figure, "effects", f"Differences of balanced accuracy in points: {said}")


@matplotlib.rc_context(STYLE)
def roc(methods: list[Method], title: str) -> Picture:
    """ROC curves of a family: a teacher, its student in every seed, and the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, title, "False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, lambda label, score: roc_curve(label, score)[:2])
    said = _name_curves(axes, methods, "AUC", [method.estimate("roc_auc").value for method in methods])
    return picture(figure, f"roc-{plain(title)}", f"ROC curves: {said}")


@matplotlib.rc_context(STYLE)
def precision_recall(methods: list[Method], title: str) -> Picture:
    """Precision–recall steps of a family: a teacher, its student in every seed, the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, title, "Recall", "Precision")
    axes.axhline(held_out(methods[0].runs[0].predictions)["label"].mean(), color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, lambda label, score: precision_recall_curve(label, score)[1::-1], "steps-post")
    values = [method.estimate("average_precision").value for method in methods]
    said = _name_curves(axes, methods, "AP", values, left=True)
    return picture(figure, f"precision-recall-{plain(title)}", f"Precision–recall curves: {said}")


@matplotlib.rc_context(STYLE)
def reliability(methods: list[Method], title: str) -> Picture:
    """Share of pain among faces by the probability given to them, all seeds together; a dot's size is its faces."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, title, "Probability of pain", "Share in pain")
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        faces = pd.concat([held_out(run.predictions) for run in method.runs])
        bins = calibration.curve(faces["label"].to_numpy(), log_odds(faces), np.ones((1, len(faces))))
        known = [(b.probability, b.share.value, b.faces / len(faces)) for b in bins if b.faces]
        x, y, share = np.array(known).T
        axes.plot(x, y, color=_color(method), ls=(0, (4, 2)) if method.is_teacher else "-", lw=1)
        axes.scatter(x, y, 3 + 120 * share, color=_color(method), alpha=0.7, lw=0)
    values = [float(np.mean([run.calibration["before"]["figures"]["ece"]["value"] for run in m.runs])) for m in methods]
    said = _name_curves(axes, methods, "ECE", values)
    return picture(figure, f"reliability-{plain(title)}", f"Reliability curves: {said}")


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
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal", xlabel="said", ylabel="true", title=_heading(method, 26))
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
    above.set(title=_heading(method, 38), ylabel="Loss", ylim=(0, loss_limit))
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
    return plain("-".join((role, *method.told)))


def _heading(method: Method, width: int) -> str:
    """A method's title over a panel, what sets it apart on lines of its own."""
    return "\n".join([method.kind, *textwrap.wrap(", ".join(method.told), width)])


def _in_family(method: Method) -> str:
    """A method's name in a panel that is about one teacher and one student."""
    if method.is_taught:
        return ", ".join(method.told) or "student"
    return ", ".join(("teacher" if method.is_teacher else "no teacher", *method.told))


def _without_teacher(method: Method) -> str:
    """The row of a student among all recipes."""
    return ", ".join((pretty(method.student), *(method.told or ("no teacher",) * method.is_untaught)))


def _color(method: Method) -> str:
    """A method's colour: the baseline's grey, or its teacher's."""
    return PALETTE[(method.color - 1) % (len(PALETTE) - 1) + 1 if method.color else 0]


def _height(rows: list) -> float:
    return 0.75 + 0.42 * len(rows)


def _interval(axes: Axes, row: float, estimate: Estimate, color: str, hollow: bool, size: float = 6) -> None:
    """One row of a forest plot, in percent."""
    axes.plot([100 * estimate.low, 100 * estimate.high], [row, row], color=color, lw=size / 4)
    axes.plot(100 * estimate.value, row, "o", color=color, mfc=PAPER if hollow else color, ms=size, mew=size / 4)


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


def _unit_square(figure: Figure, title: str, xlabel: str, ylabel: str) -> Axes:
    axes = figure.subplots()
    axes.set(title=title)
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


def _name_curves(axes: Axes, methods: list[Method], unit: str, values: list[float], left: bool = False) -> str:
    """Write the methods and a value of each in their colours where curves seldom go; the same as plain text."""
    names = [f"{_in_family(m)}  {unit} {value:.3f}" for m, value in zip(methods, values, strict=True)]
    x, align = (0.04, "left") if left else (0.97, "right")
    for place, (method, name) in enumerate(zip(reversed(methods), reversed(names), strict=True)):
        stroke = "╌" if method.is_teacher else "—"
        axes.text(x, 0.06 + 0.075 * place, f"{stroke} {name}", color=_color(method), ha=align, size=8)
    return "; ".join(f"{method.title} {unit} {value:.3f}" for method, value in zip(methods, values, strict=True))
