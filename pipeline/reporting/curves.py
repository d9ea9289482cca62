"""ROC and precision–recall curves: of one output by family, and of every output of one method."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import words
from pipeline.reporting.drawing import MUTED, PALETTE, RULE, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of, heading, slug
from pipeline.reporting.methods import Method, per_output
from pipeline.reporting.runs import Run, held_out

Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@matplotlib.rc_context(STYLE)
def roc(methods: list[Method], title: str, output: int | None = None) -> Picture:
    """ROC curves of a family: a teacher, its student in every seed, and the student without a teacher.

    Parameters
    ----------
    output : which class or label; by default the one that two-class metrics speak of.
    """
    figure, place = Figure(figsize=(2.8, 2.8)), _place(methods[0], output)
    axes = unit_square(figure, title, "False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, _roc, place)
    spoken = name_curves(axes, methods, "AUC", [_value(method, "roc_auc", place) for method in methods])
    return picture(figure, f"roc-{plain(title)}", f"ROC curves: {spoken}")


@matplotlib.rc_context(STYLE)
def precision_recall(methods: list[Method], title: str, output: int | None = None) -> Picture:
    """Precision–recall steps of a family: a teacher, its student in every seed, the student without a teacher.

    Parameters
    ----------
    output : as in `roc`.
    """
    figure, place = Figure(figsize=(2.8, 2.8)), _place(methods[0], output)
    axes = unit_square(figure, title, "Recall", "Precision")
    axes.axhline(_truth(methods[0].runs[0], place).mean(), color=RULE, lw=0.8)
    for method in reversed(methods):
        _curves(axes, method, _precision_recall, place, "steps-post")
    values = [_value(method, "average_precision", place) for method in methods]
    spoken = name_curves(axes, methods, "AP", values, left=True)
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


def _class_curves(
    method: Method, name: str, axis_labels: tuple[str, str], curve: Curve, metric: str, drawstyle: str = "default"
) -> Picture:
    """A panel of one curve per class and seed; the classes' names beside it, with a value of each."""
    outputs = method.task.outputs
    figure = Figure(figsize=(4.3, 2.9))
    axes = unit_square(figure, heading(method, 40), *axis_labels)
    if name == "roc":
        axes.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    unit = {"roc_auc": "AUC", "average_precision": "AP"}[metric]
    axes.text(1.05, 1.05, unit, color=MUTED, va="center", size=8, transform=axes.transAxes)
    spoken, samples = [], np.ones((1, len(held_out(method.runs[0].predictions))))
    values = per_output(method, samples, (metric,))[metric][:, 0].mean(axis=0)
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


def _place(method: Method, output: int | None) -> int:
    """The number of the output that is drawn."""
    return method.task.positive_output if output is None else output


def _truth(run: Run, output: int) -> np.ndarray:
    """Which test samples are of an output, bool, shape (N,)."""
    truths = METRICS[run.task.kind].truths(held_out(run.predictions), Question.of(run.task))
    return truths[run.task.outputs[output]]


def _value(method: Method, metric: str, output: int) -> float:
    """A metric of one output, the mean over seeds."""
    ones = np.ones((1, len(held_out(method.runs[0].predictions))))
    return float(per_output(method, ones, (metric,))[metric][:, 0, output].mean())


def _curves(axes: Axes, method: Method, curve: Curve, output: int, drawstyle: str = "default") -> None:
    """One curve per run, of one output."""
    dashes = (0, (4, 2)) if method.is_teacher else "-"
    style = {"color": color_of(method), "ls": dashes, "lw": 1.2, "alpha": 0.85, "drawstyle": drawstyle}
    for run in method.runs:
        _one_curve(axes, run, output, curve, **style)


def _one_curve(axes: Axes, run: Run, output: int, curve: Curve, **style) -> None:
    """A class against the others, or a label; a run whose test samples are all on one side has no curve."""
    positive = _truth(run, output)
    if 0 < positive.sum() < len(positive):
        x, y = curve(positive, held_out(run.predictions)[f"prob_{run.task.outputs[output]}"].to_numpy())
        axes.plot(x, y, **style)


def _in_family(method: Method) -> str:
    """A method's name in a panel that is about one teacher and one student."""
    if method.is_taught:
        return ", ".join(method.details) or "student"
    return ", ".join(("teacher" if method.is_teacher else "no teacher", *method.details))


def unit_square(figure: Figure, title: str, xlabel: str, ylabel: str) -> Axes:
    """Axes from 0 to 1 both ways."""
    axes = figure.subplots()
    axes.set(title=title)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel=xlabel, ylabel=ylabel)
    axes.grid()
    axes.set_axisbelow(True)
    return axes


def name_curves(axes: Axes, methods: list[Method], unit: str, values: list[float], left: bool = False) -> str:
    """Write the methods and a value of each in their colours where curves seldom go; the same as plain text."""
    names = [f"{_in_family(m)}  {unit} {value:.3f}" for m, value in zip(methods, values, strict=True)]
    x, align = (0.04, "left") if left else (0.97, "right")
    for place, (method, name) in enumerate(zip(reversed(methods), reversed(names), strict=True)):
        stroke = "╌" if method.is_teacher else "—"
        axes.text(x, 0.06 + 0.075 * place, f"{stroke} {name}", color=color_of(method), ha=align, size=8)
    return "; ".join(f"{method.title} {unit} {value:.3f}" for method, value in zip(methods, values, strict=True))
