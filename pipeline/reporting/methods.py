"""Models brought together for comparison: runs that differ by their seed alone are one method."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import NO_TEACHER
from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import RANKINGS, Metric
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import improvement, joined
from pipeline.reporting.recipes import Recipe, parts, pretty, varying
from pipeline.reporting.runs import Run, described, held_out
from pipeline.reporting.units import who
from pipeline.tasks import Task

# By kind of task, the columns of a predictions table whose mean over seeds is an answer, and what that mean favours.
ANSWERED: dict[str, Callable[[Task], list[str]]] = {
    "classify": lambda task: [f"prob_{name}" for name in task.outputs],
    "multilabel": lambda task: [f"prob_{name}" for name in task.outputs],
    "regress": lambda task: [f"value_{name}" for name in task.numbers],
    "points": lambda task: [f"value_{name}" for name in task.numbers],
}
FAVOURED: dict[str, Callable[[np.ndarray, Question], dict[str, np.ndarray]]] = {
    "classify": METRICS["classify"].called,
    "multilabel": METRICS["multilabel"].called,
    "regress": lambda answers, question: {},
    "points": lambda answers, question: {},
}


@dataclass(frozen=True)
class Method:
    """One recipe, in as many seeds as were run.

    Parameters
    ----------
    values : per metric, shape (runs, 1 + replicates): the value on the test samples, then on every resample.
    cost : of its network, measured on whichever run had the quietest machine.
    color : position in the palette; a teacher and its students share it.
    details : what sets the recipe apart from the others that are compared, in words.
    """

    recipe: Recipe
    runs: tuple[Run, ...]
    values: Mapping[str, np.ndarray]
    cost: Mapping[str, Any]
    color: int
    confidence: float
    details: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """What all models were asked."""
        return self.runs[0].task

    @property
    def headline(self) -> str:
        """Name of the metric that compares models."""
        return self.task.headline

    @property
    def headline_metric(self) -> Metric:
        """How that metric is called and explained."""
        return described(self.task)[self.headline]

    @property
    def is_teacher(self) -> bool:
        """Whether the models were trained to teach."""
        return not self.recipe.student

    @property
    def is_taught(self) -> bool:
        """Whether the models are students of a teacher."""
        return bool(self.recipe.student) and self.recipe.teacher != NO_TEACHER

    @property
    def is_untaught(self) -> bool:
        """Whether the models are students without a teacher."""
        return self.recipe.teacher == NO_TEACHER

    @property
    def teacher(self) -> str:
        """The teacher's name as the command line takes it; ``none`` for the baseline."""
        return self.recipe.teacher

    @property
    def student(self) -> str:
        """The student's name as the command line takes it; empty for a teacher."""
        return self.recipe.student

    @property
    def title(self) -> str:
        """A short name for tables and figures, which no other compared method has."""
        return ", ".join((self.kind, *self.details))

    @property
    def kind(self) -> str:
        """Student and teacher, the rest of the recipe left out."""
        if self.is_teacher:
            return f"{pretty(self.teacher)} teacher"
        if self.is_untaught:
            return f"{pretty(self.student)}, no teacher"
        return f"{pretty(self.student)} ← {pretty(self.teacher)}"

    @property
    def phrase(self) -> str:
        """The name in a sentence."""
        details = f" ({', '.join(self.details)})" if self.details else ""
        if self.is_teacher:
            return f"the {self.kind}{details}"
        taught = "without a teacher" if self.is_untaught else f"of the {pretty(self.teacher)} teacher"
        return f"the {pretty(self.student)} student {taught}{details}"

    @property
    def labelled_subjects(self) -> float:
        """Training subjects whose true labels the students knew, mean over runs; NaN for a teacher."""
        return float(np.mean([run.labelled_subjects for run in self.runs]))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, ascending."""
        return tuple(run.seed for run in self.runs)

    @cached_property
    def subjects(self) -> int:
        """How many people it was tested on."""
        return held_out(self.runs[0].predictions)["subject_id"].nunique()

    @property
    def folds(self) -> int:
        """How many networks a run has: one for each outer fold."""
        return len(self.runs[0].folds)

    @property
    def tested_on(self) -> str:
        """Whom the test samples show, in a sentence."""
        if self.runs[0].leaks:
            return f"held-out {self.task.samples} of {who(self.task)} whose other {self.task.samples} were learned from"
        return "held-out subjects"

    def in_one_list(self, names: Iterable[str]) -> str:
        """What to say beside metrics of which some rank samples, where several networks give the scores; else empty."""
        ranking = [described(self.task)[name].title for name in names if name in RANKINGS]
        if self.folds == 1 or not ranking:
            return ""
        return (
            f" {joined(ranking)}: the scores of {self.folds} networks, one for each fold, ranked in one list, as if "
            "they were on one scale; figures of single networks are in tables/folds.csv."
        )

    @property
    def architecture(self) -> str:
        """The exact network: timm's name and, where they are not its own, the constructor's options."""
        architecture = self.runs[0].model.config["architecture"]
        options = ", ".join(f"{name}={_digits(value)}" for name, value in architecture["options"])
        return f"{architecture['name']} with {options}" if options else architecture["name"]

    @property
    def weights(self) -> str:
        """Where the network's first weights came from."""
        architecture = self.runs[0].model.config["architecture"]
        if architecture["weights"] == "shipped" and architecture["label"]:
            return f"shipped: {architecture['label']}"
        return str(self.runs[0].card.get("weights", architecture["weights"]))

    def mean(self, metric: str) -> np.ndarray:
        """A metric averaged over seeds, on the test samples and on every resample, shape (1 + replicates,)."""
        return bootstrap.over_seeds(self.values[metric])

    def estimate(self, metric: str) -> bootstrap.Estimate:
        """A metric's mean over seeds with its interval over subjects."""
        return bootstrap.interval(self.mean(metric), self.confidence, described(self.task)[metric].undefined)

    def spread(self, metric: str) -> float:
        """Standard deviation of a metric over seeds; NaN for one seed."""
        return bootstrap.seed_spread(self.values[metric])

    @cached_property
    def validation(self) -> tuple[float, float]:
        """Headline metric and minus the loss on validation subjects at the best epochs, means over seeds.

        With several outer folds the metric is that of all their validation parts together: every subject is in one.
        """
        reached = float(np.mean([run.reached for run in self.runs]))
        return reached, -float(np.mean([run.loss for run in self.runs]))

    @property
    def merit(self) -> tuple[float, float]:
        """How good it is on validation subjects, more for the better: `validation`, an error with its sign turned."""
        reached, loss = self.validation
        return improvement(self.headline_metric) * reached, loss

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The test samples with the mean over seeds of what was answered of every output, and what it favours."""
        frames = [held_out(run.predictions).set_index("sample_id") for run in self.runs]
        columns = ANSWERED[self.task.kind](self.task)
        answers = np.mean([frame.loc[frames[0].index, columns].to_numpy() for frame in frames], axis=0)
        means = pd.DataFrame(answers, frames[0].index, columns)
        called = FAVOURED[self.task.kind](answers, Question.of(self.task))
        return frames[0].drop(columns=columns).join(means)[list(frames[0])].assign(**called).reset_index()


def compare(runs: list[Run], replicates: int, confidence: float, seed: int) -> list[Method]:
    """Group runs to methods and measure all on the same resamples: teachers, their students, then the baseline.

    Parameters
    ----------
    runs : all tested on the same samples, as `pipeline.reporting.runs.gather` gives them.
    """
    groups: dict[Recipe, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe, []).append(run)
    costs: dict[str, dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: run.cost["latency_ms"]):
        costs.setdefault(run.network, run.cost)
    names = sorted({recipe.teacher for recipe in groups} - {NO_TEACHER})
    weights = draws(runs[0], replicates, seed)
    differing = varying(groups)
    return [
        Method(
            recipe=recipe,
            runs=(members := tuple(sorted(groups[recipe], key=lambda run: run.seed))),
            values=_values(members, weights),
            cost=costs[members[0].network],
            color=names.index(recipe.teacher) + 1 if recipe.teacher != NO_TEACHER else 0,
            confidence=confidence,
            details=parts(recipe, differing if recipe.student else ("folds",)),
        )
        for recipe in sorted(groups, key=lambda recipe: recipe.order)
    ]


def tested(run: Run) -> pd.DataFrame:
    """A run's test samples in an order that all runs share."""
    return held_out(run.predictions).sort_values("sample_id", ignore_index=True)


def draws(run: Run, replicates: int, seed: int) -> np.ndarray:
    """Weights of the test samples in the order of `tested`, the same for all runs, shape (1 + replicates, samples)."""
    return bootstrap.resamples(tested(run)["subject_id"].to_numpy(), replicates, seed)


def chosen(methods: list[Method]) -> list[Method]:
    """What a page has room for: teachers, each teacher's student that did best on validation, and the baseline.

    Of students that know different numbers of true labels, only those with most are shown.
    """
    best: dict[tuple[str, str], Method] = {}
    methods = most_labelled(methods)
    for method in methods:
        key = (method.student, method.teacher)
        if method.is_taught and (key not in best or method.merit > best[key].merit):
            best[key] = method
    return [m for m in methods if not m.is_taught or best[m.student, m.teacher] is m]


def favourite(methods: list[Method]) -> Method | None:
    """The student that did best on validation, one that was taught if there is one; None without students.

    It is one of those that know most true labels.
    """
    students = [method for method in most_labelled(methods) if not method.is_teacher]
    return max(students, key=lambda m: (m.is_taught, m.merit), default=None)


def most_labelled(methods: list[Method]) -> list[Method]:
    """The teachers, and the students that know as many true labels as any of the others."""
    students = [method for method in methods if not method.is_teacher]
    widest = max(students, key=lambda m: (not m.recipe.labelled, m.labelled_subjects), default=None)
    return [m for m in methods if m.is_teacher or m.recipe.labelled == widest.recipe.labelled]


def baseline(method: Method, methods: list[Method]) -> Method | None:
    """The student without a teacher that knows the same labels, all else equal too; None when it was not run.

    Without a teacher, a new view in every epoch stands for all numbers of views that were not run.
    """
    same = ("student", "mix", "views_strength", "labelled")
    conditions = [getattr(method.recipe, name) for name in same]
    alike = [m for m in methods if m.is_untaught and [getattr(m.recipe, name) for name in same] == conditions]
    return min(alike, key=lambda m: (m.recipe.views != method.recipe.views, m.recipe.views), default=None)


def teacher_of(method: Method, methods: list[Method]) -> Method | None:
    """The teacher of a student, trained on all training subjects; None when it is not compared."""
    return next((m for m in methods if m.is_teacher and m.teacher == method.teacher and not m.recipe.folds), None)


def _digits(value: Any) -> str:
    """An option's value; a list without brackets."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def outcomes(method: Method) -> list[Any]:
    """What the metrics need of every run of a method, over its test samples in the order of `tested`."""
    return [METRICS[method.task.kind].outcome(tested(run), Question.of(method.task)) for run in method.runs]


def per_output(method: Method, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics, all by default, of every output, each of shape (runs, weightings, outputs)."""
    per_run = [METRICS[method.task.kind].per_output(outcome, weights, names) for outcome in outcomes(method)]
    return {name: np.stack([values[name] for values in per_run]) for name in per_run[0]}


def _values(runs: tuple[Run, ...], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of every run on the test samples and on every resample."""
    task = runs[0].task
    kind, question = METRICS[task.kind], Question.of(task)
    per_run = [kind.compute(kind.outcome(tested(run), question), weights) for run in runs]
    return {name: np.stack([values[name] for values in per_run]) for name in described(task)}
