"""Section on what each teacher gives a student: without one, with each, and with several together."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.reporting import recipes
from pipeline.reporting.cells import Table, capital, measured, points
from pipeline.reporting.drawing import plain
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, baseline
from pipeline.reporting.recipes import pretty
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import units

SHOWN = ("nme", "fr10", "auc10", "fr8", "auc8")


def ablation(material: Material) -> Section | None:
    """Students of one network by the teachers that they had, and their differences; None below two sets of teachers."""
    groups = [_members(material.shown, student) for student in dict.fromkeys(m.student for m in material.shown)]
    groups = [group for group in groups if sum(method.is_taught for method in group) > 1]
    if not groups:
        return None
    tables = [table for group in groups for table in (_reached(material, group), _gained(material, group))]
    slugs = [plain(group[0].student) for group in groups]
    return section(
        "Ablation: what each teacher gives",
        "Ablation",
        tables=tables,
        pairs=[
            (pretty(group[0].student) if len(groups) > 1 else "", f"ablation-{slug}", f"ablation-{slug}-gains")
            for group, slug in zip(groups, slugs, strict=True)
        ],
        several=any("+" in method.teacher for group in groups for method in group),
    )


def compared(group: list[Method]) -> list[tuple[Method, Method]]:
    """Which students are compared: each that was taught with the one that was not, and several teachers with fewer."""
    pairs = [(method, other) for other, method in combinations(group, 2) if method.is_taught]
    return [(method, other) for method, other in pairs if other.is_untaught or _names(other) < _names(method)]


def _members(methods: list[Method], student: str) -> list[Method]:
    """The students of a network: without a teacher, with each, with two, and so on."""
    taught = [method for method in methods if method.is_taught and method.student == student]
    alone = baseline(taught[0], methods) if taught else None
    return [*([alone] if alone else []), *sorted(taught, key=lambda method: len(_names(method)))]


def _names(method: Method) -> set[str]:
    """The teachers of a student."""
    return set(method.teacher.split("+"))


def _called(method: Method) -> str:
    """What a student was taught by."""
    return "no teacher" if method.is_untaught else pretty(method.teacher)


def _reached(material: Material, group: list[Method]) -> Table:
    """What each student reaches."""
    every, shown, numbers = described(material.task), [], []
    for method in group:
        line: dict[str, Any] = {"Teacher": capital(_called(method)), "Loss": recipes.level("loss", method.recipe.loss)}
        for name in SHOWN:
            estimate, spread = method.estimate(name), method.spread(name)
            line[every[name].title] = measured(every[name], estimate, spread)
            numbers.append(identity(method) | {"metric": name} | numbers_of(estimate) | {"seed_sd": spread})
        shown.append(line)
    caption = (
        f"The {pretty(group[0].student)} student by its teachers: test {material.task.samples}, percent with "
        f"{level(group)} intervals over {units(material.task)}, means over seeds ± their SD."
    )
    return Table(f"ablation-{plain(group[0].student)}", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _gained(material: Material, group: list[Method]) -> Table:
    """The differences between students, paired in every resample."""
    every, shown, numbers = described(material.task), [], []
    for method, other in compared(group):
        line: dict[str, Any] = {"Comparison": f"{capital(_called(method))} instead of {_called(other)}"}
        for name in SHOWN:
            estimate = bootstrap.interval(method.mean(name) - other.mean(name), method.confidence)
            line[every[name].title] = points(estimate, every[name])
            facts = {"student": method.student, "first": method.teacher, "second": other.teacher, "metric": name}
            numbers.append(facts | numbers_of(estimate))
        shown.append(line)
    errors = [every[name].title for name in SHOWN if every[name].lower_is_better]
    caption = (
        f"Differences in percentage points, {level(group)} intervals over {units(material.task)}, the same resamples "
        f"for both; not corrected for their number. Below 0 is better for {', '.join(errors)}; above 0 for the others."
    )
    return Table(f"ablation-{plain(group[0].student)}-gains", caption, pd.DataFrame(shown), pd.DataFrame(numbers))
