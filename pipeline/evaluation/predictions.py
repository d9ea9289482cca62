"""The table of predictions: one row per sample, from a model's outputs to metrics with intervals.

What depends on the kind of the task stands in `pipeline.evaluation.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import DataError
from pipeline.evaluation import bootstrap, calibration
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.points import WARP
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

# Columns of a predictions table that are not attributes of the person.
_NOT_ATTRIBUTES = {"sample_id", "subject_id", "part", "label", "hard_negative", "detected", "source", "prob"}
_NOT_ATTRIBUTES |= {"predicted", "teacher_predicted", "fold", "sequence"}
_MADE_HERE = ("label_", "logit_", "prob_", "value_", "predicted_", "teacher_predicted_", "teacher_value_", "warp_")

_ANSWERED = ("logit_", "prob_", "value_", "predicted", "teacher_")  # how the columns of a model's answers begin


def samples_table(
    samples: pd.DataFrame,
    split: pd.DataFrame,
    detected: pd.Series | None,
    task: Task,
    attributes: Sequence[str] = (),
) -> pd.DataFrame:
    """Join, by sample_id, what is known of every sample of a task before a model saw it.

    Parameters
    ----------
    samples : rows of samples.csv; of points those of `pipeline.inputs.sample_table.read`.
    split : rows of split.csv.
    detected : bool, indexed by sample_id; None where nothing is looked for.
    task : says what the target column means; samples of which it says nothing are left out.
    attributes : the columns of ``samples`` that describe the person.

    Returns
    -------
    One row per sample that the task uses, in the order of ``samples``: sample_id, subject_id, part, label (the number
    of the class; other kinds have label_<output>, points label_<point>_<axis> in pixels), hard_negative where the task
    and the samples have them, detected, source where there are several, sequence where the frames are of videos,
    warp_0 … warp_5 where the samples have them, then the attributes. A sample in no part has part ``unused``.

    Raises
    ------
    DataError : the samples lack the task's target.
    """
    labels = _labels(samples, task)
    answered = labels.notna().all(axis=1)
    samples, labels = samples[answered], labels[answered]
    table = samples[["sample_id", "subject_id"]].copy()
    table["part"] = table["sample_id"].map(split.set_index("sample_id")["part"]).fillna("unused")
    kind = int if task.kind in ("classify", "multilabel") else float
    table = pd.concat([table, labels.astype(kind)], axis=1)
    if task.hard_negatives in samples:
        table["hard_negative"] = samples[task.hard_negatives].fillna(0).astype(int)
    if detected is not None:
        table["detected"] = table["sample_id"].map(detected).astype(int)
    further = [name for name in ("source", "sequence", *WARP, *attributes) if name in samples]
    return pd.concat([table, samples[further]], axis=1).reset_index(drop=True)


def unanswered(frame: pd.DataFrame) -> pd.DataFrame:
    """A predictions table without the answers: what `samples_table` gave of its samples."""
    return frame[[name for name in frame.columns if name != "prob" and not name.startswith(_ANSWERED)]]


def attributes(frame: pd.DataFrame) -> list[str]:
    """The columns of a predictions table that describe the person."""
    return [name for name in frame.columns if name not in _NOT_ATTRIBUTES and not name.startswith(_MADE_HERE)]


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with a model's answers, in the columns of its kind.

    Parameters
    ----------
    table : N rows of `samples_table`.
    outputs, teacher_outputs : raw outputs of the model and of its teacher, float32, shape (N, C); None without one.
    """
    return METRICS[question.kind].prediction_columns(table, outputs, question, teacher_outputs)


def outcome(frame: pd.DataFrame, question: Question) -> Any:
    """What the metrics of the kind need of a predictions table."""
    return METRICS[question.kind].outcome(frame, question)


def scores(frame: pd.DataFrame, question: Question, replicates: int, confidence: float, seed: int) -> dict[str, Any]:
    """Every metric of one part with its interval, as values that JSON can hold.

    Returns
    -------
    samples, subjects, replicates, confidence, ``metrics`` (by name an estimate), ``per_output`` (by output, then by
    name) and, of classes, ``confusion`` (counts: row the true class, column the predicted one).
    """
    kind, weights = METRICS[question.kind], bootstrap.resamples(frame["subject_id"].to_numpy(), replicates, seed)
    result = kind.outcome(frame, question)
    values, columns = kind.compute(result, weights), kind.per_output(result, weights)
    return {
        "samples": len(frame),
        "subjects": int(frame["subject_id"].nunique()),
        "replicates": replicates,
        "confidence": confidence,
        "metrics": estimates(values, kind.metrics(question), confidence),
        "per_output": {
            name: estimates({k: v[:, c] for k, v in columns.items()}, kind.per_output_metrics(question), confidence)
            for c, name in enumerate(question.outputs)
        },
        **kind.extras(result),
    }


def logits(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """A predictions table's logits, float64, shape (N, C)."""
    return frame[[f"logit_{name}" for name in question.outputs]].to_numpy(dtype=np.float64)


def log_odds(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """Log-odds of the positive class from a predictions table's logits, float64, shape (N,)."""
    return calibration.log_odds(logits(frame, question), question)


def calibrated(
    test: pd.DataFrame, validation: pd.DataFrame, question: Question, replicates: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Calibration of a classifier on the test part, before and after a temperature fitted on validation, for JSON.

    The temperature belongs to the model: it is fitted once, not again in every resample.

    Parameters
    ----------
    test, validation : predictions of the two parts.

    Returns
    -------
    samples, subjects, replicates, confidence, temperature, and for ``before`` and ``after`` the figures of
    `calibration.figures` and the reliability curve; ``after`` is None where no temperature is best.
    """
    weights = bootstrap.resamples(test["subject_id"].to_numpy(), replicates, seed)
    label, before = test["label"].to_numpy(), logits(test, question)
    best = calibration.temperature(validation["label"].to_numpy(), logits(validation, question), question)
    after = None if best.reason else _calibration(label, before / best.value, weights, question, confidence)
    return {
        "samples": len(test),
        "subjects": int(test["subject_id"].nunique()),
        "replicates": replicates,
        "confidence": confidence,
        "temperature": {
            "value": None if best.reason else best.value,
            "reason": best.reason,
            "part": "val",
            "samples": len(validation),
        },
        "before": _calibration(label, before, weights, question, confidence),
        "after": after,
    }


def estimates(values: dict[str, np.ndarray], described: dict[str, Metric], confidence: float) -> dict[str, Any]:
    """Metrics with their intervals, from their values on the samples and on every resample, for JSON."""
    return {
        name: bootstrap.plain(bootstrap.interval(values[name], confidence, metric.undefined))
        for name, metric in described.items()
    }


def _calibration(
    label: np.ndarray, outputs: np.ndarray, weights: np.ndarray, question: Question, confidence: float
) -> dict[str, Any]:
    """Figures and reliability curve as values that JSON can hold."""
    values = calibration.compute(label, outputs, weights, question)
    curve = calibration.curve(label, outputs, weights, question, confidence)
    return {
        "figures": estimates(values, calibration.figures(question), confidence),
        "curve": [_point(bin) for bin in curve],
    }


def _point(bin: calibration.Bin) -> dict[str, Any]:
    """A point of a reliability curve for JSON."""
    probability = bin.probability if bin.samples else None
    return asdict(bin) | {"probability": probability, "share": bootstrap.plain(bin.share)}


def _labels(samples: pd.DataFrame, task: Task) -> pd.DataFrame:
    try:
        return METRICS[task.kind].label_columns(samples, task)
    except KeyError as error:
        raise DataError(
            f"samples.csv has no column {error} that TASK={task.name} asks for, it has {', '.join(samples.columns)}. "
            "Choose a task of this dataset, or index a dataset that answers it: make index"
        ) from error
