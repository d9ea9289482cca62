"""Sections of tasks that choose one class."""

from __future__ import annotations

from pipeline.config import NO_TEACHER
from pipeline.evaluation import calibration as reliability
from pipeline.reporting import classify_figures as figures
from pipeline.reporting import people, pictures, quality, tables
from pipeline.reporting.cells import words
from pipeline.reporting.common import unnamed
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method
from pipeline.reporting.recipes import pretty

EXPLAINED = ("ece", "brier", "slope", "intercept")
LOSS_ROOM = 1.05  # of the largest loss, so that no curve touches the edge


def classes(material: Material) -> Section | None:
    """Precision, recall and F1 of each class; None for two, of which the comparison speaks already."""
    if len(material.task.outputs) == 2:
        return None
    table = tables.per_class(material.shown, material.favourite)
    return section("Class by class", "Classes", tables=[table], method=material.favourite.phrase)


def calibration(material: Material) -> Section:
    """Whether probabilities mean what they say."""
    task = material.task
    two = len(task.outputs) == 2
    question = (
        f"of the {task.samples} that are given a probability of {words(material.positive)} of 0.8, eight in ten are so."
        if two
        else f"of the {task.samples} whose class is given a probability of 0.8, eight in ten are of that class."
    )
    figures_of = reliability.named(task)
    return section(
        "Calibration",
        "Calibration",
        tables=[quality.calibrated(material.shown, material.weights)],
        figures=[figures.reliability(family, title) for title, family in families(material.shown).items()],
        question=question,
        figures_named=[],
        figures=[],
    )


def families(methods: list[Method]) -> dict[str, list[Method]]:
    """By title: a teacher, one of its students, and that student without a teacher."""
    found: dict[str, list[Method]] = {}
    students = list(dict.fromkeys(m.student for m in methods if not m.is_teacher))
    for teacher in dict.fromkeys(m.teacher for m in methods if not m.is_untaught):
        for student in students or [""]:
            title = f"{pretty(student)} ← {pretty(teacher)}" if len(students) > 1 else pretty(teacher)
            found[title] = [m for m in methods if m.teacher in (teacher, NO_TEACHER) and m.student in ("", student)]
    return found
