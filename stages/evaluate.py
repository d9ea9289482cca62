"""Measure one model on the held-out samples.

Writes ``predictions.csv`` (every sample of every part), ``metrics.json`` (the test part, each metric with its bootstrap
interval over subjects), ``calibration.json`` (of classes: the test part's probabilities, before and after a temperature
fitted on validation), ``thresholds.json`` (of labels: thresholds fitted on validation, and the metrics under them),
``videos.json`` (of numbers, where samples are frames of videos: the test part's videos by the mean, the maximum and the
top decile of their frames), ``domain.json`` (of students of pictures: how many validation and test samples the network
says are not like its training inputs), ``hidden.h5`` (of labels: pooled features of some test samples),
``MODEL_CARD.md`` and ``cost.json`` (parameters, arithmetic, latency; the latency is measured, so this file alone is not
the same in two runs). A teacher's outputs come from its labels: it is run again for the samples of ``hidden.h5`` alone.
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

VERSION = 8
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
    from pipeline.evaluation.metrics import METRICS
    from pipeline.evaluation.question import Question
    from pipeline.models import cost
    from pipeline.models.saved import WEIGHTS

    question = Question.of(config.task)
    network, card = models.load_model(model)
    store = arrays.open_inputs(inputs)
    table = _samples(config, samples, inputs, split, store)
    outputs, teacher_outputs = _cached(config, inputs, model, labels, table)
    runs = outputs is None  # a teacher answered when it labelled
    if runs:
        outputs = _forward(network, card, store, table["sample_id"], config)
    predicted = predictions.prediction_columns(table, outputs, question, teacher_outputs)
    arrays.write_table(work.path / "predictions.csv", predicted)

    measured = _measure(config, question, predicted)
    measured["domain"] = _strange(model, store, predicted, config) if runs else None
    described = {"outputs": list(question.outputs), "part": "test"}
    for name in ("metrics", "calibration", "thresholds", "videos"):
        if measured[name] is not None:
            _write_json(work, f"{name}.json", described | measured[name])
    if measured["domain"]:
        _write_json(work, "domain.json", measured["domain"])
    if METRICS[question.kind].EMBEDDED:
        _keep_hidden(work, network, card, store, predicted, config)
    _write_json(work, "cost.json", cost.measure(network, _blank(card), weights=model.file(WEIGHTS)))
    (work.path / "MODEL_CARD.md").write_text(_card(card, model, samples, split, measured), encoding="utf-8")
    test = measured["metrics"]
    return {
        "counts": {"samples": len(predicted), "test": test["samples"], "test_subjects": test["subjects"]},
        "skipped": [],
        question.headline: test["metrics"][question.headline],
    }


def _samples(
    config: EvaluateConfig, samples: Artifact, inputs: Artifact, split: Artifact, store: Columns
) -> pd.DataFrame:
    """Every sample that the task uses, with its part and attributes."""
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.evaluation import predictions
    from pipeline.inputs import sample_table

    detected = pd.Series(store["detected"][:].astype(bool), index=store.sample_ids) if "detected" in store else None
    return predictions.samples_table(
        sample_table.read(samples, config.task, inputs),
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
        cached = label_store.open_checked(artifact, outputs=config.task.numbers, inputs=inputs)
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


def _keep_hidden(
    work: Work,
    network: nn.Module,
    card: Mapping[str, Any],
    store: Columns,
    predicted: pd.DataFrame,
    config: EvaluateConfig,
) -> None:
    """Write the pooled features of test samples, of many the same ones for every model: drawn by their names."""
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.evaluation import embedding
    from pipeline.inputs import batches, keyed_random
    from pipeline.models import features

    test = predicted.loc[predicted["part"] == "test", "sample_id"]
    sample_ids = test.iloc[np.sort(keyed_random.order(test)[: embedding.MOST])].tolist()
    device, specs = devices.pick(config.device), batches.specs(card)
    asked = batches.Samples({name: store[name] for name in specs}, store.rows(sample_ids), sample_ids)
    network, hidden = network.to(device), []
    for batch in batches.identity(asked, np.arange(len(asked)), config.batch_size, device):
        with devices.autocast(device, config.precision):
            hidden.append(features.outputs(network, batch.make(specs), ("hidden",))["hidden"].cpu().numpy())
    largest = np.finfo(np.float16).max
    columns = {"hidden": np.concatenate(hidden).clip(-largest, largest).astype(np.float16)}
    arrays.write_columns(work.path / embedding.FILE, "hidden", work.fingerprint, columns, sample_ids)


def _strange(
    model: Artifact, store: Columns, predicted: pd.DataFrame, config: EvaluateConfig
) -> dict[str, dict[str, int]] | None:
    """How many samples of validation and test there are, and are strange to the network; None where it cannot tell."""
    import numpy as np

    from pipeline.compute import devices
    from pipeline.inputs import batches
    from pipeline.serving import engines

    engine = engines.load(model, devices.pick(config.device))
    if engine.unflagged:
        return None
    specs, counts = batches.specs(engine.card), {}
    for part in ("val", "test"):
        sample_ids = predicted.loc[predicted["part"] == part, "sample_id"].tolist()
        asked = batches.Samples({name: store[name] for name in specs}, store.rows(sample_ids), sample_ids)
        streamed = batches.identity(asked, np.arange(len(asked)), config.batch_size, engine.device)
        strange = [(engine.read(batch.make(specs))[1] > 1).sum() for batch in streamed]
        counts[part] = {"samples": len(asked), "flagged": int(sum(strange))}
    return counts


def _blank(card: Mapping[str, Any]) -> Any:
    """A sample in which nothing is to be seen, as the network reads it."""
    from pipeline.inputs import batches

    specs = batches.specs(card)
    return batches.blank(specs, "cpu").make(specs)


def _measure(config: EvaluateConfig, question: Question, predicted: pd.DataFrame) -> dict[str, Any]:
    """Metrics of the test part, what was fitted on validation, and a metric in every group of its subjects."""
    from pipeline.evaluation import predictions, subgroups, thresholds, videos
    from pipeline.evaluation.metrics import METRICS

    test, validation = (predicted[predicted["part"] == part] for part in ("test", "val"))
    draws = (config.replicates, config.confidence, config.seed)
    kind = METRICS[question.kind]
    return {
        "metrics": predictions.scores(test, question, *draws),
        "calibration": predictions.calibrated(test, validation, question, *draws) if kind.CALIBRATED else None,
        "thresholds": thresholds.measured(test, validation, question, *draws) if kind.THRESHOLDED else None,
        "videos": videos.measured(test, question, *draws),
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
    told = {"calibration": measured["calibration"], "groups": measured["groups"], "domain": measured["domain"]}
    return modelcard.render(card, facts, {"test": measured["metrics"], **told})


def _write_json(work: Work, name: str, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (work.path / name).write_text(text + "\n", encoding="utf-8")
