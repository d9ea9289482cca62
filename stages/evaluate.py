"""Measure one model on the held-out samples.

Writes ``predictions.csv`` (every sample of every part), ``metrics.json`` (the test part, each metric with its bootstrap
interval over subjects), ``calibration.json`` (of classes: the test part's probabilities, before and after a temperature
fitted on validation), ``MODEL_CARD.md`` and ``cost.json`` (parameters, arithmetic, latency; the latency is measured, so
this file alone is not the same in two runs). A teacher is not run again: its outputs come from its labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.config import EvaluateConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn

    from pipeline.artifacts.arrays import Columns
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.evaluation.question import Question

VERSION = 5
CONFIG = EvaluateConfig
INPUTS = ("samples", "split", "inputs", "teachers", "students", "labels")
OUTPUT = "evaluations"


def run(
    config: EvaluateConfig,
    work: Work,
    samples: Artifact,
    inputs: Artifact,
    split: Artifact,
    model: Artifact,
    **labels: Artifact,
) -> dict[str, Any]:
    """Predict every sample that the task uses, and measure the predictions on the test part.

    Parameters
    ----------
    labels : for each role ``labels_<role>``, the cached outputs of the student's teacher, or the teacher's own when the
        model is a teacher; none for a student without a teacher.

    Raises
    ------
    ArtifactError : the model is no longer what its record says; or the labels lack a sample, or were made for other
        inputs or outputs.
    DataError : the dataset does not know the task's target.
    """
    from pipeline import models
    from pipeline.artifacts import arrays
    from pipeline.evaluation import predictions
    from pipeline.evaluation.question import Question
    from pipeline.models import cost

    question = Question.of(config.task)
    network, card = models.load_model(model)
    store = arrays.open_inputs(inputs)
    table = _samples(config, samples, split, store)
    outputs, teacher_outputs = _cached(config, inputs, model, labels, table)
    if outputs is None:
        outputs = _forward(network, card, store, table["sample_id"], config)
    predicted = predictions.prediction_columns(table, outputs, question, teacher_outputs)
    arrays.write_table(work.path / "predictions.csv", predicted)

    measured = _measure(config, question, predicted)
    described = {"outputs": list(question.outputs), "part": "test"}
    for name in ("metrics", "calibration"):
        if measured[name] is not None:
            _write_json(work, f"{name}.json", described | measured[name])
    _write_json(work, "cost.json", cost.measure(network, _blank(card)))
    (work.path / "MODEL_CARD.md").write_text(_card(card, model, samples, split, measured), encoding="utf-8")
    test = measured["metrics"]
    return {
        "counts": {"samples": len(predicted), "test": test["samples"], "test_subjects": test["subjects"]},
        "skipped": [],
        question.headline: test["metrics"][question.headline],
    }


def _samples(config: EvaluateConfig, samples: Artifact, split: Artifact, store: Columns) -> pd.DataFrame:
    """Every sample that the task uses, with its part and attributes."""
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.evaluation import predictions

    detected = pd.Series(store["detected"][:].astype(bool), index=store.sample_ids) if "detected" in store else None
    return predictions.samples_table(
        arrays.read_table(samples.file("samples.csv")),
        arrays.read_table(split.file("split.csv")),
        detected,
        config.task,
        samples.summary["attributes"],
    )


def _cached(
    config: EvaluateConfig, inputs: Artifact, model: Artifact, labels: Mapping[str, Artifact], table: pd.DataFrame
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The cached outputs of the model, if it is a teacher, and those of its teachers, several as their mean."""
    import numpy as np

    from pipeline.distillation import labels as label_store

    own, teachers = None, []
    for artifact in labels.values():
        cached = label_store.open_checked(artifact, outputs=config.task.outputs, inputs=inputs)
        outputs = cached.samples["logits"][cached.samples.rows(table["sample_id"])]
        if cached.json("teachers") == [model.fingerprint]:
            own = outputs
        else:
            teachers.append(outputs)
    return own, np.mean(teachers, axis=0) if teachers else None


def _forward(
    network: nn.Module, card: Mapping[str, Any], store: Columns, sample_ids: pd.Series, config: EvaluateConfig
) -> np.ndarray:
    """Raw outputs for the samples themselves, float32, shape (N, C)."""
    import torch

    from pipeline.compute import devices
    from pipeline.inputs import batches
    from pipeline.training import supervised

    device, specs = devices.pick(config.device), batches.specs(card)
    columns = {modality: store[modality] for modality in specs}
    asked = batches.Samples(columns, store.rows(sample_ids), list(sample_ids))
    outputs = supervised.forward(network.to(device), asked, specs, config.batch_size, device, config.precision)
    return torch.cat([batch.cpu() for batch in outputs]).numpy()


def _blank(card: Mapping[str, Any]) -> Any:
    """A sample in which nothing is to be seen, as the network reads it."""
    from pipeline.inputs import batches

    specs = batches.specs(card)
    return batches.blank(specs, "cpu").make(specs)


def _measure(config: EvaluateConfig, question: Question, predicted: pd.DataFrame) -> dict[str, Any]:
    """Metrics and calibration of the test part, and the headline in every group of its subjects."""
    from pipeline.evaluation import predictions, subgroups
    from pipeline.evaluation.metrics import METRICS

    test, validation = (predicted[predicted["part"] == part] for part in ("test", "val"))
    draws = (config.replicates, config.confidence, config.seed)
    calibrated = METRICS[question.kind].CALIBRATED
    return {
        "metrics": predictions.scores(test, question, *draws),
        "calibration": predictions.calibrated(test, validation, question, *draws) if calibrated else None,
        "groups": subgroups.summary(test, question, *draws),
    }


def _card(card: Mapping[str, Any], model: Artifact, samples: Artifact, split: Artifact, measured: dict) -> str:
    """The model card with its test figures."""
    from pipeline.artifacts import arrays
    from pipeline.reporting import modelcard

    assigned = arrays.read_table(split.file("split.csv"))
    facts = modelcard.facts(
        model.config,
        model.fingerprint,
        samples.summary["dataset"],
        assigned,
        model.summary["best"],
        modelcard.fold_of(split.config),
    )
    figures = {"test": measured["metrics"], "calibration": measured["calibration"], "groups": measured["groups"]}
    return modelcard.render(card, facts, figures)


def _write_json(work: Work, name: str, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (work.path / name).write_text(text + "\n", encoding="utf-8")
