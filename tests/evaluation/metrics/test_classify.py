from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.evaluation.metrics import classify as metrics


def outcome(n: int = 60, seed: int = 0, ties: bool = False) -> metrics.Outcome:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    score = np.clip(rng.normal(0.35 + 0.3 * label, 0.25), 0, 1)
    score = np.round(score, 1) if ties else score
    return metrics.Outcome(
        label=label,
        score=score,
        predicted=(score > 0.5).astype(int),
        expressive=(label == 1) | (rng.random(n) < 0.5),
        teacher_predicted=rng.integers(0, 2, n),
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn_under_any_weights(seed, ties):
    o = outcome(seed=seed, ties=ties)
    weights = np.random.default_rng(seed).integers(0, 4, (5, len(o.label))).astype(float)
    ours = metrics.compute(o, weights)
    for row, w in enumerate(weights):
        quiet = o.expressive & (o.label == 0)
        expected = {
            "accuracy": reference.accuracy_score(o.label, o.predicted, sample_weight=w),
            "balanced_accuracy": reference.balanced_accuracy_score(o.label, o.predicted, sample_weight=w),
            "precision": reference.precision_score(o.label, o.predicted, sample_weight=w),
            "recall": reference.recall_score(o.label, o.predicted, sample_weight=w),
            "f1": reference.f1_score(o.label, o.predicted, sample_weight=w),
            "specificity": reference.recall_score(o.label, o.predicted, pos_label=0, sample_weight=w),
            "specificity_expressive": reference.accuracy_score(
                o.label[quiet], o.predicted[quiet], sample_weight=w[quiet]
            ),
            "roc_auc": reference.roc_auc_score(o.label, o.score, sample_weight=w),
            "average_precision": reference.average_precision_score(o.label, o.score, sample_weight=w),
            "agreement": reference.accuracy_score(o.teacher_predicted, o.predicted, sample_weight=w),
        }
        assert set(expected) == set(metrics.METRICS) == set(ours)
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-12), name


def test_by_hand():
    o = metrics.Outcome(
        label=np.array([1, 1, 1, 0, 0]),
        score=np.array([0.9, 0.8, 0.3, 0.6, 0.1]),
        predicted=np.array([1, 1, 0, 1, 0]),
        expressive=np.array([1, 1, 1, 1, 0], dtype=bool),
    )
    value = {name: v[0] for name, v in metrics.compute(o, np.ones((1, 5))).items()}
    assert value["recall"] == pytest.approx(2 / 3)
    assert value["specificity"] == pytest.approx(1 / 2)
    assert value["balanced_accuracy"] == pytest.approx(7 / 12)
    assert value["specificity_expressive"] == 0
    assert value["roc_auc"] == pytest.approx(5 / 6)
    assert value["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert np.isnan(value["agreement"])
    assert metrics.confusion(o.label, o.predicted).tolist() == [[1, 1], [1, 2]]


def test_undefined_is_nan_not_a_number():
    calm = metrics.Outcome(
        label=np.zeros(3, int), score=np.zeros(3), predicted=np.zeros(3, int), expressive=np.zeros(3, bool)
    )
    value = {name: v[0] for name, v in metrics.compute(calm, np.ones((1, 3))).items()}
    undefined = {name for name, v in value.items() if np.isnan(v)}
    assert undefined == set(metrics.METRICS) - {"accuracy", "specificity"}
    assert value["specificity"] == 1
    empty = metrics.Outcome(*(np.zeros(0, int) for _ in range(4)))
    assert all(np.isnan(v).all() for v in metrics.compute(empty, np.ones((2, 0))).values())
