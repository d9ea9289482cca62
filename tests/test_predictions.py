from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline import predictions

CLASSES = ["no_pain", "pain"]


@pytest.fixture
def samples():
    return pd.DataFrame(
        {
            "sample_id": ["a#left", "a#right", "b#left", "b#right"],
            "file": ["a", "a", "b", "b"],
            "region": ["left", "right"] * 2,
            "label": [0, 1, 0, 0],
            "subject_id": ["a", "a", "b", "b"],
            "expressive": [0, 1, 0, 1],
            "gender": ["Man", "Man", "Woman", "Woman"],
        }
    )


def test_tables_are_joined_by_sample_id_not_by_position(samples):
    split = samples[["sample_id", "subject_id"]].assign(part=["train", "train", "test", "test"]).iloc[::-1]
    detected = pd.Series([False, True, True, True], index=["b#right", "b#left", "a#right", "a#left"])
    table = predictions.faces_table(samples, split, detected)
    assert table["part"].tolist() == ["train", "train", "test", "test"]
    assert table["detected"].tolist() == [1, 1, 1, 0]
    assert predictions.attributes(table) == ["gender"]


def test_a_sample_in_no_part_is_kept_and_says_so(samples):
    split = samples[["sample_id"]].assign(part="test").head(3)
    table = predictions.faces_table(samples, split, pd.Series(True, index=samples["sample_id"]))
    assert table["part"].tolist() == ["test", "test", "test", "unused"]


def test_answers(samples):
    logits = np.array([[2, 0], [0, 2], [0, np.log(3)], [900, -900]], np.float32)
    frame = predictions.add_answers(samples, logits, CLASSES, np.array([0, 1, 0, 0]))
    np.testing.assert_allclose(frame["prob_pain"][[2, 3]], [0.75, 0], atol=1e-7)
    assert frame["predicted"].tolist() == [0, 1, 1, 0]
    assert predictions.attributes(frame) == ["gender"]
    outcome = predictions.outcome(frame)
    assert (outcome.predicted == outcome.teacher_predicted).tolist() == [True, True, False, True]


def test_scores_can_be_written_and_say_why_a_value_is_missing(samples):
    logits = np.array([[2, 0], [0, 2], [0, 1], [1, 0]], np.float32)
    frame = predictions.add_answers(samples, logits, CLASSES)
    scores = json.loads(json.dumps(predictions.scores(frame, 50, 0.95, seed=0), allow_nan=False))
    expected = balanced_accuracy_score(frame["label"], frame["predicted"])
    assert scores["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert scores["metrics"]["agreement"]["value"] is None
    assert scores["metrics"]["agreement"]["reason"] == "needs a teacher to agree with"
    assert scores["confusion"] == [[2, 1], [0, 1]]
    assert scores["subjects"] == 2
