from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from pipeline.evaluation.metrics import multilabel
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

QUESTION = Question("multilabel", ("fire", "smoke", "person"), headline="macro_f1", sample="frame", samples="frames")


def outcome(n: int = 80, seed: int = 0) -> multilabel.Outcome:
    rng = np.random.default_rng(seed)
    label = (rng.random((n, 3)) < (0.2, 0.5, 0.4)).astype(int)
    probabilities = np.clip(np.round(rng.normal(0.35 + 0.3 * label, 0.25), 2), 0, 1)
    return multilabel.Outcome(
        QUESTION, label, probabilities, (probabilities > 0.5).astype(int), rng.integers(0, 2, (n, 3))
    )


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn_under_any_weights(seed):
    o = outcome(seed=seed)
    weights = np.random.default_rng(seed).integers(0, 4, (5, len(o.label))).astype(float)
    ours, labels = multilabel.compute(o, weights), multilabel.per_output(o, weights)
    for row, w in enumerate(weights):
        counted = reference.precision_recall_fscore_support(o.label, o.predicted, sample_weight=w)
        areas = [
            area(o.label, o.probabilities, average=None, sample_weight=w)
            for area in (reference.roc_auc_score, reference.average_precision_score)
        ]
        columns = dict(zip(multilabel.per_output_metrics(QUESTION), (*counted[:3], *areas), strict=True))
        assert set(columns) == set(labels)
        for name, values in columns.items():
            np.testing.assert_allclose(labels[name][row], values, atol=1e-12, err_msg=name)
        expected = {f"macro_{name}": np.mean(columns[name]) for name in ("f1", "precision", "recall")}
        expected |= {name: np.mean(columns[name]) for name in ("roc_auc", "average_precision")}
        expected["exact_match"] = reference.accuracy_score(o.label, o.predicted, sample_weight=w)
        expected["hamming_loss"] = reference.hamming_loss(o.label, o.predicted, sample_weight=w)
        expected["agreement"] = 1 - reference.hamming_loss(o.teacher_predicted, o.predicted, sample_weight=w)
        assert set(expected) == set(ours) == set(multilabel.metrics(QUESTION))
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-12), name


def test_undefined_is_nan():
    o = outcome()
    no_fire = among(o, o.label[:, 0] == 0)
    values = multilabel.compute(no_fire, np.ones((1, len(no_fire.label))))
    undefined = {name for name, v in values.items() if np.isnan(v[0])}
    assert undefined == {"macro_recall", "roc_auc", "average_precision"}
    nothing = multilabel.compute(among(o, np.zeros(80, bool)), np.ones((2, 0)))
    assert all(np.isnan(v).all() for v in nothing.values())
    untaught = multilabel.Outcome(QUESTION, o.label, o.probabilities, o.predicted)
    assert np.isnan(multilabel.compute(untaught, np.ones((1, 80)), ("agreement",))["agreement"]).all()


def test_columns_are_read_as_they_were_written():
    task = Task("fire", "multilabel", "fire", QUESTION.outputs)
    cells = {"fire": [0, 1, 1, ""], "smoke": [1, 0, 1, 0], "person": [0, 0, 2, 0]}
    labels = multilabel.label_columns(pd.DataFrame(cells), task)
    assert labels.notna().all(axis=1).tolist() == [True, True, False, False]
    logits = np.array([[-1, 2, 0], [np.log(3), -2, 5]], np.float32)
    frame = multilabel.prediction_columns(labels.head(2), logits, QUESTION, -logits)
    assert frame["prob_fire"].iloc[1] == pytest.approx(0.75)
    o = multilabel.outcome(frame, QUESTION)
    assert o.predicted.tolist() == [[0, 1, 0], [1, 0, 1]]
    assert o.teacher_predicted.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert o.label.tolist() == [[0, 1, 0], [1, 0, 0]]
    untaught = multilabel.prediction_columns(labels.head(2), logits, QUESTION)
    assert multilabel.outcome(untaught, QUESTION).teacher_predicted is None


def test_metrics_that_rank_are_left_out_where_nobody_asks(monkeypatch):
    rng = np.random.default_rng(0)
    question = Question("multilabel", ("fire", "smoke"), headline="macro_f1")
    label, probability = rng.integers(0, 2, (30, 2)), rng.random((30, 2))
    o = multilabel.Outcome(question, label, probability, (probability > 0.5).astype(int))
    every, columns = multilabel.compute(o, np.ones((1, 30))), multilabel.per_output(o, np.ones((1, 30)))
    monkeypatch.setattr(multilabel, "rankings", None)
    some = multilabel.compute(o, np.ones((1, 30)), ("exact_match", "macro_f1"))
    assert some == {"exact_match": every["exact_match"], "macro_f1": every["macro_f1"]}
    np.testing.assert_array_equal(multilabel.per_output(o, np.ones((1, 30)), ("f1",))["f1"], columns["f1"])
