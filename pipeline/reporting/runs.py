"""The trained and evaluated models that a report is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.artifacts import Artifact
from pipeline.errors import ArtifactError
from pipeline.stores import read_table


@dataclass(frozen=True)
class Run:
    """One trained and evaluated model."""

    model: Artifact
    evaluation: Artifact
    predictions: pd.DataFrame
    history: pd.DataFrame
    card: dict[str, Any]
    cost: dict[str, Any]

    @classmethod
    def load(cls, model: Artifact, evaluation: Artifact) -> Run:
        """Read what the report needs of a model and its evaluation."""
        return cls(
            model,
            evaluation,
            read_table(evaluation.file("predictions.csv")),
            read_table(model.file("history.csv")),
            json.loads(model.file("model.json").read_text()),
            json.loads(evaluation.file("cost.json").read_text()),
        )

    @property
    def is_teacher(self) -> bool:
        """Whether the model was trained to teach."""
        return self.model.record["stage"] == "train_teacher"

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        return self.model.config["seed"]

    @property
    def network(self) -> str:
        """The exact architecture; equal networks cost the same."""
        return json.dumps(self.model.config["architecture"], sort_keys=True)

    @property
    def method(self) -> tuple[bool, str, str, str]:
        """What the runs of one method share: student or not, the student, its teacher, its loss."""
        config = self.model.config
        if self.is_teacher:
            return False, "", config["teacher"], ""
        return True, config["student"], config["teacher"], config.get("loss", "")


def gather(inputs: Mapping[str, Artifact]) -> list[Run]:
    """Pair every ``evaluation-<model>`` with its ``model-<model>``.

    Raises
    ------
    ArtifactError : two models were tested on different faces, so that nothing can be compared.
    """
    runs = [
        Run.load(inputs[name.replace("evaluation-", "model-", 1)], artifact)
        for name, artifact in inputs.items()
        if name.startswith("evaluation-")
    ]
    tested = [set(held_out(run.predictions)["sample_id"]) for run in runs]
    for run, faces in zip(runs, tested, strict=True):
        if faces != tested[0]:
            raise ArtifactError(
                f"{run.evaluation.path} has {len(faces)} test faces, {runs[0].evaluation.path} has {len(tested[0])}, "
                f"{len(faces & tested[0])} of them the same: only models tested on the same faces can be compared. "
                "Make both with one DATA= and one split: make report"
            )
    return runs


def held_out(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the test part."""
    return frame[frame["part"] == "test"]
