"""Sections of tasks that ask for several labels of each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.reporting import curves as drawing
from pipeline.reporting import folds, frames, overlaid, people
from pipeline.reporting.cells import Cell, Table, capital, measured, words
from pipeline.reporting.families import families
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import per_output
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import grouped, units
from pipeline.tasks import Task

OF_A_LABEL = ("f1", "precision", "recall", "roc_auc")  # on the page; the CSV file has all


def told_order(task: Task) -> list[int]:
    """The numbers of the labels, the one that is told first in front."""
    return sorted(range(len(task.outputs)), key=lambda number: number != task.positive_output)


def by_label(material: Material) -> Section:
    """Every label by itself, the hardest to see first."""
    values = {method.title: per_output(method, material.weights) for method in material.shown}
    tables = [_label(material, values, number) for number in told_order(material.task)]
    return section("Label by label", "Labels one by one", "by-label", tables=tables)


def data(material: Material) -> Section:
    """What there is in each part of the split, and how samples were grouped."""
    everyone, task = material.everyone, material.task
    return section(
        "Data and split",
        "Data",
        "frames",
        tables=[people.data(everyone, task) if material.folds == 1 else folds.data(material), people.people(everyone)],
        grouping=grouped(material.samples.summary.get("grouping", {}), task),
        reads={
            "teachers": frames.modalities(task.teacher_inputs),
            "students": frames.modalities(task.student_inputs),
        },
    )


def training(material: Material) -> Section:
    """Loss and headline metric by epoch, teacher and students in one figure."""
    drawn = [overlaid.training(group, title) for title, group in families(material.shown).items()]
    networks = max(len(method.runs) * method.folds for method in material.shown)
    return section("Training curves", "Training", "overlaid", figures=drawn, networks=networks)


def curves(material: Material) -> Section:
    """ROC and precision–recall curves of every label by family."""
    task = material.task
    drawn = [
        draw(group, f"{capital(words(task.outputs[number]))}, {title}", number)
        for number in told_order(task)
        for draw in (drawing.roc, drawing.precision_recall)
        for title, group in families(material.shown).items()
    ]
    legend = "Dashed: the teacher. Solid: its students, one line per seed. Grey: the same student without a teacher."
    return section("ROC and precision–recall curves", "Curves", figures=drawn, legend=legend, grid="four")


def examples(material: Material) -> Section:
    """Frames right and wrong of the method that did best on validation, in all that any network reads of them."""
    wrong, right = frames.examples(material)
    samples = material.task.samples.capitalize()
    return section(
        f"{samples}, right and wrong",
        samples,
        "frame-examples",
        method=material.favourite.phrase,
        modalities=frames.modalities(material.task.teacher_inputs),
        privileged=frames.modalities(
            tuple(name for name in material.task.teacher_inputs if name not in material.task.student_inputs)
        ),
        wrong=wrong,
        right=right,
    )


def _label(material: Material, values: dict[str, dict[str, np.ndarray]], number: int) -> Table:
    """Every shown method on one label, and what is reached by calling it on every sample."""
    task, name = material.task, material.task.outputs[number]
    every = METRICS[task.kind].per_output_metrics(Question.of(task))
    truth = METRICS[task.kind].truths(material.favourite.samples, Question.of(task))[name]
    shown, numbers = [], []
    for method in material.shown:
        line: dict[str, Any] = {"Model": method.title}
        for metric, meaning in ((name, every[name]) for name in dict.fromkeys((*OF_A_LABEL, *every))):
            one = values[method.title][metric][:, :, number]
            estimate = bootstrap.interval(bootstrap.over_seeds(one), method.confidence, meaning.undefined)
            spread = bootstrap.seed_spread(one)
            if metric in OF_A_LABEL:
                line[meaning.title] = measured(meaning, estimate, spread)
            facts = {"label": name, "support": int(truth.sum()), "metric": metric}
            numbers.append(identity(method) | facts | numbers_of(estimate) | {"seed_sd": spread})
        shown.append(line)
    shown.append({"Model": f"Called on every {task.sample}"} | _always(truth))
    caption = (
        f"{capital(words(name))}: on {int(truth.sum())} of {len(truth)} test {task.samples}; percent with "
        f"{level(material.shown)} intervals over {units(task)}, students as means over seeds ± their SD. Called above "
        "a probability of one half. Last row: what is reached without looking."
    )
    caption += material.favourite.in_one_list(OF_A_LABEL)
    return Table(f"label-{name}", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _always(truth: np.ndarray) -> dict[str, Cell]:
    """What a label that is called on every sample reaches."""
    share = float(truth.mean())
    reached = {"F1": 2 * share / (1 + share), "Precision": share, "Recall": 1.0, "ROC-AUC": 0.5}
    return {title: Cell(f"{100 * value:.1f}") for title, value in reached.items()}
