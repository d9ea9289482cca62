"""The trained and evaluated models that a report is about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts import cards
from pipeline.artifacts.arrays import read_table
from pipeline.artifacts.store import Artifact
from pipeline.config import UNITS
from pipeline.errors import ArtifactError
from pipeline.evaluation import calibration
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.predictions import logits
from pipeline.evaluation.question import Question
from pipeline.reporting.recipes import Recipe
from pipeline.tasks import Task

GENERATED = {"synpain"}  # forms of datasets whose pictures are made by a program or a model


def learned_from(samples: Artifact) -> dict[str, Any]:
    """What a card says of where a network's samples come from; of ``rendered`` nothing where it is not known."""
    dataset = samples.summary["dataset"]
    return {"dataset": dataset} | ({"rendered": True} if dataset in GENERATED else {})


@dataclass(frozen=True)
class Trained:
    """One trained and evaluated network: a run, or what a run has of one outer fold.

    Parameters
    ----------
    calibration, thresholds : what was fitted on validation; empty where its kind of task has none.
    fold : number of the outer fold whose test part is not in what it learned from; 0 of one split.
    """

    model: Artifact
    evaluation: Artifact
    history: pd.DataFrame
    card: dict[str, Any]
    cost: dict[str, Any]
    calibration: dict[str, Any]
    fold: int = 0
    thresholds: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, model: Artifact, evaluation: Artifact, fold: int = 0) -> Trained:
        """Read what the report needs of a model and its evaluation."""
        kind = METRICS[task_of(model.config).kind]
        return cls(
            model,
            evaluation,
            read_table(model.file("history.csv")),
            cards.read(model),
            _json(evaluation, "cost.json"),
            _json(evaluation, "calibration.json") if kind.CALIBRATED else {},
            fold,
            _json(evaluation, "thresholds.json") if kind.THRESHOLDED else {},
        )

    @property
    def best(self) -> dict[str, Any]:
        """The row of the history whose weights it has."""
        return self.model.summary["best"]

    @property
    def temperature(self) -> float:
        """What divides its logits so that validation subjects find them right; NaN where none could be fitted."""
        value = self.calibration["temperature"]["value"]
        return math.nan if value is None else value


@dataclass(frozen=True)
class Run:
    """One recipe with one seed: a network, or, of cross-validation, one for each outer fold.

    The folds' networks share recipe, architecture and seed; each answers for the subjects that it has not seen, so that
    their test parts together hold every sample once.

    Parameters
    ----------
    folds : the networks, by number of the fold.
    predictions : of one split every sample of every part; of several folds every sample once, in the test part, as the
        network of its fold answers. ``fold`` says which that is.
    validation : the predictions of the validation parts; with several folds every sample is in one.
    leaks : whether samples were divided whoever they show, so that subjects are in training and test.
    """

    folds: tuple[Trained, ...]
    predictions: pd.DataFrame
    validation: pd.DataFrame
    leaks: bool = False

    @classmethod
    def load(cls, folds: Mapping[int, tuple[Artifact, Artifact]], leaks: bool = False) -> Run:
        """Read what the report needs of the folds' networks and bring their answers together.

        Parameters
        ----------
        folds : by number of the fold its network and the evaluation; of one split ``{0: (model, evaluation)}``.
        leaks : whether subjects are in training and test.

        Raises
        ------
        ArtifactError : a sample is in the test part of two folds.
        """
        trained = tuple(Trained.load(*folds[number], number) for number in sorted(folds))
        parts: dict[str, list[pd.DataFrame]] = {"test": [], "val": []}
        for one in trained:
            every = read_table(one.evaluation.file("predictions.csv"))
            every = pd.concat([every, pd.Series(one.fold, every.index, name="fold")], axis=1)
            for part, frames in parts.items():  # the training parts are let go: of many folds they are nearly all
                frames.append(every[every["part"] == part])
        tested, validation = (pd.concat(frames, ignore_index=True) for frames in parts.values())
        if len(trained) == 1:
            return cls(trained, every, validation, leaks)
        if (twice := tested["sample_id"].duplicated()).any():
            raise ArtifactError(
                f"{trained[0].model.path} and the models of {len(trained) - 1} other folds tested {twice.sum()} "
                f"samples twice, such as {tested['sample_id'][twice].iloc[0]}: their splits are not folds of one "
                "another. Make them with one CV=: make report"
            )
        return cls(trained, tested, validation, leaks)

    @property
    def model(self) -> Artifact:
        """The first fold's network, which has the stage, the config and the architecture of all."""
        return self.folds[0].model

    @property
    def evaluation(self) -> Artifact:
        """The evaluation of that network, which has the settings of all."""
        return self.folds[0].evaluation

    @property
    def card(self) -> dict[str, Any]:
        """The card of that network: what it is built of."""
        return self.folds[0].card

    @cached_property
    def cost(self) -> dict[str, Any]:
        """What a network costs, measured on whichever fold had the quietest machine."""
        return min((trained.cost for trained in self.folds), key=lambda cost: cost["latency_ms"])

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
        """The exact architecture and what it reads; equal networks cost the same."""
        return json.dumps([self.model.config["architecture"], self.card["inputs"]], sort_keys=True)

    @property
    def recipe(self) -> Recipe:
        """What it shares with the runs that differ from it by their seed alone."""
        return Recipe.of(self.model.config, self.is_teacher)

    @property
    def labelled_subjects(self) -> float:
        """Training subjects whose true labels it knew, the mean over folds; NaN for a teacher, who knows all."""
        if self.is_teacher:
            return math.nan
        return float(np.mean([trained.model.summary["counts"]["labelled_subjects"] for trained in self.folds]))

    @cached_property
    def reached(self) -> float:
        """The headline metric on the validation part, of several folds on all their validation parts together."""
        if len(self.folds) == 1:
            return self.folds[0].best[f"val_{self.task.headline}"]
        return figures(self.validation, self.task)[self.task.headline]

    @cached_property
    def loss(self) -> float:
        """The validation loss of the epochs whose weights are kept, the mean over folds."""
        return float(np.mean([trained.best["val_loss"] for trained in self.folds]))

    @property
    def temperatures(self) -> dict[int, float]:
        """By fold, what divides its network's logits; NaN where none could be fitted."""
        return {trained.fold: trained.temperature for trained in self.folds}

    def logits(self, samples: pd.DataFrame, scaled: bool = False) -> np.ndarray:
        """Logits of some rows of its predictions, float64, shape (N, C), each divided by its own network's temperature.

        Parameters
        ----------
        scaled : whether they are divided.
        """
        values = logits(samples, Question.of(self.task))
        return values / samples["fold"].map(self.temperatures).to_numpy()[:, None] if scaled else values


def figures(samples: pd.DataFrame, task: Task) -> dict[str, float]:
    """Every metric of some predictions; NaN where it is undefined."""
    kind, question = METRICS[task.kind], Question.of(task)
    values = kind.compute(kind.outcome(samples, question), np.ones((1, len(samples))))
    return {name: float(value[0]) for name, value in values.items()}


def calibration_of(run: Run) -> dict[str, float]:
    """Every figure of calibration on a run's test samples, before any temperature; none where its kind has none."""
    if not METRICS[run.task.kind].CALIBRATED:
        return {}
    samples, question = held_out(run.predictions), Question.of(run.task)
    values = calibration.compute(samples["label"].to_numpy(), run.logits(samples), np.ones((1, len(samples))), question)
    return {name: float(value[0]) for name, value in values.items()}


def row(run: Run) -> dict[str, Any]:
    """One line of ``runs.csv``: what was trained, how it went, what it scored.

    Returns
    -------
    Plain values; NaN where a metric is undefined, None where a teacher has no such setting. With several folds the
    best epoch is the mean, the seconds are the sum, and folders and fingerprints are those of all, with blanks between.
    """
    recipe, config = run.recipe, run.model.config
    scores, measured = figures(held_out(run.predictions), run.task), calibration_of(run)
    values = {name: scores[name] for name in described(run.task)}
    values |= {name: measured[name] for name in ("ece", "brier") if name in measured}
    settings = asdict(recipe) if recipe.student else {"student": "", "teacher": recipe.teacher, "folds": recipe.folds}
    epoch = float(np.mean([trained.best["epoch"] for trained in run.folds]))
    return {
        **dict.fromkeys(
            ("student", "teacher", "loss", "views", "folds", "mix", "views_strength", "online", "labelled")
        ),
        **settings,
        "labelled_subjects": run.labelled_subjects,
        "seed": run.seed,
        "outer_folds": len(run.folds),
        "network": config["architecture"]["label"] or config["architecture"]["name"],
        "parameters": run.cost["parameters"],
        "best_epoch": int(epoch) if len(run.folds) == 1 else epoch,
        f"val_{run.task.headline}": run.reached,
        **values,
        "seconds": round(sum(trained.model.record["duration_s"] for trained in run.folds), 3),
        "folder": " ".join(trained.model.path.name for trained in run.folds),
        "fingerprint": " ".join(trained.model.fingerprint for trained in run.folds),
    }


def gather(inputs: Mapping[str, Artifact], splits: Sequence[Artifact] = ()) -> list[Run]:
    """Pair every ``evaluation-<model>`` with its ``model-<model>``, and bring the folds of each run together.

    Parameters
    ----------
    splits : the one split, or those of the outer folds, by which models are told apart that differ in nothing else.

    Raises
    ------
    ArtifactError : two models were tested on different samples, so that nothing can be compared; or a run lacks a fold.
    """
    number = {split.fingerprint: split.config["fold"] for split in splits}
    groups: dict[tuple[Recipe, int], dict[int, tuple[Artifact, Artifact]]] = {}
    for name, evaluation in inputs.items():
        if name.startswith("evaluation-"):
            model = inputs[name.replace("evaluation-", "model-", 1)]
            recipe = Recipe.of(model.config, model.record["stage"] == "train_teacher")
            folds = groups.setdefault((recipe, model.config["seed"]), {})
            folds[number.get(evaluation.record["inputs"].get("split"), len(folds))] = model, evaluation
    leaks = any(split.config["by"] != UNITS[0] for split in splits)
    return _comparable([Run.load(folds, leaks) for folds in groups.values()])


def _comparable(runs: list[Run]) -> list[Run]:
    """The runs, once it is sure that all were tested on the same samples."""
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
