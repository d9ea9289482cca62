"""What a report is made of, and the form of its sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts.store import Artifact
from pipeline.config import ReportConfig
from pipeline.reporting import effects, reproduce
from pipeline.reporting.cells import Table
from pipeline.reporting.drawing import Picture
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method, chosen, draws, favourite
from pipeline.reporting.runs import GENERATED, Run
from pipeline.tasks import Task


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Parameters
    ----------
    anchor : its id in the page, and the name of its template.
    link : its name in the navigation.
    tables, figures : by name; all become files, its template shows those that it names.
    words : what else its template names.
    """

    anchor: str
    title: str
    link: str
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Picture] = field(default_factory=dict)
    words: Mapping[str, Any] = field(default_factory=dict)


def section(
    title: str,
    link: str,
    anchor: str = "",
    tables: Iterable[Table | None] = (),
    figures: Iterable[Picture | None] = (),
    **words: Any,
) -> Section:
    """A section of the tables and figures that there are."""
    by_name = [{item.name: item for item in items if item is not None} for items in (tables, figures)]
    return Section(anchor or link.lower(), title, link, *by_name, words)


@dataclass(frozen=True)
class Material:
    """Everything that sections are made of.

    Parameters
    ----------
    methods : all that are compared, as `pipeline.reporting.methods.compare` gives them.
    runs : of the methods.
    samples, inputs : the artifacts that all models share.
    splits : the one split, or that of each outer fold.
    models : the models and their evaluations.
    caches : the teachers' cached answers.
    explanations : heat maps of the models.
    """

    config: ReportConfig
    methods: list[Method]
    runs: list[Run]
    samples: Artifact
    inputs: Artifact
    splits: list[Artifact]
    models: list[Artifact]
    caches: list[Artifact]
    explanations: list[Artifact] = field(default_factory=list)

    @property
    def task(self) -> Task:
        """What all models were asked."""
        return self.runs[0].task

    @property
    def positive(self) -> str:
        """The class that two-class measures speak of."""
        return self.task.outputs[self.task.positive_output]

    @property
    def folds(self) -> int:
        """How many outer folds there are; 1 of one split."""
        return len(self.splits)

    @property
    def leaks(self) -> bool:
        """Whether subjects are in training and test."""
        return self.runs[0].leaks

    @property
    def artifacts(self) -> list[Artifact]:
        """All that went into the report."""
        return [self.samples, self.inputs, *self.splits, *self.caches, *self.models, *self.explanations]

    @cached_property
    def shown(self) -> list[Method]:
        """The methods that the page has room for."""
        return chosen(self.methods)

    @cached_property
    def favourite(self) -> Method:
        """The student, or without one the teacher, that did best on validation."""
        return favourite(self.methods) or max(self.methods, key=lambda method: method.merit)

    @cached_property
    def effects(self) -> list[Effect]:
        """Every comparison that the methods allow."""
        return effects.effects(self.methods)

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of the test samples under every resample, shape (1 + replicates, samples)."""
        return draws(self.runs[0], self.config.replicates, self.config.seed)

    @property
    def everyone(self) -> pd.DataFrame:
        """Every sample, with one model's predictions: of every part, or, with several folds, each in the test part."""
        return self.runs[0].predictions

    @cached_property
    def test(self) -> dict[str, int]:
        """How many samples and subjects are tested."""
        inside = self.everyone[self.everyone["part"] == "test"]
        return {"samples": len(inside), "subjects": inside["subject_id"].nunique()}

    @cached_property
    def validation_subjects(self) -> str:
        """How many subjects chose a network's epoch; with several folds as few and as many as in any."""
        counts = self.runs[0].validation.groupby("fold")["subject_id"].nunique()
        return "–".join(str(count) for count in dict.fromkeys((counts.min(), counts.max())))

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the datasets where there are several."""
        return tuple(sorted(self.everyone["source"].unique())) if "source" in self.everyone else ()

    @property
    def seeds(self) -> list[int]:
        """Seeds of the students."""
        return sorted({run.seed for run in self.runs if not run.is_teacher})

    @property
    def demo(self) -> bool:
        """Whether the samples are a shipped demo set."""
        return reproduce.is_demo(self.samples)

    @property
    def dataset(self) -> str:
        """The form of the dataset."""
        return self.samples.summary["dataset"]

    @property
    def rendered(self) -> bool:
        """Whether nobody real is in the pictures."""
        return self.demo or self.dataset in GENERATED

    @property
    def confidence(self) -> str:
        """Level of the intervals, as ``95%``."""
        return f"{100 * self.config.confidence:g}%"
