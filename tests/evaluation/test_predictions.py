from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.evaluation import predictions

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


def test_log_odds_of_the_positive_class():
    logits = np.array([[2, 5], [0, 0], [900, -900]], np.float32)
    frame = predictions.add_answers(pd.DataFrame({"label": [0, 1, 0]}), logits, CLASSES)
    odds = predictions.log_odds(frame)
    np.testing.assert_allclose(odds, [3, 0, -1800])
    np.testing.assert_allclose(1 / (1 + np.exp(-odds[:2])), frame["prob_pain"][:2])
    three = np.log([[0.2, 0.5, 0.3]]).astype(np.float32)
    frame = predictions.add_answers(pd.DataFrame({"label": [0]}), three, ["calm", "pain", "sad"])
    assert predictions.log_odds(frame)[0] == pytest.approx(0, abs=1e-6)


def answered(n: int, sureness: float, seed: int) -> pd.DataFrame:
    """Two faces a subject; labels drawn from log-odds of which the logits make too much."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, n)
    label = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)
    frame = pd.DataFrame({"subject_id": [f"{seed}-{i // 2}" for i in range(n)], "label": label})
    logits = np.stack([-sureness * odds / 2, sureness * odds / 2], axis=1).astype(np.float32)
    return predictions.add_answers(frame, logits, CLASSES)


def test_calibration_before_and_after_a_temperature():
    found = predictions.calibrated(answered(600, 3, seed=0), answered(600, 3, seed=1), 100, 0.95, seed=0)
    found = json.loads(json.dumps(found, allow_nan=False))
    assert found["temperature"]["value"] == pytest.approx(3, rel=0.2)
    assert (found["faces"], found["subjects"], found["temperature"]["faces"]) == (600, 300, 600)
    before, after = found["before"]["figures"], found["after"]["figures"]
    assert after["slope"]["value"] == pytest.approx(found["temperature"]["value"] * before["slope"]["value"])
    assert before["slope"]["high"] < 1
    assert after["slope"]["low"] < 1 < after["slope"]["high"]
    for name in ("ece", "brier", "nll"):
        assert after[name]["value"] < before[name]["value"]
    for when in ("before", "after"):
        assert sum(point["faces"] for point in found[when]["curve"]) == 600


def test_calibration_without_a_temperature_says_why():
    test, validation = answered(40, 1, seed=0), answered(40, 1, seed=1)
    validation["label"] = (predictions.log_odds(validation) > 0).astype(int)
    found = json.loads(json.dumps(predictions.calibrated(test, validation, 20, 0.95, seed=0), allow_nan=False))
    assert found["after"] is None
    assert found["temperature"]["value"] is None
    assert "gets wrong" in found["temperature"]["reason"]
    nobody = predictions.calibrated(test, validation.head(0), 20, 0.95, seed=0)
    assert nobody["temperature"]["reason"] == "needs a validation face"
