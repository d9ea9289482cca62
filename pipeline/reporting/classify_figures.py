"""Figures of tasks that choose one class: curves, reliability and confusion."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.evaluation import calibration
from pipeline.evaluation.metrics.classify import confusion as counted
from pipeline.evaluation.predictions import logits
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import joined, words
from pipeline.reporting.drawing import MUTED, PALETTE, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of, heading, slug
from pipeline.reporting.methods import Method, per_output
from pipeline.reporting.runs import Run, calibration_of, held_out

FAINT = 0.005  # of a true class: a smaller share is no number in a cell
Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@matplotlib.rc_context(STYLE)
def roc(methods: list[Method], title: str) -> Picture:
    """ROC curves of a family: a teacher, its student in every seed, and the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, title, "False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, _roc)
    spoken = _name_curves(axes, methods, "AUC", [method.estimate("roc_auc").value for method in methods])
    return picture(figure, f"roc-{plain(title)}", f"ROC curves: {spoken}")


@matplotlib.rc_context(STYLE)
def precision_recall(methods: list[Method], title: str) -> Picture:
    """Precision–recall steps of a family: a teacher, its student in every seed, the student without a teacher."""
    figure = Figure(figsize=(2.8, 2.8))
    axes = _unit_square(figure, title, "Recall", "Precision")
    task = methods[0].task
    labels = held_out(methods[0].runs[0].predictions)["label"]
    axes.axhline((labels == task.positive_output).mean(), color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, _precision_recall, "steps-post")
    values = [method.estimate("average_precision").value for method in methods]
    spoken = _name_curves(axes, methods, "AP", values, left=True)
    return picture(figure, f"precision-recall-{plain(title)}", f"Precision–recall curves: {spoken}")


@matplotlib.rc_context(STYLE)
def class_roc(method: Method) -> Picture:
    """ROC curves of a method, one class against the others in each, all its seeds."""
    return _class_curves(method, "roc", ("False positive rate", "True positive rate"), _roc, "roc_auc")


@matplotlib.rc_context(STYLE)
def class_precision_recall(method: Method) -> Picture:
    """Precision–recall steps of a method, one class against the others in each, all its seeds."""
    return _class_curves(
        method, "precision-recall", ("Recall", "Precision"), _precision_recall, "average_precision", "steps-post"
    )


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
    axes = _unit_square(figure, title, *named)
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        x, y, share = _reliable(method)
        axes.plot(x, y, color=color_of(method), ls=(0, (4, 2)) if method.is_teacher else "-", lw=1)
        axes.scatter(x, y, 3 + 120 * share, color=color_of(method), alpha=0.7, lw=0)
    values = [float(np.mean([calibration_of(run)["ece"] for run in m.runs])) for m in methods]
    spoken = _name_curves(axes, methods, "ECE", values)
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


def _class_curves(
    method: Method, name: str, axis_labels: tuple[str, str], curve: Curve, metric: str, drawstyle: str = "default"
) -> Picture:
    """A panel of one curve per class and seed; the classes' names beside it, with a value of each."""
    outputs = method.task.outputs
    figure = Figure(figsize=(4.3, 2.9))
    axes = _unit_square(figure, heading(method, 40), *axis_labels)
    if name == "roc":
        axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    unit = {"roc_auc": "AUC", "average_precision": "AP"}[metric]
    axes.text(1.05, 1.05, unit, color=MUTED, va="center", size=8, transform=axes.transAxes)
    spoken, samples = [], np.ones((1, len(held_out(method.runs[0].predictions))))
    values = per_output(method, samples)[metric][:, 0].mean(axis=0)
    for number, output in enumerate(outputs):
        color = PALETTE[(number + 1) % len(PALETTE)]
        for run in method.runs:
            _one_curve(axes, run, number, curve, color=color, drawstyle=drawstyle, lw=0.9, alpha=0.8)
        value = values[number]
        place = 0.95 - 0.1 * number
        axes.plot([1.05, 1.12], [place, place], color=color, lw=2, transform=axes.transAxes, clip_on=False)
        axes.text(1.15, place, f"{words(output)}  {value:.3f}", va="center", size=8, transform=axes.transAxes)
        spoken.append(f"{words(output)} {value:.3f}")
    return picture(figure, f"{name}-{slug(method)}", f"{axis_labels[1]} curves, {method.title}: {'; '.join(spoken)}")


def _roc(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return roc_curve(positive, score)[:2]


def _precision_recall(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return precision_recall_curve(positive, score)[1::-1]


def _curves(axes: Axes, method: Method, curve: Curve, drawstyle: str = "default") -> None:
    """One curve per run, of the positive class."""
    dashes = (0, (4, 2)) if method.is_teacher else "-"
    style = {"color": color_of(method), "ls": dashes, "lw": 1.2, "alpha": 0.85, "drawstyle": drawstyle}
    for run in method.runs:
        _one_curve(axes, run, method.task.positive_output, curve, **style)


def _one_curve(axes: Axes, run: Run, output: int, curve: Curve, **style) -> None:
    """A class against the others; a run whose test samples are all on one side has no curve."""
    samples = held_out(run.predictions)
    positive = samples["label"].to_numpy() == output
    if 0 < positive.sum() < len(positive):
        x, y = curve(positive, samples[f"prob_{run.task.outputs[output]}"].to_numpy())
        axes.plot(x, y, **style)


def _in_family(method: Method) -> str:
    """A method's name in a panel that is about one teacher and one student."""
    if method.is_taught:
        return ", ".join(method.details) or "student"
    return ", ".join(("teacher" if method.is_teacher else "no teacher", *method.details))


def _unit_square(figure: Figure, title: str, xlabel: str, ylabel: str) -> Axes:
    axes = figure.subplots()
    axes.set(title=title)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel=xlabel, ylabel=ylabel)
    axes.grid()
    axes.set_axisbelow(True)
    return axes


def _name_curves(axes: Axes, methods: list[Method], unit: str, values: list[float], left: bool = False) -> str:
    """Write the methods and a value of each in their colours where curves seldom go; the same as plain text."""
    names = [f"{_in_family(m)}  {unit} {value:.3f}" for m, value in zip(methods, values, strict=True)]
    x, align = (0.04, "left") if left else (0.97, "right")
    for place, (method, name) in enumerate(zip(reversed(methods), reversed(names), strict=True)):
        stroke = "╌" if method.is_teacher else "—"
        axes.text(x, 0.06 + 0.075 * place, f"{stroke} {name}", color=color_of(method), ha=align, size=8)
    return "; ".join(f"{method.title} {unit} {value:.3f}" for method, value in zip(methods, values, strict=True))
