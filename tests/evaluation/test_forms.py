"""Forms of one network beside each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import forms, predictions
from pipeline.evaluation.question import Question

QUESTION = Question("classify", ("no", "yes"), "yes", headline="balanced_accuracy")
DRAWS = {"replicates": 500, "confidence": 0.95, "seed": 0}
LABEL = np.tile([0, 1], 20)


def test_the_difference_is_that_of_the_same_subjects():
    right = np.stack([1.0 - LABEL, LABEL], axis=1).astype(np.float32)
    wrong = right.copy()
    wrong[:4] = wrong[:4, ::-1]  # two of either class
    table = pd.DataFrame({"sample_id": [f"{n}" for n in range(40)], "subject_id": np.arange(40) // 2, "label": LABEL})
    answered = predictions.prediction_columns(table, wrong, QUESTION)
    told = forms.compared(answered, {"first": right, "same": right, "worse": wrong}, QUESTION, **DRAWS)
    assert told["first"] == {"metric": {"value": 1.0, "low": 1.0, "high": 1.0, "undefined": 0, "reason": ""}}
    assert told["same"]["difference"]["high"] == told["same"]["difference"]["low"] == 0
    assert told["same"]["p_value"] == 1
    assert told["worse"]["metric"]["value"] == pytest.approx(0.9)
    difference = told["worse"]["difference"]
    assert difference["value"] == pytest.approx(-0.1)
    assert -0.25 <= difference["low"] < -0.1 < difference["high"] <= 0


def test_what_another_model_answered_is_left_out():
    table = pd.DataFrame({"sample_id": ["a"], "subject_id": [1], "label": [0], "part": ["test"], "age": ["old"]})
    answered = predictions.prediction_columns(table, np.zeros((1, 2), np.float32), QUESTION, np.zeros((1, 2)))
    assert set(answered) > set(table)
    pd.testing.assert_frame_equal(predictions.unanswered(answered), table)
