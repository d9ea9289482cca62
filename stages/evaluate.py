"""Measure one model on the held-out faces.

Writes ``predictions.csv`` (every face of every part), ``metrics.json`` (the test part, each metric with its bootstrap
interval over subjects), ``calibration.json`` (the test part's probabilities, before and after a temperature fitted on
validation), ``MODEL_CARD.md`` and ``cost.json`` (parameters, arithmetic, latency; the latency is measured, so this file
alone is not the same in two runs). A teacher is not run again: its logits come from its labels.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.config import EvaluateConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn

    from pipeline.artifacts.arrays import Columns
    from pipeline.artifacts.store import Artifact, Work

VERSION = 3
CONFIG = EvaluateConfig
INPUTS = ("samples", "split", "inputs", "teachers", "students", "labels")
OUTPUT = "evaluations"


def run(
    config: EvaluateConfig,
    work: Work,
    samples: Artifact,
    faces: Artifact,
    split: Artifact,
    model: Artifact,
    labels: Artifact | None = None,
) -> dict[str, Any]:
    """Predict every face, and measure the predictions on the test part.

    Parameters
    ----------
    labels : the answers of the student's teacher, or the teacher's own when the model is a teacher; None for a
        student without a teacher.

    Raises
    ------
    ArtifactError : the labels lack a face, or were made for other faces or classes.
    """
    from pipeline import models
    from pipeline.artifacts import arrays
    from pipeline.distillation import labels as label_store
    from pipeline.evaluation import predictions
    from pipeline.models import cost

    network, card = models.load_model(model.path)
    store = arrays.open_inputs(faces)
    table = _faces(samples, split, store)
    logits, teacher_predicted = None, None
    if labels:
        said = label_store.open_checked(labels, classes=card["classes"], faces=faces)
        rows = said.faces.rows(table["sample_id"])
        if said.json("teachers") == [model.fingerprint]:
            logits = said.faces["logits"][rows]
        else:
            teacher_predicted = said.faces["hard"][rows].astype("int64")
    if logits is None:
        logits = _forward(network, card, store, store.rows(table["sample_id"]), config)
    answered = predictions.add_answers(table, logits, card["classes"], teacher_predicted)
    arrays.write_table(work.path / "predictions.csv", answered)

    test = answered[answered["part"] == "test"]
    scores = predictions.scores(test, config.replicates, config.confidence, config.seed)
    _write_json(work, "metrics.json", {"classes": card["classes"], "part": "test", **scores})
    validation = answered[answered["part"] == "val"]
    calibrated = predictions.calibrated(test, validation, config.replicates, config.confidence, config.seed)
    _write_json(work, "calibration.json", {"classes": card["classes"], "part": "test", **calibrated})
    _write_json(work, "cost.json", cost.measure(network, card["input"]["size"]))
    measured = {"test": scores, "calibration": calibrated, "groups": _groups(config, test)}
    (work.path / "MODEL_CARD.md").write_text(_card(card, model, samples, split, measured), encoding="utf-8")
    return {
        "counts": {"faces": len(answered), "test": len(test), "test_subjects": scores["subjects"]},
        "skipped": [],
        "balanced_accuracy": scores["metrics"]["balanced_accuracy"],
    }


def _groups(config: EvaluateConfig, test: pd.DataFrame) -> list[dict[str, Any]]:
    """Balanced accuracy in every group of test subjects, as rows of the model card."""
    from pipeline.evaluation import bootstrap, predictions, subgroups

    subjects = test["subject_id"].to_numpy()
    weights = bootstrap.resamples(subjects, config.replicates, config.seed)
    rows = []
    for attribute in subgroups.groupings(test):
        values = test[attribute].to_numpy()
        division = subgroups.measure(
            [predictions.outcome(test)], values, subjects, weights, confidence=config.confidence
        )
        rows += [
            {"attribute": attribute, "group": group.name, "subjects": group.subjects, "faces": group.faces}
            | bootstrap.plain(group.estimate)
            for group in division.groups
        ]
    return rows


def _card(card: dict, model: Artifact, samples: Artifact, split: Artifact, measured: dict[str, Any]) -> str:
    """The model card with its test figures."""
    from pipeline.artifacts import arrays
    from pipeline.reporting import modelcard

    assigned = arrays.read_table(split.file("split.csv"))
    facts = modelcard.facts(
        model.config, model.fingerprint, samples.summary["dataset"], assigned, model.summary["best"]
    )
    return modelcard.render(card, facts, measured)


def _faces(samples: Artifact, split: Artifact, store: Columns) -> pd.DataFrame:
    """Every face with its part and attributes."""
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.evaluation import predictions

    return predictions.faces_table(
        arrays.read_table(samples.file("samples.csv")),
        arrays.read_table(split.file("split.csv")),
        pd.Series(store["detected"].astype(bool), index=store.sample_ids),
    )


def _forward(network: nn.Module, card: dict, store: Columns, rows: np.ndarray, config: EvaluateConfig) -> np.ndarray:
    """Logits of the identity view of the given rows, float32, shape (rows, C)."""
    import torch

    from pipeline import models
    from pipeline.compute import devices
    from pipeline.training import supervised

    device, spec = devices.pick(config.device), models.InputSpec(**card["input"])
    network = network.to(device)
    batches = supervised.forward(network, store["rgb"], rows, spec, config.batch_size, device, config.precision)
    return torch.cat([logits.cpu() for logits in batches]).numpy()


def _write_json(work: Work, name: str, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (work.path / name).write_text(text + "\n", encoding="utf-8")
