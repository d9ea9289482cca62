"""The bootstrap of all metrics by weights, beside drawing the faces and asking scikit-learn: compare within a group."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from pipeline import statistics
from pipeline.metrics import Outcome, compute

SUBJECTS, REPLICATES = 54, 200
SUBJECT = np.repeat(np.arange(SUBJECTS), 2)
RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 2, 2 * SUBJECTS)
SCORE = RNG.normal(LABEL, 1)
OUTCOME = Outcome(LABEL, SCORE, (SCORE > 0.5).astype(int), LABEL == 1)


@pytest.mark.benchmark(group="bootstrap 200 resamples")
def test_weights(benchmark):
    benchmark(lambda: compute(OUTCOME, statistics.resamples(SUBJECT, REPLICATES, seed=0)))


@pytest.mark.benchmark(group="bootstrap 200 resamples")
def test_drawn_faces(benchmark):
    def naive():
        for weights in statistics.resamples(SUBJECT, REPLICATES, seed=0).astype(int):
            rows = np.repeat(np.arange(len(LABEL)), weights)
            label, score = LABEL[rows], SCORE[rows]
            roc_auc_score(label, score), average_precision_score(label, score)
            balanced_accuracy_score(label, OUTCOME.predicted[rows])

    benchmark.pedantic(naive, rounds=1)
