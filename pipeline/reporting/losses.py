"""What a student learns of one teacher by different losses: teacher, student alone, and each loss, in one table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.config import NO_TEACHER
from pipeline.reporting import recipes
from pipeline.reporting.cells import Table, direction, in_points, lowered, measured, points
from pipeline.reporting.drawing import plain
from pipeline.reporting.effects import TEACHING, effect
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, baseline, teacher_of
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.tasks.objective import BASELINE, REQUIRED_TARGETS, parse

# Beside the headline, those that the task has.
SHOWN = ("accuracy", "macro_f1", "f1", "exact_match", "hamming_loss", "roc_auc")
SHOWN += ("kappa", "quadratic_kappa", "mae", "rmse", "icc", "nme_pupil", "nme_box", "fr10", "auc10")
CALLED = {"soft": "KD", "hint": "regressor", "hard": "hard labels", "kd": "KD-Loss"}  # as the field calls them
CALLED |= {"smooth_l1": "smooth L1", "ccc": "1 − CCC", "wing": "wing", "main": "main loss", "assistive": "ALoss"}
TAKEN = {
    "soft": "the softened answers (KD)",
    "cosine": "the direction of the pooled features (cosine)",
    "hint": "the feature map through a regressor",
    "features": "the pooled features through a projection (features)",
    "relation": "how far samples lie apart in those features (relation)",
}
TAKEN_OF_NUMBERS = TAKEN | {"soft": "the number that it gives (KD)"}
TAKEN_OF_POINTS = TAKEN | {
    "soft": "the points that it gives (KD)",
    "main": "how wrong it is, which says where errors weigh more (main loss)",
    "assistive": "its points on the side of the student’s error, to be drawn to or pushed off (ALoss)",
    "kd": "both of these, of a tough and of a tolerant teacher (KD-Loss)",
}
# By kind of task, what losses take of a teacher, in words, and whether they soften answers with a temperature.
LEARNED = {
    "classify": (TAKEN, True),
    "multilabel": (TAKEN, True),
    "regress": (TAKEN_OF_NUMBERS, False),
    "points": (TAKEN_OF_POINTS, False),
}


def losses(material: Material) -> Section | None:
    """The losses that were compared, teacher by teacher; None where there is one."""
    groups = list(_groups(material.methods))
    if not groups:
        return None
    names = [plain(f"losses-{group[0].student}-{group[0].teacher}") for group in groups]
    numbered = [
        f"{name}-{names[:place].count(name) + 1}" * (names.count(name) > 1) or name for place, name in enumerate(names)
    ]
    tables = [_table(name, group, material.methods) for name, group in zip(numbered, groups, strict=True)]
    temperature = {method.runs[0].model.config["temperature"] for group in groups for method in group}
    taken, softened = LEARNED[material.task.kind]
    return section(
        "Losses side by side",
        "Losses",
        tables=tables,
        taken=", ".join(dict.fromkeys(taken[name] for name in taken if name in _terms(groups))),
        temperature=" or ".join(f"{value:g}" for value in sorted(temperature)) if softened else "",
    )


def _groups(methods: list[Method]) -> Iterator[list[Method]]:
    """Students that differ in their loss alone, where there are several, in the order of the losses."""
    alike: dict[recipes.Recipe, list[Method]] = {}
    for method in methods:
        if method.is_taught:
            alike.setdefault(method.recipe.without("loss"), []).append(method)
    for group in alike.values():
        if len(group) > 1:
            yield sorted(group, key=_order)


def _terms(groups: list[list[Method]]) -> set[str]:
    """The terms of all losses."""
    return {term.name for group in groups for method in group for term in parse(method.recipe.loss)}


def _order(method: Method) -> list[tuple[bool, int]]:
    """The place of a loss: by what it takes of the teacher."""
    names = [term.name for term in parse(method.recipe.loss)]
    return sorted((name == BASELINE, list(REQUIRED_TARGETS).index(name)) for name in names)


def called(loss: str) -> str:
    """A loss as the field calls it, the true label left out: ``KD``, ``cosine``, ``regressor``."""
    names = [term.name for term in parse(loss) if term.name != BASELINE]
    return " + ".join(dict.fromkeys(CALLED.get(name, name) for name in names))


def _table(name: str, group: list[Method], methods: list[Method]) -> Table:
    """Teacher, student alone, and the student by each loss."""
    first, every, metric = group[0], described(group[0].task), group[0].headline_metric
    teacher, alone = teacher_of(first, methods), baseline(first, methods)
    lines = [(f"{recipes.pretty(first.teacher)} teacher", teacher), (f"{recipes.pretty(first.student)} alone", alone)]
    lines += [(f"+ {called(method.recipe.loss)}", method) for method in group]
    chosen = [metric for metric in dict.fromkeys((first.headline, *SHOWN)) if metric in every]
    shown, numbers = [], []
    for title, method in lines:
        if method is None:
            continue
        loss = recipes.level("loss", BASELINE if method.is_teacher else method.recipe.loss)
        against = _against(method, alone) if method in group else None
        values = {every[m].title: measured(every[m], method.estimate(m), method.spread(m)) for m in chosen}
        last = points(against, metric) if against else "—"
        shown.append({"Model": title, "Loss": loss, **values, "Against alone": last})
        difference = numbers_of(against) if against else dict.fromkeys(("value", "low", "high", "undefined"), np.nan)
        against_alone = {f"{key}_against_alone": value for key, value in difference.items()}
        numbers += [
            identity(method)
            | {"metric": m}
            | numbers_of(method.estimate(m))
            | {"seed_sd": method.spread(m)}
            | against_alone
            for m in chosen
        ]
    details = "".join(f", {detail}" for detail in first.details if detail != recipes.level("loss", first.recipe.loss))
    caption = (
        f"{first.kind}{details}: test {first.task.samples}, {level(group)} intervals over subjects, students as means "
        f"over seeds ± their SD. Against alone: difference of {lowered(metric.title)}{direction(metric)} to the "
        f"student without a teacher{in_points(metric, ', in percentage points')}, over subjects and seeds; not "
        "corrected for the number of losses."
    )
    caption += first.in_one_list(chosen)
    return Table(name, caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _against(method: Method, alone: Method | None):
    """What a loss adds to the student without a teacher; None where there is none."""
    return effect(TEACHING, method.teacher, NO_TEACHER, ((method, alone),)).estimate if alone else None
