"""The trained and evaluated models that a report is about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pipeline.artifacts import cards
from pipeline.artifacts.arrays import read_table
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.question import Question
from pipeline.reporting.recipes import Recipe
from pipeline.tasks import Task

GENERATED = {"synpain"}  # forms of datasets whose pictures are made by a program or a model


@dataclass(frozen=True)
class Run:
    """One trained and evaluated model."""

    model: Artifact
    evaluation: Artifact
    predictions: pd.DataFrame
    history: pd.DataFrame
    card: dict[str, Any]
    cost: dict[str, Any]
    calibration: dict[str, Any]

    @classmethod
    def load(cls, model: Artifact, evaluation: Artifact) -> Run:
        """Read what the report needs of a model and its evaluation."""
        return cls(
            model,
            evaluation,
            read_table(evaluation.file("predictions.csv")),
            read_table(model.file("history.csv")),
            cards.read(model),
            _json(evaluation, "cost.json"),
            _json(evaluation, "calibration.json"),
        )

    @property
    def is_teacher(self) -> bool:
        """Whether the model was trained to teach."""
        return self.model.record["stage"] == "train_teacher"

    @cached_property
    def task(self) -> Task:
        """What it was asked, as its record says."""
        return task_of(self.model.config)

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        return self.model.config["seed"]

    @property
    def network(self) -> str:
        """The exact architecture; equal networks cost the same."""
        return json.dumps(self.model.config["architecture"], sort_keys=True)

    @property
    def recipe(self) -> Recipe:
        """What it shares with the runs that differ from it by their seed alone."""
        return Recipe.of(self.model.config, self.is_teacher)

    @property
    def labelled_subjects(self) -> float:
        """Training subjects whose true labels it knew; NaN for a teacher, who knows all."""
        return math.nan if self.is_teacher else self.model.summary["counts"]["labelled_subjects"]

    @property
    def best(self) -> dict[str, Any]:
        """The row of the history whose weights it has."""
        return self.model.summary["best"]

    @property
    def temperature(self) -> float:
        """What divides its logits so that validation subjects find them right; NaN where none could be fitted."""
        value = self.calibration["temperature"]["value"]
        return math.nan if value is None else value


def row(run: Run) -> dict[str, Any]:
    """One line of ``runs.csv``: what was trained, how it went, what it scored.

    Returns
    -------
    Plain values; NaN where a metric is undefined, None where a teacher has no such setting.
    """
    recipe, config, record = run.recipe, run.model.config, run.model.record
    scores, calibration = _json(run.evaluation, "metrics.json")["metrics"], run.calibration["before"]["figures"]
    values = {name: scores[name]["value"] for name in described(run.task)}
    values |= {name: calibration[name]["value"] for name in ("ece", "brier")}
    settings = asdict(recipe) if recipe.student else {"student": "", "teacher": recipe.teacher, "folds": recipe.folds}
    return {
        **dict.fromkeys(("student", "teacher", "loss", "views", "folds", "mix", "online", "labelled")),
        **settings,
        "labelled_subjects": run.labelled_subjects,
        "seed": run.seed,
        "network": config["architecture"]["label"] or config["architecture"]["name"],
        "parameters": run.cost["parameters"],
        "best_epoch": int(run.best["epoch"]),
        f"val_{run.task.headline}": run.best[f"val_{run.task.headline}"],
        **{name: math.nan if value is None else value for name, value in values.items()},
        "seconds": record["duration_s"],
        "folder": run.model.path.name,
        "fingerprint": run.model.fingerprint,
    }


def gather(inputs: Mapping[str, Artifact]) -> list[Run]:
    """Pair every ``evaluation-<model>`` with its ``model-<model>``.

    Raises
    ------
    ArtifactError : two models were tested on different samples, so that nothing can be compared.
    """
    runs = [
        Run.load(inputs[name.replace("evaluation-", "model-", 1)], artifact)
        for name, artifact in inputs.items()
        if name.startswith("evaluation-")
    ]
    tested = [set(held_out(run.predictions)["sample_id"]) for run in runs]
    for run, samples in zip(runs, tested, strict=True):
        if samples != tested[0]:
            words = run.task.samples
            raise ArtifactError(
                f"{run.evaluation.path} has {len(samples)} test {words}, {runs[0].evaluation.path} has "
                f"{len(tested[0])}, {len(samples & tested[0])} of them the same: only models tested on the same "
                f"{words} can be compared. Make both with one DATA= and one split: make report"
            )
    return runs


def task_of(config: Mapping[str, Any]) -> Task:
    """The task in a stage's config, as a record holds it."""
    return Task(**{name: _tuples(value) for name, value in config["task"].items()})


def described(task: Task) -> dict[str, Metric]:
    """The metrics of a task, in its words."""
    return METRICS[task.kind].metrics(Question.of(task))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _json(artifact: Artifact, name: str) -> dict[str, Any]:
    return json.loads(artifact.file(name).read_text(encoding="utf-8"))


def held_out(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the test part."""
    return frame[frame["part"] == "test"]
