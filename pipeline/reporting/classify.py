"""Sections of tasks that choose one class."""

from __future__ import annotations

from pipeline.reporting import classify_figures as figures
from pipeline.reporting import curves as drawing
from pipeline.reporting import folds, people, pictures, quality, tables
from pipeline.reporting.cells import words
from pipeline.reporting.common import unnamed
from pipeline.reporting.families import families
from pipeline.reporting.figures import trained
from pipeline.reporting.figures import training as learning
from pipeline.reporting.material import Material, Section, section

HALVES = ("#left", "#right")  # of a picture, as sample_ids name them
LOSS_ROOM = 1.05  # of the largest loss, so that no curve touches the edge


def classes(material: Material) -> Section | None:
    """Precision, recall and F1 of each class; None for two, of which the comparison speaks already."""
    if len(material.task.outputs) == 2:
        return None
    table = tables.per_class(material.shown, material.favourite, material.weights)
    return section("Class by class", "Classes", tables=[table], method=material.favourite.phrase)


def calibration(material: Material) -> Section:
    """Whether probabilities mean what they say."""
    task = material.task
    if len(task.outputs) == 2:
        positive = words(material.positive)
        question = f"{task.samples} given a probability of {positive} of 0.8, eight in ten are of that class."
    else:
        question = f"{task.samples} whose class is given a probability of 0.8, eight in ten are of that class."
    return section(
        "Calibration",
        "Calibration",
        tables=[quality.calibrated(material.shown, material.weights)],
        figures=[figures.reliability(family, title) for title, family in families(material.shown).items()],
        question=question,
        explained=quality.calibration_figures(task).values(),
    )


def data(material: Material) -> Section:
    """What there is in each part of the split, and who is in it."""
    everyone, task = material.everyone, material.task
    hard = people.hard_negatives(everyone, task).any()
    return section(
        "Data and split",
        "Data",
        tables=[people.data(everyone, task) if material.folds == 1 else folds.data(material), people.people(everyone)],
        paired=bool(everyone["sample_id"].str.endswith(HALVES).any()),
        unnamed=unnamed(everyone),
        hard=words(task.hard_negatives) if hard else "",
        positive=words(material.positive),
    )


def training(material: Material) -> Section:
    """Loss and headline metric by epoch."""
    shown, chance = material.shown, 100 / len(material.task.outputs)
    losses = [one.history[["train_loss", "val_loss"]].max().max() for method in shown for one in trained(method)]
    drawn = [learning(method, LOSS_ROOM * max(losses), least=0.9 * chance) for method in shown]
    networks = max(len(method.runs) * method.folds for method in shown)
    most = max(len(trained(method)) for method in shown)
    return section("Training curves", "Training", figures=drawn, networks=networks, drawn=most)


def curves(material: Material) -> Section:
    """ROC and precision–recall curves: of two classes by family, of more one for each class."""
    title, link = "ROC and precision–recall curves", "Curves"
    if len(material.task.outputs) == 2:
        named = families(material.shown).items()
        drawn = [draw(group, name) for draw in (drawing.roc, drawing.precision_recall) for name, group in named]
        legend = (
            "Dashed: the teacher. Solid: its students, one line per seed. Grey: the same student without a teacher."
        )
        return section(title, link, figures=drawn, legend=legend, grid="four")
    students = [method for method in material.shown if method.is_taught] or [material.favourite]
    drawn = [draw(method) for method in students for draw in (drawing.class_roc, drawing.class_precision_recall)]
    legend = "A colour for each class against all others, one line per seed, with the mean over seeds of its area."
    return section(title, link, figures=drawn, legend=legend, grid="large")


def confusion(material: Material) -> Section:
    """Which classes are taken for which."""
    drawn = [figures.confusion(method) for method in material.shown]
    grid = "many" if len(material.task.outputs) == 2 else "large"
    return section("Confusion matrices", "Confusion", figures=drawn, grid=grid)


def examples(material: Material) -> Section:
    """Samples right and wrong of the method that did best on validation."""
    wrong, right = pictures.examples(material)
    task, two = material.task, len(material.task.outputs) == 2
    samples = task.samples.capitalize()
    return section(
        f"{samples}, right and wrong",
        samples,
        "examples",
        method=material.favourite.phrase,
        probability=f"the probability of {words(material.positive)}" if two else "the class and its probability",
        wrong=wrong,
        right=right,
    )
