"""What the forms of one network are worth: the headline metric of each, and its paired difference to the original."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, predictions
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.evaluation.significance import bootstrap_p


def compared(
    test: pd.DataFrame,
    outputs: Mapping[str, np.ndarray],
    question: Question,
    replicates: int,
    confidence: float,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """The forms' metrics under the same resamples of subjects, for JSON.

    Parameters
    ----------
    test : predictions of the test part by any model; what it answered is left out.
    outputs : by form its raw outputs, float32, shape (N, C); the first form is the one that all others are compared
        with.

    Returns
    -------
    By form ``metric``, an estimate, and, but for the first, ``difference``, an estimate, with ``p_value``, two-sided.
    """
    table, weights = predictions.unanswered(test), bootstrap.resamples(test["subject_id"].to_numpy(), replicates, seed)
    kind, name = METRICS[question.kind], question.headline
    undefined = kind.metrics(question)[name].undefined
    values = {}
    for form, answers in outputs.items():
        answered = kind.outcome(predictions.prediction_columns(table, answers, question), question)
        values[form] = kind.compute(answered, weights, [name])[name]
    first, *others = values
    told: dict[str, dict[str, Any]] = {
        form: {"metric": bootstrap.plain(bootstrap.interval(rows, confidence, undefined))}
        for form, rows in values.items()
    }
    for form in others:
        difference = values[form] - values[first]
        p_value = bootstrap_p(difference)
        told[form]["difference"] = bootstrap.plain(bootstrap.interval(difference, confidence, undefined))
        told[form]["p_value"] = None if math.isnan(p_value) else p_value
    return told
