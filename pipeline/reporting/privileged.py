"""Privileged teachers, who read what their students do not: what that adds to them, and how much of it is passed on.

A privileged teacher stands beside its twin, the same network on what students read. Differences and shares are taken
inside every resample, of means over seeds; a share has a value only where the whole interval of its lead is above zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.distillation_gain import share
from pipeline.reporting.cells import SHARE, improvement
from pipeline.reporting.methods import Method, baseline, teacher_of
from pipeline.reporting.recipes import level, twin
from pipeline.reporting.units import MODALITIES, units

Rows = Mapping[str, np.ndarray]  # by metric, mean over seeds, shape (1 + replicates,)
Sides = tuple[str, str]  # roles of the members: the one minus the other
ADDED: Sides = ("teacher", "twin")


@dataclass(frozen=True)
class Passed:
    """A privileged teacher, its twin, their students and the student without a teacher, at one label budget.

    Parameters
    ----------
    taught : the student of the privileged teacher.
    teacher : that teacher.
    untaught : the student without a teacher that knows the same labels; None where it was not run.
    twin, twin_taught : the network of the teacher on what students read, and its student by the same recipe.
    """

    taught: Method
    teacher: Method
    untaught: Method | None
    twin: Method | None
    twin_taught: Method | None

    @property
    def members(self) -> dict[str, Method]:
        """Those that were run, in the order of the table."""
        every = {"untaught": self.untaught, "twin": self.twin, "twin_taught": self.twin_taught}
        every |= {"teacher": self.teacher, "taught": self.taught}
        return {role: method for role, method in every.items() if method is not None}

    @property
    def budget(self) -> str:
        """The labels that the students knew, in words; empty where those were all."""
        labelled = self.taught.recipe.labelled
        return f"{level('labelled', labelled)} {units(self.taught.task)}" if labelled else ""

    @cached_property
    def modality(self) -> str:
        """What the teacher reads and its student does not, in words."""
        return extra(self.teacher, self.taught)


@dataclass(frozen=True)
class Line:
    """One difference or share: its name in code and in words, what it is of, and its estimate by metric."""

    key: str
    name: str
    meaning: str
    is_share: bool
    estimates: Mapping[str, Estimate]


def extra(teacher: Method, student: Method) -> str:
    """The modalities that a teacher reads and a student does not, in words; empty where there are none."""
    more = [name for name in _reads(teacher) if name not in _reads(student)]
    return " and ".join(MODALITIES.get(name, name) for name in more)


def modalities(methods: list[Method]) -> str:
    """What some teacher reads and its students do not, in words; empty where there is no such teacher."""
    every = [extra(teacher, m) for m in methods if m.is_taught and (teacher := teacher_of(m, methods))]
    return max(every, default="")


def read_by(method: Method) -> list[str]:
    """The modalities that a network reads, in words."""
    return [MODALITIES.get(name, name) for name in _reads(method)]


def passed(methods: list[Method]) -> list[Passed]:
    """Every privileged teacher with each of its students and label budgets, budgets ascending.

    Of several recipes it is the one that the twin's student has as well, and of these the best on validation.
    """
    best: dict[tuple[str, str, float], Passed] = {}
    for method in methods:
        teacher = teacher_of(method, methods) if method.is_taught else None
        if teacher is None or not extra(teacher, method):
            continue
        name = twin(teacher.teacher, _reads(method))
        alike = [m for m in methods if m.teacher == name]
        recipe = method.recipe.without("teacher")
        one = Passed(
            taught=method,
            teacher=teacher,
            untaught=baseline(method, methods),
            twin=next((m for m in alike if m.is_teacher and not m.recipe.folds), None),
            twin_taught=next((m for m in alike if m.is_taught and m.recipe.without("teacher") == recipe), None),
        )
        key = (method.teacher, method.student, method.recipe.labelled)
        if key not in best or _rank(one) > _rank(best[key]):
            best[key] = one
    return sorted(best.values(), key=lambda one: (one.taught.teacher, one.taught.student, one.taught.labelled_subjects))


def lines(one: Passed, rows: Mapping[str, Rows]) -> list[Line]:
    """Every difference and share that the members allow.

    Parameters
    ----------
    rows : by role of a member its `Rows`.
    """
    better, alone, its_twin = f"the {one.teacher.kind}", "the student without a teacher", "its twin"
    added, lead, gain, instead = ADDED, ("teacher", "untaught"), ("taught", "untaught"), ("taught", "twin_taught")
    twin_lead = ("twin", "untaught")
    found = [
        _difference(one, rows, "added", f"{one.modality.capitalize()} in the teacher", added),
        _difference(one, rows, "lead", "Lead of the teacher", lead),
        _difference(one, rows, "gain", "Distillation from it", gain),
        _difference(one, rows, "twin_gain", "Distillation from its twin", ("twin_taught", "untaught")),
        _difference(one, rows, "instead", "It instead of its twin", instead),
        _share(one, rows, "share", "Share of the lead", gain, lead, (better, alone)),
        _share(one, rows, "share_of_twin", "Share of the twin’s lead", gain, twin_lead, (its_twin, alone)),
        _share(one, rows, "share_of_added", f"Share of what {one.modality} adds", instead, added, (better, its_twin)),
    ]
    return [line for line in found if line is not None]


def _difference(one: Passed, rows: Mapping[str, Rows], key: str, name: str, sides: Sides) -> Line | None:
    """What one member reaches minus what another does; None where one was not run."""
    if not {*sides} <= set(rows):
        return None
    (first, second), confidence = sides, one.taught.confidence
    estimates = {
        metric: bootstrap.interval(rows[first][metric] - rows[second][metric], confidence, "needs both")
        for metric in rows[first]
    }
    return Line(key, name, f"{one.members[first].kind} minus {one.members[second].kind}", False, estimates)


def _share(
    one: Passed, rows: Mapping[str, Rows], key: str, name: str, gain: Sides, lead: Sides, who: tuple[str, str]
) -> Line | None:
    """A gain as a share of a lead; None where a member was not run."""
    if not {*gain, *lead} <= set(rows):
        return None
    described = {one.taught.headline: one.taught.headline_metric}
    estimates = {
        metric: share(
            (sign := improvement(described.get(metric, SHARE))) * (rows[gain[0]][metric] - rows[gain[1]][metric]),
            sign * (rows[lead[0]][metric] - rows[lead[1]][metric]),
            one.taught.confidence,
            *who,
        )
        for metric in rows[gain[0]]
    }
    named = [f"{one.members[a].kind} minus {one.members[b].kind}" for a, b in (gain, lead)]
    return Line(key, name, " divided by ".join(f"({text})" for text in named), True, estimates)


def _rank(one: Passed) -> tuple:
    """Whether the twin's student can be compared, then what was reached on validation."""
    return one.twin_taught is not None, one.taught.merit


def _reads(method: Method) -> list[str]:
    """The modalities that a network reads."""
    return list(method.runs[0].card["inputs"])
