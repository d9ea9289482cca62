"""Section of tasks whose classes are levels: does what is said rise with what is true, what would guessing reach?"""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import classify
from pipeline.evaluation.metrics.weighted import ratio
from pipeline.reporting.cells import Cell, Table, figure, number, percent, words
from pipeline.reporting.drawing import MUTED, RULE, STYLE, Picture, picture
from pipeline.reporting.figures import color_of
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, outcomes
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of

MEASURED = ("balanced_accuracy", "accuracy", "mae", "rmse", "quadratic_kappa")


def levels(material: Material) -> Section | None:
    """Levels said and true, and what guessing reaches; None where classes are no levels or there are two."""
    task = material.task
    if not task.ordered or len(task.outputs) < 3:
        return None
    rising = {method.title: _said(method, material.weights) for method in material.shown}
    return section(
        "Levels: said and true",
        "Levels",
        tables=[_levels(material, rising), _guesses(material)],
        figures=[_figure(material, rising)],
        first=words(task.outputs[0]),
        last=words(task.outputs[-1]),
    )


def _said(method: Method, weights: np.ndarray) -> list[Estimate]:
    """For every true level the mean of the levels said, counted from 0, with its interval over subjects."""
    runs = outcomes(method)
    truth = runs[0].label
    means = []
    for place in range(len(method.task.outputs)):
        inside = truth == place
        each = [ratio(weights @ (run.predicted * inside), weights @ inside.astype(float)) for run in runs]
        means.append(bootstrap.interval(np.mean(each, axis=0), method.confidence, "needs samples of the level"))
    return means


def _levels(material: Material, rising: dict[str, list[Estimate]]) -> Table:
    """A row for every method: the mean level said at each true one."""
    task = material.task
    shown, numbers = [], []
    for method in material.shown:
        estimates = dict(zip(task.outputs, rising[method.title], strict=True))
        shown.append({"Model": method.title} | {f"at {words(name)}": figure(e) for name, e in estimates.items()})
        numbers += [identity(method) | {"level": name} | numbers_of(e) for name, e in estimates.items()]
    caption = (
        f"Mean of the levels said, counted from 0 for {words(task.outputs[0])}, at every true level; "
        f"{level(material.shown)} intervals over subjects. A model that knows nothing says the same everywhere."
    )
    return Table("levels", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _guesses(material: Material) -> Table:
    """What is reached on these test samples without looking at them, and by the model that did best on validation."""
    task, one = material.task, outcomes(material.favourite)[0]
    every, classes, samples = described(task), len(task.outputs), len(one.label)
    constant = [replace(one, predicted=np.full(samples, place)) for place in range(classes)]
    told = [_measured(guess) for guess in constant]
    least = min(range(classes), key=lambda place: told[place]["mae"])
    anything = replace(
        one,
        label=np.repeat(one.label, classes),
        predicted=np.tile(np.arange(classes), samples),
        probabilities=np.repeat(one.probabilities, classes, axis=0),
        hard_negative=None,
        teacher_predicted=None,
    )
    lines = {"Any level, equally often": _measured(anything), f"Always {words(task.outputs[least])}": told[least]}
    shown = [
        {"Guess": name} | {every[m].title: _cell(every[m].percent, value) for m, value in values.items()}
        for name, values in lines.items()
    ]
    best = material.favourite
    estimates = {m: best.estimate(m) for m in MEASURED}
    shown.append(
        {"Guess": best.title}
        | {every[m].title: (percent if every[m].percent else figure)(e) for m, e in estimates.items()}
    )
    numbers = [{"guess": name, "metric": m, "value": v} for name, values in lines.items() for m, v in values.items()]
    numbers += [{"guess": best.title, "metric": m, "value": e.value} for m, e in estimates.items()]
    caption = (
        f"What guessing reaches on the same test {task.samples}: any level equally often, and the one level that is "
        "nearest to all; below, the model that did best on validation."
    )
    return Table("guesses", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _measured(guess: classify.Outcome) -> dict[str, float]:
    values = classify.compute(guess, np.ones((1, len(guess.label))), MEASURED)
    return {name: float(value[0]) for name, value in values.items()}


def _cell(is_share: bool, value: float) -> Cell:
    return Cell("—") if np.isnan(value) else Cell(f"{100 * value:.1f}" if is_share else number(value))


@matplotlib.rc_context(STYLE)
def _figure(material: Material, rising: dict[str, list[Estimate]]) -> Picture:
    """The mean level said over the true one, a line a method with its intervals."""
    names = [words(name) for name in material.task.outputs]
    drawn, places = Figure(figsize=(4.4, 2.9 + 0.17 * len(material.shown))), np.arange(len(names))
    axes = drawn.subplots()
    axes.plot(places, places, color=RULE, lw=0.8)
    axes.axhline(places.mean(), color=RULE, lw=0.8, ls=(0, (2, 2)))
    spread = 0.3 / max(len(material.shown), 1)
    for turn, method in enumerate(material.shown):
        estimates, color = rising[method.title], color_of(method)
        beside = places + spread * (turn - (len(material.shown) - 1) / 2)
        axes.plot(
            beside, [e.value for e in estimates], color=color, lw=1.2, ls=(0, (4, 2)) if method.is_teacher else "-"
        )
        axes.vlines(beside, [e.low for e in estimates], [e.high for e in estimates], color=color, lw=1)
        below = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(method.title, (0, 0), (0, -44 - 12 * turn), color=color, size=8, **below)
    axes.text(places[-1], places[-1] + 0.08, "as it is", color=MUTED, size=8, ha="right", va="bottom")
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set(xlabel="True level", ylabel="Mean of the levels said", ylim=(-0.2, places[-1] + 0.35))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    spoken = "; ".join(f"{m.title} {', '.join(number(e.value) for e in rising[m.title])}" for m in material.shown)
    return picture(drawn, "levels", f"Mean level said at each true level: {spoken}")
