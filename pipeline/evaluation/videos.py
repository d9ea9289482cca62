"""Scores of whole videos: what the answers about the frames of a video say of it.

The numbers of a video's frames become one in several ways, the true ones and the predicted ones alike. Frames of one
video are far from independent, and an observer rates videos, so that these are the scores to compare with theirs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, predictions
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question

TOP = 0.1  # the share of a video's frames that its top-decile mean is taken over
METRIC_NAMES = ("ccc", "mae", "pearson")


def top_mean(values: pd.Series) -> float:
    """Mean of the highest tenth of the values, at least of one: a peak that no single frame makes."""
    return float(values.nlargest(math.ceil(TOP * len(values))).mean())


AGGREGATIONS = {"mean": "mean", "max": "max", "top_decile": top_mean}
TITLES = {"mean": "mean of the frames", "max": "highest frame", "top_decile": "mean of the highest tenth of the frames"}


def scored(frame: pd.DataFrame, question: Question, aggregation: str) -> pd.DataFrame:
    """One row per video, in the columns of a predictions table.

    Parameters
    ----------
    frame : predictions about N frames, with ``sequence``; frames that are of no video are left out.
    aggregation : a name in `AGGREGATIONS`.

    Returns
    -------
    subject_id, sequence, frames (how many), and label_<output> and value_<output> of the video.
    """
    columns = [f"{kind}_{name}" for kind in ("label", "value") for name in question.outputs]
    grouped = frame[_of_videos(frame)].groupby(["subject_id", "sequence"], sort=True)
    table = grouped[columns].agg(AGGREGATIONS[aggregation])
    return table.assign(frames=grouped.size()).reset_index()[["subject_id", "sequence", "frames", *columns]]


def measured(
    frame: pd.DataFrame, question: Question, replicates: int, confidence: float, seed: int
) -> dict[str, Any] | None:
    """Metrics of the videos of one part with their intervals over subjects, as values that JSON can hold.

    Parameters
    ----------
    frame : predictions of the part.

    Returns
    -------
    None where no frame is of a video, or where answers of this kind make none about a video. Else sequences, frames,
    subjects, replicates, confidence and ``aggregations``: by a name of `AGGREGATIONS` an estimate of each of
    `METRIC_NAMES`.
    """
    kind = METRICS[question.kind]
    if not kind.SEQUENCED or not _of_videos(frame).any():
        return None
    described = {name: kind.metrics(question)[name] for name in METRIC_NAMES}
    tables = {name: scored(frame, question, name) for name in AGGREGATIONS}
    videos = tables["mean"]
    weights = bootstrap.resamples(videos["subject_id"].to_numpy(), replicates, seed)
    return {
        "sequences": len(videos),
        "frames": int(videos["frames"].sum()),
        "subjects": int(videos["subject_id"].nunique()),
        "replicates": replicates,
        "confidence": confidence,
        "aggregations": {
            name: predictions.estimates(
                kind.compute(kind.outcome(table, question), weights, METRIC_NAMES), described, confidence
            )
            for name, table in tables.items()
        },
    }


def _of_videos(frame: pd.DataFrame) -> np.ndarray:
    """Which frames are of a video: bool, shape (N,)."""
    if "sequence" not in frame:
        return np.zeros(len(frame), dtype=bool)
    return (frame["sequence"].notna() & (frame["sequence"] != "")).to_numpy()
