"""What a two-class model said, from one score a sample."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.metrics.classify import Outcome
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS

TWO = Question.of(TASKS["pain"])


def two_classes(label: np.ndarray, score: np.ndarray, predicted: np.ndarray | None = None) -> Outcome:
    """An outcome of `TWO`; by default the positive class is chosen where its score is above one half.

    Parameters
    ----------
    label, predicted : int, shape (N,)
    score : float, shape (N,), of the positive class.
    """
    chosen = (score > 0.5).astype(int) if predicted is None else predicted
    return Outcome(TWO, label, np.stack([1 - score, score], axis=1), chosen, np.ones(len(label), bool))
