"""The bootstrap of all metrics by weights, beside drawing the faces and asking scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics.classify import compute
from tests.benchmarks.measure import Figure, compare
from tests.helpers.outcomes import two_classes

SUBJECTS, REPLICATES = 54, 200
SUBJECT = np.repeat(np.arange(SUBJECTS), 2)


def run(quick: bool) -> Iterator[Figure]:
    """Resamples a second."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 2 * SUBJECTS)
    score = rng.normal(label, 1)
    outcome = two_classes(label, score)

    def weighted() -> int:
        compute(outcome, bootstrap.resamples(SUBJECT, REPLICATES, seed=0))
        return REPLICATES

    def drawn() -> int:
        for weights in bootstrap.resamples(SUBJECT, REPLICATES, seed=0).astype(int):
            rows = np.repeat(np.arange(len(label)), weights)
            roc_auc_score(label[rows], score[rows]), average_precision_score(label[rows], score[rows])
            balanced_accuracy_score(label[rows], outcome.predicted[rows])
        return REPLICATES

    against = "faces drawn, three of its metrics by scikit-learn"
    yield compare("evaluate", "bootstrap of all metrics", weighted, drawn, against, "resamples/s", 1 if quick else 5)
