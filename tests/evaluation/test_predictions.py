from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.errors import DataError
from pipeline.evaluation import predictions
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS, Task
from tests.helpers.outcomes import TWO

PAIN, EXPRESSION = TASKS["pain"], TASKS["expression"]
SEVEN = Question.of(EXPRESSION)


@pytest.fixture
def samples():
    """Two pictures of two regions, as the index writes them: targets in words, one of them empty."""
    return pd.DataFrame(
        {
            "sample_id": ["a#left", "a#right", "b#left", "b#right"],
            "file": ["a", "a", "b", "b"],
            "region": ["left", "right"] * 2,
            "subject_id": ["a", "a", "b", "b"],
            "source": ["one", "one", "two", "two"],
            "expressive": [0, 1, 0, np.nan],
            "pain": ["no_pain", "pain", "no_pain", "no_pain"],
            "expression": ["neutral", "pain", "joy", np.nan],
            "pspi": [0.0, 8.5, np.nan, 1.0],
            "gender": ["Man", "Man", "Woman", "Woman"],
        }
    )


@pytest.fixture
def split(samples):
    return samples[["sample_id", "subject_id"]].assign(part=["train", "train", "test", "test"]).iloc[::-1]


def test_tables_are_joined_by_sample_id_not_by_position(samples, split):
    detected = pd.Series([False, True, True, True], index=["b#right", "b#left", "a#right", "a#left"])
    table = predictions.samples_table(samples, split, detected, PAIN, ["gender"])
    assert table["part"].tolist() == ["train", "train", "test", "test"]
    assert table["detected"].tolist() == [1, 1, 1, 0]
    assert table["label"].tolist() == [0, 1, 0, 0]
    assert table["hard_negative"].tolist() == [0, 1, 0, 0]
    assert list(table)[-2:] == ["source", "gender"]
    assert predictions.attributes(table) == ["gender"]


def test_samples_of_which_the_task_says_nothing_are_left_out(samples, split):
    table = predictions.samples_table(samples, split, None, EXPRESSION)
    assert table["sample_id"].tolist() == ["a#left", "b#left"]  # pain is no expression, and one cell is empty
    assert [EXPRESSION.outputs[label] for label in table["label"]] == ["neutral", "happiness"]
    assert not {"hard_negative", "detected", "gender"} & set(table)
    intensity = Task("intensity", "regress", "pspi", ("pspi",))
    table = predictions.samples_table(samples, split, None, intensity)
    assert table["label_pspi"].tolist() == [0, 8.5, 1]
    assert predictions.attributes(table) == []


def test_frames_keep_their_video_which_is_no_attribute(samples, split):
    samples = samples.assign(sequence=["one", "one", "two", "two"])
    table = predictions.samples_table(samples, split, None, PAIN, ["gender"])
    assert table["sequence"].tolist() == ["one", "one", "two", "two"]
    assert predictions.attributes(table) == ["gender"]


def test_a_number_outside_the_bounds_of_its_task_is_left_out(samples, split):
    table = predictions.samples_table(samples.assign(pspi=[0, 16, 17, -1]), split, None, TASKS["intensity"])
    assert table["sample_id"].tolist() == ["a#left", "a#right"]


def test_points_are_joined_with_the_warps_of_their_samples(samples, split):
    task = TASKS["landmarks"].pointed(29)
    corners = np.arange(4 * 58, dtype=float).reshape(4, 58)
    cells = dict(zip([f"points29_{i}_{axis}" for i in range(29) for axis in "xy"], corners.T, strict=True))
    cells |= {f"warp_{i}": np.arange(4) + i / 10 for i in range(6)}
    samples = pd.concat([samples.assign(points29=[1, 1, np.nan, 1]), pd.DataFrame(cells)], axis=1)
    table = predictions.samples_table(samples, split, None, task, ["gender"])
    assert table["sample_id"].tolist() == ["a#left", "a#right", "b#right"]
    assert table["label_p28_y"].tolist() == [57, 115, 231]
    assert table["warp_5"].tolist() == [0.5, 1.5, 3.5]
    assert predictions.attributes(table) == ["gender"]


def test_a_sample_in_no_part_stays_and_says_so(samples):
    split = samples[["sample_id"]].assign(part="test").head(3)
    table = predictions.samples_table(samples, split, None, PAIN)
    assert table["part"].tolist() == ["test", "test", "test", "unused"]


def test_a_target_that_the_dataset_does_not_know_is_one_clear_error(samples, split):
    with pytest.raises(DataError, match=r"no column 'gaze' that TASK=gaze-away asks for, it has sample_id"):
        predictions.samples_table(samples, split, None, Task("gaze-away", "classify", "gaze", ("toward", "away")))


def two(label, logits, teacher=None) -> pd.DataFrame:
    frame = pd.DataFrame({"subject_id": ["a", "a", "b", "b"][: len(label)], "label": label})
    logits = np.array(logits, np.float32)
    return predictions.prediction_columns(frame, logits, TWO, None if teacher is None else np.eye(2)[teacher])


def test_prediction_columns():
    frame = two([0, 1, 0, 0], [[2, 0], [0, 2], [0, np.log(3)], [900, -900]], [0, 1, 0, 0])
    np.testing.assert_allclose(frame["prob_pain"][[2, 3]], [0.75, 0], atol=1e-7)
    np.testing.assert_allclose(frame["prob_pain"] + frame["prob_no_pain"], 1)
    assert frame["predicted"].tolist() == [0, 1, 1, 0]
    assert predictions.attributes(frame) == []
    outcome = predictions.outcome(frame, TWO)
    assert (outcome.predicted == outcome.teacher_predicted).tolist() == [True, True, False, True]


def test_scores_can_be_written_and_say_why_a_value_is_missing():
    frame = two([0, 1, 0, 0], [[2, 0], [0, 2], [0, 1], [1, 0]])
    scores = json.loads(json.dumps(predictions.scores(frame, TWO, 50, 0.95, 0), allow_nan=False))
    expected = balanced_accuracy_score(frame["label"], frame["predicted"])
    assert scores["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert scores["metrics"]["agreement"]["value"] is None
    assert scores["metrics"]["agreement"]["reason"] == "needs a teacher to agree with"
    assert scores["confusion"] == [[2, 1], [0, 1]]
    assert (scores["samples"], scores["subjects"]) == (4, 2)


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("classify", tuple("abc")),
        ("multilabel", tuple("ab")),
        ("regress", tuple("ab")),
        ("points", TASKS["landmarks"].pointed(29).outputs),
    ],
)
def test_every_kind_writes_and_reads_its_columns_and_has_figures_of_every_output(kind, outputs, tmp_path):
    task = Task("any", kind, "target", outputs, headline=METRICS[kind].HEADLINE)
    question, rng, n = Question.of(task), np.random.default_rng(0), 40
    samples = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "subject_id": np.arange(n) // 2})
    samples["target"] = rng.choice(list(outputs), n)
    cells = dict.fromkeys(outputs, 2) | {f"target_{i}_{axis}": 200 for i in range(len(outputs)) for axis in "xy"}
    samples = pd.concat([samples, pd.DataFrame({name: rng.integers(0, end, n) for name, end in cells.items()})], axis=1)
    samples[[f"warp_{i}" for i in range(6)]] = [0.01, 0, -1, 0, 0.01, -1]
    table = predictions.samples_table(samples, samples.assign(part="test"), None, task)
    outputs_of = [rng.normal(size=(n, len(task.numbers))).astype(np.float32) for _ in range(2)]
    frame = predictions.prediction_columns(table, outputs_of[0], question, outputs_of[1])
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    frame = pd.read_csv(tmp_path / "predictions.csv")
    assert predictions.attributes(frame) == []
    scores = json.loads(json.dumps(predictions.scores(frame, question, 30, 0.9, 0), allow_nan=False))
    assert set(scores["metrics"]) == set(METRICS[kind].metrics(question))
    assert scores["metrics"][task.headline]["value"] is not None
    assert list(scores["per_output"]) == list(outputs)
    for figures in scores["per_output"].values():
        assert set(figures) == set(METRICS[kind].per_output_metrics(question))
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())


def test_log_odds_of_the_positive_class():
    frame = two([0, 1, 0], [[2, 5], [0, 0], [900, -900]])
    odds = predictions.log_odds(frame, TWO)
    np.testing.assert_allclose(odds, [3, 0, -1800])
    np.testing.assert_allclose(1 / (1 + np.exp(-odds[:2])), frame["prob_pain"][:2])


def answered(n: int, sureness: float, seed: int) -> pd.DataFrame:
    """Two faces a subject; labels drawn from log-odds of which the logits make too much."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, n)
    label = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)
    frame = pd.DataFrame({"subject_id": [f"{seed}-{i // 2}" for i in range(n)], "label": label})
    logits = np.stack([-sureness * odds / 2, sureness * odds / 2], axis=1).astype(np.float32)
    return predictions.prediction_columns(frame, logits, TWO)


def test_calibration_before_and_after_a_temperature():
    found = predictions.calibrated(answered(600, 3, seed=0), answered(600, 3, seed=1), TWO, 100, 0.95, seed=0)
    found = json.loads(json.dumps(found, allow_nan=False))
    assert found["temperature"]["value"] == pytest.approx(3, rel=0.2)
    assert (found["samples"], found["subjects"], found["temperature"]["samples"]) == (600, 300, 600)
    before, after = found["before"]["figures"], found["after"]["figures"]
    assert after["slope"]["value"] == pytest.approx(found["temperature"]["value"] * before["slope"]["value"])
    assert before["slope"]["high"] < 1
    assert after["slope"]["low"] < 1 < after["slope"]["high"]
    for name in ("ece", "brier", "nll"):
        assert after[name]["value"] < before[name]["value"]
    for when in ("before", "after"):
        assert sum(point["samples"] for point in found[when]["curve"]) == 600


def test_calibration_without_a_temperature_says_why():
    test, validation = answered(40, 1, seed=0), answered(40, 1, seed=1)
    validation["label"] = (predictions.log_odds(validation, TWO) > 0).astype(int)
    found = json.loads(json.dumps(predictions.calibrated(test, validation, TWO, 20, 0.95, seed=0), allow_nan=False))
    assert found["after"] is None
    assert found["temperature"]["value"] is None
    assert "gets wrong" in found["temperature"]["reason"]
    nobody = predictions.calibrated(test, validation.head(0), TWO, 20, 0.95, seed=0)
    assert nobody["temperature"]["reason"] == "needs a validation face"


def test_calibration_of_seven_classes_has_no_slope_and_a_temperature():
    rng = np.random.default_rng(0)
    parts = []
    for part in range(2):
        label = rng.integers(0, 7, 300)
        frame = pd.DataFrame({"subject_id": [f"{part}-{i // 2}" for i in range(300)], "label": label})
        logits = (4 * rng.normal(size=(300, 7)) + 6 * np.eye(7)[label]).astype(np.float32)
        parts.append(predictions.prediction_columns(frame, logits, SEVEN))
    written = json.loads(json.dumps(predictions.calibrated(*parts, SEVEN, 50, 0.95, 0), allow_nan=False))
    assert set(written["before"]["figures"]) == {"ece", "brier", "nll"}
    assert written["temperature"]["value"] > 1.5
    for name in ("ece", "nll"):
        assert written["after"]["figures"][name]["value"] < written["before"]["figures"][name]["value"]
