"""Models brought together for comparison: runs that differ by their seed alone are one method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline import metrics, statistics
from pipeline.config import NO_TEACHER
from pipeline.predictions import outcome, probability_column
from pipeline.reporting.runs import Run, held_out

HEADLINE = "balanced_accuracy"
FAMILIES = {"resnet": "ResNet", "swin": "Swin", "deit": "DeiT"}


@dataclass(frozen=True)
class Method:
    """One way to make a model, in as many seeds as were run.

    Parameters
    ----------
    values : per metric, shape (runs, 1 + replicates): the value on the test faces, then on every resample.
    cost : of its network, measured on whichever run had the quietest machine.
    color : position in the palette; a teacher and its students share it.
    """

    runs: tuple[Run, ...]
    values: Mapping[str, np.ndarray]
    cost: Mapping[str, Any]
    color: int
    confidence: float

    @property
    def is_teacher(self) -> bool:
        """Whether the models were trained to teach."""
        return self.runs[0].is_teacher

    @property
    def teacher(self) -> str:
        """The teacher's name as the command line takes it; ``none`` for the baseline."""
        return self.runs[0].model.config["teacher"]

    @property
    def student(self) -> str:
        """The student's name as the command line takes it; empty for a teacher."""
        return "" if self.is_teacher else self.runs[0].model.config["student"]

    @property
    def title(self) -> str:
        """A short name for tables and figures."""
        if self.is_teacher:
            return f"{pretty(self.teacher)} teacher"
        if self.teacher == NO_TEACHER:
            return f"{pretty(self.student)}, no teacher"
        return f"{pretty(self.student)} ← {pretty(self.teacher)}"

    @property
    def phrase(self) -> str:
        """The name in a sentence."""
        if self.is_teacher:
            return f"the {self.title}"
        taught = "without a teacher" if self.teacher == NO_TEACHER else f"of the {pretty(self.teacher)} teacher"
        return f"the {pretty(self.student)} student {taught}"

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
        """A metric averaged over seeds, on the test faces and on every resample, shape (1 + replicates,)."""
        return statistics.over_seeds(self.values[metric])

    def estimate(self, metric: str) -> statistics.Estimate:
        """A metric's mean over seeds with its interval over subjects."""
        return statistics.interval(self.mean(metric), self.confidence, metrics.METRICS[metric].undefined)

    def spread(self, metric: str) -> float:
        """Standard deviation of a metric over seeds; NaN for one seed."""
        return statistics.seed_spread(self.values[metric])

    @cached_property
    def faces(self) -> pd.DataFrame:
        """The test faces with ``prob``: the mean over seeds of the probability of pain."""
        frames = [held_out(run.predictions).set_index("sample_id") for run in self.runs]
        column = probability_column(frames[0])
        probability = np.mean([frame[column].loc[frames[0].index] for frame in frames], axis=0)
        return frames[0].assign(prob=probability).reset_index()


@dataclass(frozen=True)
class Difference:
    """A paired difference of the headline metric, mean over seeds, ``first`` minus ``second``."""

    first: Method
    second: Method
    estimate: statistics.Estimate
    per_seed: tuple[float, ...]

    @property
    def settled(self) -> bool:
        """Whether the interval excludes zero and no seed says the contrary."""
        sides = {np.sign(value) for value in self.per_seed}
        return self.estimate.excludes_zero and sides <= {np.sign(self.estimate.value)}


def compare(runs: list[Run], replicates: int, confidence: float, seed: int) -> list[Method]:
    """Group runs to methods and measure all on the same resamples: teachers, their students, then the baseline."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.method, []).append(run)
    costs: dict[str, dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: run.cost["latency_ms"]):
        costs.setdefault(run.network, run.cost)
    names = sorted({name for _, _, name, _ in groups if name != NO_TEACHER})
    order = sorted(groups, key=lambda key: (key[0], key[1], key[2] == NO_TEACHER, key[2], key[3]))
    return [
        Method(
            runs=(members := tuple(sorted(groups[key], key=lambda run: run.seed))),
            values=_values(members, replicates, seed),
            cost=costs[members[0].network],
            color=names.index(key[2]) + 1 if key[2] != NO_TEACHER else 0,
            confidence=confidence,
        )
        for key in order
    ]


def difference(first: Method, second: Method, metric: str = HEADLINE) -> Difference:
    """How much better the first method is, on the same resamples; seed by seed where both ran the same seeds.

    Where one of them has a single run, as teachers have, every seed of the other is compared with it.
    """
    rows = first.mean(metric) - second.mean(metric)
    seeds = [[run.seed for run in method.runs] for method in (first, second)]
    paired = seeds[0] == seeds[1] or min(map(len, seeds)) == 1
    per_seed = first.values[metric][:, 0] - second.values[metric][:, 0] if paired else np.array([])
    return Difference(
        first, second, statistics.interval(rows, first.confidence), tuple(float(value) for value in per_seed)
    )


def differences(methods: list[Method]) -> list[Difference]:
    """The comparisons that answer the question: students with each other, the baseline and their teachers."""
    students = [method for method in methods if not method.is_teacher]
    taught = [method for method in students if method.teacher != NO_TEACHER]
    untaught = [method for method in students if method.teacher == NO_TEACHER]
    ranked = sorted(taught, key=lambda method: -method.estimate(HEADLINE).value)
    pairs = [(a, b) for i, a in enumerate(ranked) for b in ranked[i + 1 :] if a.student == b.student]
    pairs += [(a, b) for a in ranked for b in untaught if a.student == b.student]
    pairs += [(a, b) for a in ranked for b in methods if b.is_teacher and b.teacher == a.teacher]
    return [difference(first, second) for first, second in pairs]


def pretty(name: str) -> str:
    """A family's name as papers write it; any other name as it is."""
    return FAMILIES.get(name, name)


def _digits(value: Any) -> str:
    """An option's value; a list without brackets."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _values(runs: tuple[Run, ...], replicates: int, seed: int) -> dict[str, np.ndarray]:
    """Metrics of every run on the test faces and on every resample."""
    per_run = []
    for run in runs:
        frame = held_out(run.predictions).sort_values("sample_id")
        weights = statistics.resamples(frame["subject_id"].to_numpy(), replicates, seed)
        per_run.append(metrics.compute(outcome(frame), weights))
    return {name: np.stack([values[name] for values in per_run]) for name in metrics.METRICS}
