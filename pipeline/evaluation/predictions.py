"""The table of predictions: one row per face, from a model's logits to metrics with intervals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, calibration
from pipeline.evaluation.metrics import classify as metrics

POSITIVE = 1  # pain
# Columns of samples.csv and split.csv that are not attributes of the person.
_NOT_ATTRIBUTES = {"sample_id", "file", "region", "x0", "y0", "x1", "y1", "label", "subject_id", "expressive"}
_NOT_ATTRIBUTES |= {"fold", "part", "detected", "prob"}


def faces_table(samples: pd.DataFrame, split: pd.DataFrame, detected: pd.Series) -> pd.DataFrame:
    """Join, by sample_id, what is known of every face before a model saw it.

    Parameters
    ----------
    samples : rows of samples.csv.
    split : rows of split.csv.
    detected : bool, indexed by sample_id.

    Returns
    -------
    One row per sample, in the order of ``samples``: sample_id, subject_id, part, label, expressive, detected, then
    the attributes of the person. A sample in no part has part ``unused``.
    """
    part = split.set_index("sample_id")["part"]
    table = samples[["sample_id", "subject_id", "label", "expressive"]].copy()
    table.insert(2, "part", table["sample_id"].map(part).fillna("unused"))
    table["detected"] = table["sample_id"].map(detected).astype(int)
    return pd.concat([table, samples[attributes(samples)]], axis=1)


def attributes(frame: pd.DataFrame) -> list[str]:
    """The columns of a table of samples that describe the person."""
    made_here = ("logit_", "prob_", "predicted", "teacher_predicted")
    return [name for name in frame.columns if name not in _NOT_ATTRIBUTES and not name.startswith(made_here)]


def add_answers(
    table: pd.DataFrame,
    logits: np.ndarray,
    classes: list[str],
    teacher_predicted: np.ndarray | None = None,
) -> pd.DataFrame:
    """Append a model's answers to the table of faces.

    Parameters
    ----------
    table : N rows of `faces_table`.
    logits : float32, shape (N, C).
    classes : the C names, in the order of the logits.
    teacher_predicted : int, shape (N,), the teacher's class of every face; None without a teacher.

    Returns
    -------
    ``table`` with logit_<class>, prob_<class 1> (softmax), predicted (argmax) and, with a teacher, teacher_predicted.
    """
    answered = table.copy()
    for number, name in enumerate(classes):
        answered[f"logit_{name}"] = logits[:, number]
    answered[f"prob_{classes[POSITIVE]}"] = _softmax(logits)[:, POSITIVE]
    answered["predicted"] = logits.argmax(axis=1)
    if teacher_predicted is not None:
        answered["teacher_predicted"] = teacher_predicted
    return answered


def outcome(frame: pd.DataFrame) -> metrics.Outcome:
    """What the metrics need of a predictions table."""
    teacher = frame["teacher_predicted"].to_numpy() if "teacher_predicted" in frame else None
    return metrics.Outcome(
        label=frame["label"].to_numpy(),
        score=frame[probability_column(frame)].to_numpy(),
        predicted=frame["predicted"].to_numpy(),
        expressive=frame["expressive"].to_numpy().astype(bool),
        teacher_predicted=teacher,
    )


def probability_column(frame: pd.DataFrame) -> str:
    """The name of the column that holds the probability of the positive class."""
    return next(name for name in frame.columns if name.startswith("prob_"))


def scores(frame: pd.DataFrame, replicates: int, confidence: float, seed: int) -> dict[str, Any]:
    """Every metric of one part with its interval, and the confusion matrix, as values that JSON can hold."""
    weights = bootstrap.resamples(frame["subject_id"].to_numpy(), replicates, seed)
    said = outcome(frame)
    values = metrics.compute(said, weights)
    return {
        "faces": len(frame),
        "subjects": int(frame["subject_id"].nunique()),
        "replicates": replicates,
        "confidence": confidence,
        "metrics": {
            name: bootstrap.plain(bootstrap.interval(values[name], confidence, metric.undefined))
            for name, metric in metrics.METRICS.items()
        },
        "confusion": metrics.confusion(said.label, said.predicted).tolist(),
    }


def log_odds(frame: pd.DataFrame) -> np.ndarray:
    """Log-odds of the positive class from a predictions table's logits, float64, shape (N,).

    For two classes the difference of their logits; for more, the positive logit minus the log-sum-exp of the others.
    """
    logits = frame[[name for name in frame.columns if name.startswith("logit_")]].to_numpy(dtype=np.float64)
    others = np.delete(logits, POSITIVE, axis=1)
    return logits[:, POSITIVE] - np.logaddexp.reduce(others, axis=1)


def calibrated(
    test: pd.DataFrame, validation: pd.DataFrame, replicates: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Calibration on the test part, before and after a temperature fitted on validation, as values for JSON.

    The temperature belongs to the model: it is fitted once, not again in every resample.

    Parameters
    ----------
    test, validation : predictions of the two parts.

    Returns
    -------
    faces, subjects, replicates, confidence, temperature, and for ``before`` and ``after`` the figures of
    `calibration.FIGURES` and the reliability curve; ``after`` is None where no temperature is best.
    """
    weights = bootstrap.resamples(test["subject_id"].to_numpy(), replicates, seed)
    label, before = test["label"].to_numpy(), log_odds(test)
    found = calibration.temperature(validation["label"].to_numpy(), log_odds(validation))
    after = None if found.reason else _calibration(label, before / found.value, weights, confidence)
    return {
        "faces": len(test),
        "subjects": int(test["subject_id"].nunique()),
        "replicates": replicates,
        "confidence": confidence,
        "temperature": {
            "value": None if found.reason else found.value,
            "reason": found.reason,
            "part": "val",
            "faces": len(validation),
        },
        "before": _calibration(label, before, weights, confidence),
        "after": after,
    }


def _calibration(label: np.ndarray, odds: np.ndarray, weights: np.ndarray, confidence: float) -> dict[str, Any]:
    """Figures and reliability curve as values that JSON can hold."""
    values = calibration.compute(label, odds, weights)
    return {
        "figures": {
            name: bootstrap.plain(bootstrap.interval(values[name], confidence, figure.undefined))
            for name, figure in calibration.FIGURES.items()
        },
        "curve": [_point(bin) for bin in calibration.curve(label, odds, weights, confidence)],
    }


def _point(bin: calibration.Bin) -> dict[str, Any]:
    """A point of a reliability curve for JSON."""
    probability = bin.probability if bin.faces else None
    return asdict(bin) | {"probability": probability, "share": bootstrap.plain(bin.share)}


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
