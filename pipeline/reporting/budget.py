"""The label budget: what a student reaches that knows few true labels, with a teacher's answers and without.

A curve is one recipe over the numbers of labelled subjects. What a teacher's answers are worth is read from the curve
of the student without a teacher: the number of labelled subjects with which it reaches as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import NO_TEACHER
from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.label_worth import worth
from pipeline.reporting import budget_figures as figures
from pipeline.reporting import effects
from pipeline.reporting.cells import (
    Cell,
    Table,
    amount,
    between,
    direction,
    improvement,
    in_points,
    joined,
    lowered,
    measured,
    points,
    signed,
    valued,
)
from pipeline.reporting.effects import TEACHING, Effect
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, baseline
from pipeline.reporting.recipes import pretty
from pipeline.reporting.tables import identity, level, numbers_of

STRATA = {"classify": "class", "multilabel": "class", "regress": "level"}  # by kind of task, what is kept in proportion


@dataclass(frozen=True)
class Budget:
    """A student of a teacher at one number of labelled subjects.

    Parameters
    ----------
    taught : the student.
    untaught : the student without a teacher that knows the same labels, if it was run.
    curve : students without a teacher, by ascending number of labelled subjects.
    """

    taught: Method
    untaught: Method | None
    curve: tuple[Method, ...]

    @property
    def subjects(self) -> float:
        """Subjects whose labels are known."""
        return self.taught.labelled_subjects

    @cached_property
    def gain(self) -> Effect | None:
        """What the teacher's answers change, not corrected; None without the student that has no teacher."""
        if self.untaught is None:
            return None
        return effects.effect(TEACHING, self.taught.teacher, NO_TEACHER, ((self.taught, self.untaught),))

    @cached_property
    def worth(self) -> Estimate | None:
        """The labelled subjects that reach as much alone, over new subjects and seeds; None without a curve."""
        if len(self.curve) < 2:
            return None
        members = (self.taught, *self.curve)
        shared = set.intersection(*(set(method.seeds) for method in members))
        reached, *alone = (effects.over(method, sorted(shared or method.seeds))[0] for method in members)
        subjects = np.array([method.labelled_subjects for method in self.curve])
        sign = improvement(self.taught.headline_metric)
        return bootstrap.interval(worth(sign * reached, subjects, sign * np.stack(alone)), self.taught.confidence)


def budgets(methods: list[Method]) -> list[Budget]:
    """Every teacher's student at every number of labelled subjects, ascending; none where all labels were known.

    Of several recipes of a teacher it is the one with most such numbers and, of these, the best on validation.
    """
    if not any(method.recipe.labelled for method in methods):
        return []
    found = []
    for members in _chosen([method for method in methods if method.is_taught]):
        for method in members:
            untaught = baseline(method, methods)
            same = untaught and untaught.recipe.without("labelled")
            curve = [m for m in methods if m.is_untaught and m.recipe.without("labelled") == same]
            found.append(Budget(method, untaught, tuple(_ascending(curve))))
    return found


def sentences(found: Iterable[Budget], against: bool = True) -> list[str]:
    """What each teacher's answers are worth, wherever a student without a teacher knew more labels, in words.

    Parameters
    ----------
    against : whether they say what the answers change.
    """
    told = [one for one in found if one.worth and one.subjects < one.curve[-1].labelled_subjects]
    return [" ".join([_worth(one), *([_gain(one.gain)] if against and one.gain else [])]) for one in told]


def in_brief(methods: list[Method]) -> str:
    """The sentences on the smallest number of labelled subjects; empty where there is no curve."""
    found = [one for one in budgets(methods) if one.worth]
    least = min((one.subjects for one in found), default=0)
    return " ".join(sentences((one for one in found if one.subjects == least), against=False))


def known_labels(material: Material) -> Section | None:
    """What true labels are worth; None where every student knew all of them."""
    methods = material.methods
    if not any(method.recipe.labelled for method in methods):
        return None
    found = budgets(methods)
    return section(
        "Label budget: what true labels are worth",
        "Label budget",
        "budget",
        tables=[table(methods, found)],
        figures=[figures.curves(lines, methods) for lines in _lines(methods, found)],
        sentences=sentences(found),
        numbers=joined([_count(n) for n in sorted({m.labelled_subjects for m in methods if not m.is_teacher})]),
        validation=material.validation_subjects,
        folds=len(material.runs[0].folds),
        curve=any(one.worth for one in found),
        teachers=",".join(dict.fromkeys([*(method.teacher for method in methods if method.is_teacher), NO_TEACHER])),
        strata=STRATA.get(material.task.kind, ""),
    )


def table(methods: list[Method], found: list[Budget]) -> Table:
    """Every student by the number of labelled subjects."""
    headline, metric = methods[0].headline, methods[0].headline_metric
    by_method, unit = {one.taught.recipe: one for one in found}, in_points(metric, ", points")
    shown, numbers = [], []
    for method in sorted(_compared(methods, found), key=lambda m: (m.student, m.labelled_subjects, m.is_taught)):
        one, estimate = by_method.get(method.recipe), method.estimate(headline)
        gain, alone = (one.gain, one.worth) if one else (None, None)
        every = " (all)" * (not method.recipe.labelled)
        shown.append(
            {"Labelled subjects": f"{_count(method.labelled_subjects)}{every}", "Student": method.kind}
            | {metric.title: measured(metric, estimate, method.spread(headline))}
            | {f"Instead of no teacher{unit}": points(gain.estimate, metric) if gain else Cell("—")}
            | {"Labelled subjects that reach it alone": _cell(one) if alone else Cell("—")}
        )
        line = identity(method) | {"labelled_subjects": method.labelled_subjects, "metric": headline}
        line |= numbers_of(estimate) | {"seed_sd": method.spread(headline)}
        line |= _prefixed("gain", gain.estimate if gain else None) | _prefixed("worth", alone)
        numbers.append(line)
    caption = (
        f"{metric.title}{direction(metric)} on test {methods[0].task.samples} by the number of training subjects whose "
        f"true labels the student knew, with {level(methods)} intervals over subjects, means over seeds ± their SD. "
        "Differences and numbers of subjects: intervals over subjects and seeds, not corrected."
    )
    recipes = {one.taught.recipe.without("labelled") for one in found}
    if len({m.recipe.without("labelled") for m in methods if m.is_taught}) > len(recipes):
        caption += " Of each teacher’s recipes, the one that did best on validation subjects."
    return Table("budget", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _lines(methods: list[Method], found: list[Budget]) -> list[list[list[Method]]]:
    """For each student the curves to be drawn, without a teacher first; none of a single point."""
    compared = _compared(methods, found)
    drawn = []
    for student in dict.fromkeys(method.student for method in compared):
        lines: dict[Any, list[Method]] = {}
        for method in sorted(compared, key=lambda m: (m.is_taught, m.teacher)):
            if method.student == student:
                lines.setdefault(method.recipe.without("labelled"), []).append(method)
        several = [_ascending(members) for members in lines.values() if len(members) > 1]
        drawn += [several] if several else []
    return drawn


def _compared(methods: list[Method], found: list[Budget]) -> list[Method]:
    """The students of the section: each teacher's chosen recipe, and those without a teacher."""
    taught = {one.taught.recipe for one in found}
    return [m for m in methods if m.recipe in taught or m.is_untaught]


def _chosen(taught: list[Method]) -> list[list[Method]]:
    """Of each student and teacher one recipe at all its numbers of labelled subjects."""
    groups: dict[Any, list[Method]] = {}
    for method in taught:
        groups.setdefault(method.recipe.without("labelled"), []).append(method)
    best: dict[tuple[str, str], list[Method]] = {}
    for members in groups.values():
        key = (members[0].student, members[0].teacher)
        if key not in best or _rank(members) > _rank(best[key]):
            best[key] = members
    return [_ascending(members) for members in best.values()]


def _rank(members: list[Method]) -> tuple[int, tuple[float, ...]]:
    """Numbers of labelled subjects, then the mean of what was reached on validation."""
    return len(members), tuple(np.mean([method.merit for method in members], axis=0))


def _ascending(methods: Iterable[Method]) -> list[Method]:
    return sorted(methods, key=lambda m: (m.labelled_subjects, not m.recipe.labelled))


def _worth(one: Budget) -> str:
    """What a teacher's answers are worth beside some labels."""
    method, metric, reached = one.taught, one.taught.headline_metric, one.taught.estimate(one.taught.headline).value
    return (
        f"With {_count(one.subjects)} labelled subjects and the {pretty(method.teacher)} teacher’s answers the "
        f"{pretty(method.student)} student reaches {valued(metric, reached)} {lowered(metric.title)}, "
        f"{_in_words(one)}."
    )


def _gain(e: Effect) -> str:
    """What the answers change where the same labels are known."""
    estimate = e.estimate
    metric = e.metric
    interval = "no interval" if math.isnan(estimate.low) else between(estimate, metric)
    chance = "" if estimate.excludes_zero else ", which may be chance"
    if metric.lower_is_better:
        side = "lower, which is better" if e.gains else "higher, which is worse"
        change = f"{amount(metric, abs(estimate.value))} {side}"
    else:
        change = f"{signed(estimate.value, metric)}{in_points(metric, ' points')}"
    return f"Against the same labels without a teacher that is {change} ({interval}{chance})."


def _in_words(one: Budget) -> str:
    """``what 37 subjects’ labels give alone (95% interval 18 to more than all 168)``."""
    value, low, high = one.worth.value, one.worth.low, one.worth.high
    if math.isnan(value):
        return "which has no equal without a teacher"
    if value == 0:
        text = f"less than {_count(one.curve[0].labelled_subjects)} subjects’ labels give alone"
    elif math.isinf(value):
        text = f"{_bound(value, one)} subjects’ labels give alone"
    else:
        text = f"what {_count(value)} subjects’ labels give alone"
    if math.isnan(low):
        return f"{text} (no interval)"
    ends = f"{_bound(low, one)} to {_bound(high, one)}"
    ends = _bound(low, one) if low == high and (low == 0 or math.isinf(low)) else ends
    ends += ", so these data cannot tell" if low == 0 and math.isinf(high) else ""
    return f"{text} ({100 * one.taught.confidence:g}% interval {ends})"


def _bound(value: float, one: Budget) -> str:
    """A number of subjects, which may lie before or beyond the curve."""
    most = one.curve[-1]
    if value == 0:
        return f"fewer than {_count(one.curve[0].labelled_subjects)}"
    if math.isinf(value):
        return f"more than {'' if most.recipe.labelled else 'all '}{_count(most.labelled_subjects)}"
    return _count(value)


def _cell(one: Budget) -> Cell:
    """The worth in a table."""
    if math.isnan(one.worth.value):
        return Cell("—")
    interval = "" if math.isnan(one.worth.low) else f"{_bound(one.worth.low, one)} to {_bound(one.worth.high, one)}"
    return Cell(_bound(one.worth.value, one), interval)


def _prefixed(name: str, estimate: Estimate | None) -> dict[str, float]:
    """Columns of an estimate that there may not be."""
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (math.nan,) * 3
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _count(subjects: float) -> str:
    return f"{subjects:.0f}"
