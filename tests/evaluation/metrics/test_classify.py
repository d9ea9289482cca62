from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from pipeline.evaluation import predictions
from pipeline.evaluation.metrics import classify
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS, Task

TWO = Question.of(TASKS["pain"])
THREE = Question("classify", ("low", "middle", "high"), ordered=True, sample="window", samples="windows")
TWO_LEVELS = Question.of(TASKS["skin-conductance"].grouped("0,4"))
SEVEN = Question.of(TASKS["expression"])
GOLDEN = Path(__file__).parents[1] / "golden" / "two_classes.json"


def outcome(question: Question, n: int = 90, seed: int = 0, ties: bool = False) -> classify.Outcome:
    rng, classes = np.random.default_rng(seed), len(question.outputs)
    label = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 1.2 * np.eye(classes)[label]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return classify.Outcome(
        question=question,
        label=label,
        probabilities=np.round(probabilities, 1) if ties else probabilities,
        predicted=logits.argmax(axis=1),
        hard_negative=rng.random(n) < 0.6 if question.hard_negatives else None,
        teacher_predicted=rng.integers(0, classes, n),
    )


def weightings(n: int, seed: int, rows: int = 4) -> np.ndarray:
    return np.random.default_rng(1000 + seed).integers(0, 4, (rows, n)).astype(float)


def shared(o: classify.Outcome, w: np.ndarray) -> dict[str, float]:
    """What scikit-learn says of classes, however many."""
    return {
        "accuracy": reference.accuracy_score(o.label, o.predicted, sample_weight=w),
        "balanced_accuracy": reference.balanced_accuracy_score(o.label, o.predicted, sample_weight=w),
        "kappa": reference.cohen_kappa_score(o.label, o.predicted, sample_weight=w),
        "mcc": reference.matthews_corrcoef(o.label, o.predicted, sample_weight=w),
        "agreement": reference.accuracy_score(o.teacher_predicted, o.predicted, sample_weight=w),
    }


def of_each_class(o: classify.Outcome, w: np.ndarray) -> dict[str, np.ndarray]:
    """What scikit-learn says of every class against the rest."""
    counted = reference.precision_recall_fscore_support(o.label, o.predicted, sample_weight=w)
    classes = range(len(o.question.outputs))
    ranked = (reference.roc_auc_score, reference.average_precision_score)
    areas = [[area(o.label == c, o.probabilities[:, c], sample_weight=w) for c in classes] for area in ranked]
    return dict(zip(("precision", "recall", "f1", "roc_auc", "average_precision"), (*counted[:3], *areas), strict=True))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_two_classes_agree_with_scikit_learn_under_any_weights(seed, ties):
    o = outcome(TWO, seed=seed, ties=ties)
    weights = weightings(len(o.label), seed)
    ours = classify.compute(o, weights)
    for row, w in enumerate(weights):
        quiet = o.hard_negative & (o.label == 0)
        expected = shared(o, w) | {name: values[1] for name, values in of_each_class(o, w).items()}
        expected["specificity"] = reference.recall_score(o.label, o.predicted, pos_label=0, sample_weight=w)
        expected["specificity_hard_negatives"] = reference.accuracy_score(
            o.label[quiet], o.predicted[quiet], sample_weight=w[quiet]
        )
        assert set(expected) == set(classify.metrics(TWO)) == set(ours)
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("seed", range(3))
def test_two_levels_have_all_that_two_classes_have_and_their_distances(seed):
    o = outcome(TWO_LEVELS, seed=seed)
    weights = weightings(len(o.label), seed)
    ours = classify.compute(o, weights)
    assert set(ours) == {*classify.metrics(TWO), "mae", "rmse", "quadratic_kappa"} - {"specificity_hard_negatives"}
    np.testing.assert_allclose(ours["mae"], 1 - ours["accuracy"])  # one level apart is wrong and no more
    np.testing.assert_allclose(ours["rmse"], np.sqrt(1 - ours["accuracy"]))
    np.testing.assert_allclose(ours["quadratic_kappa"], ours["kappa"])
    for row, w in enumerate(weights):
        assert ours["mae"][row] == pytest.approx(reference.mean_absolute_error(o.label, o.predicted, sample_weight=w))
        assert ours["roc_auc"][row] == pytest.approx(
            reference.roc_auc_score(o.label, o.probabilities[:, 1], sample_weight=w)
        )


def test_distances_of_five_levels_by_hand():
    question = Question.of(TASKS["skin-conductance"])
    said = np.array([0, 1, 2, 3, 0])  # of levels 0 to 4: all right but the last, four levels off
    o = classify.Outcome(question, np.arange(5), np.full((5, 5), 0.2), said)
    value = {name: v[0] for name, v in classify.compute(o, np.ones((1, 5))).items()}
    assert value["mae"] == pytest.approx(4 / 5)
    assert value["rmse"] == pytest.approx(np.sqrt(16 / 5))
    # Squared distances: 16 seen; by chance the mean over true levels and those said (0, 0, 1, 2, 3).
    by_chance = np.mean([(t - s) ** 2 for t in range(5) for s in said])
    assert value["quadratic_kappa"] == pytest.approx(1 - (16 / 5) / by_chance)
    guess = classify.Outcome(question, np.arange(5), np.full((5, 5), 0.2), np.full(5, 2))
    value = {name: v[0] for name, v in classify.compute(guess, np.ones((1, 5))).items()}
    assert (value["mae"], value["rmse"], value["quadratic_kappa"]) == pytest.approx((1.2, np.sqrt(2), 0))


@pytest.mark.parametrize("question", [THREE, SEVEN], ids=["three", "seven"])
@pytest.mark.parametrize("seed", range(3))
def test_more_classes_agree_with_scikit_learn_under_any_weights(question, seed):
    o = outcome(question, n=200, seed=seed, ties=seed == 1)
    weights = weightings(len(o.label), seed)
    ours, columns = classify.compute(o, weights), classify.per_output(o, weights)
    for row, w in enumerate(weights):
        classes = of_each_class(o, w)
        assert set(columns) == set(classes) == set(classify.per_output_metrics(question))
        for name, values in classes.items():
            np.testing.assert_allclose(columns[name][row], values, atol=1e-12, err_msg=name)
        expected = shared(o, w) | {f"macro_{name}": np.mean(classes[name]) for name in ("f1", "precision")}
        expected |= {name: np.mean(classes[name]) for name in ("roc_auc", "average_precision")}
        if question.ordered:
            expected["mae"] = reference.mean_absolute_error(o.label, o.predicted, sample_weight=w)
            expected["rmse"] = reference.root_mean_squared_error(o.label, o.predicted, sample_weight=w)
            expected["quadratic_kappa"] = reference.cohen_kappa_score(
                o.label, o.predicted, weights="quadratic", sample_weight=w
            )
        assert set(expected) == set(classify.metrics(question)) == set(ours)
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-12), name


def golden_frames() -> tuple[dict, pd.DataFrame, pd.DataFrame]:
    """What two-class code said before there were more classes, and the predictions that it was asked about."""
    golden = json.loads(GOLDEN.read_text())
    n = len(golden["label"])
    persons = {"subject_id": [f"{i // 2:03d}" for i in range(n)], "hard_negative": golden["expressive"]}
    test, validation = (
        pd.DataFrame({**persons, "label": golden[f"{part}label"]}).pipe(
            predictions.prediction_columns,
            np.array(golden[f"{part}logits"], np.float32),
            TWO,
            np.eye(2)[golden["teacher"]],
        )
        for part in ("", "val_")
    )
    return golden, test, validation


def same(old, new, where: str = "") -> None:
    """Every number of the old content stands in the new one, a renamed key apart; texts may differ."""
    renamed = {"faces": "samples", "specificity_expressive": "specificity_hard_negatives"}
    if isinstance(old, dict):
        for key, value in old.items():
            same(value, new[renamed.get(key, key)], f"{where}/{key}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for number, value in enumerate(old):
            same(value, new[number], f"{where}[{number}]")
    elif not isinstance(old, str):
        assert new == (None if old is None else pytest.approx(old, rel=1e-7, abs=1e-12)), where


def test_two_classes_have_the_values_that_they_always_had():
    golden, test, validation = golden_frames()
    same(golden["scores"], predictions.scores(test, TWO, 50, 0.95, 0))
    same(golden["calibration"], predictions.calibrated(test, validation, TWO, 50, 0.95, 0))


def by_hand() -> classify.Outcome:
    score = np.array([0.9, 0.8, 0.3, 0.6, 0.1])
    return classify.Outcome(
        question=TWO,
        label=np.array([1, 1, 1, 0, 0]),
        probabilities=np.stack([1 - score, score], axis=1),
        predicted=np.array([1, 1, 0, 1, 0]),
        hard_negative=np.array([1, 1, 1, 1, 0], dtype=bool),
    )


def test_by_hand():
    value = {name: v[0] for name, v in classify.compute(by_hand(), np.ones((1, 5))).items()}
    assert value["recall"] == pytest.approx(2 / 3)
    assert value["specificity"] == pytest.approx(1 / 2)
    assert value["balanced_accuracy"] == pytest.approx(7 / 12)
    assert value["specificity_hard_negatives"] == 0
    assert value["roc_auc"] == pytest.approx(5 / 6)
    assert value["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert np.isnan(value["agreement"])
    assert classify.extras(by_hand()) == {"confusion": [[1, 1], [1, 2]]}


def test_the_first_class_may_be_the_positive_one():
    o = by_hand()
    turned = classify.Outcome(
        Question("classify", ("pain", "no_pain"), positive="pain", hard_negatives="expressive"),
        1 - o.label,
        o.probabilities[:, ::-1],
        1 - o.predicted,
        o.hard_negative,
    )
    one, other = classify.compute(o, np.ones((1, 5))), classify.compute(turned, np.ones((1, 5)))
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=name)


def test_undefined_is_nan_not_a_number():
    zeros = np.zeros(3, int)
    calm = classify.Outcome(TWO, zeros, np.zeros((3, 2)), zeros, np.zeros(3, bool))
    value = {name: v[0] for name, v in classify.compute(calm, np.ones((1, 3))).items()}
    assert {name for name, v in value.items() if not np.isnan(v)} == {"accuracy", "specificity"}
    assert value["specificity"] == 1
    for question in (TWO, SEVEN):
        empty = classify.Outcome(
            question, zeros[:0], np.zeros((0, len(question.outputs))), zeros[:0], np.zeros(0, bool)
        )
        assert all(np.isnan(v).all() for v in classify.compute(empty, np.ones((2, 0))).values())


def test_a_class_that_does_not_occur_has_no_recall_and_spoils_the_mean():
    o = outcome(SEVEN, n=200)
    present = among(o, o.label != 3)
    weights = np.ones((1, len(present.label)))
    columns, values = classify.per_output(present, weights), classify.compute(present, weights)
    assert np.flatnonzero(np.isnan(columns["recall"][0])).tolist() == [3]
    assert np.isnan(values["balanced_accuracy"][0])
    assert classify.metrics(SEVEN)["balanced_accuracy"].undefined == "needs faces of every class"
    assert values["accuracy"][0] == pytest.approx((present.label == present.predicted).mean())


def test_only_the_metrics_that_are_asked_for_are_computed():
    o = outcome(SEVEN)
    weights = weightings(len(o.label), 0)
    every = classify.compute(o, weights)
    [(name, values)] = classify.compute(o, weights, ("kappa",)).items()
    assert name == "kappa"
    np.testing.assert_array_equal(values, every["kappa"])


def test_the_words_follow_the_task():
    gaze = Question("classify", ("toward", "away"), positive="away", sample="image", samples="images")
    metrics = classify.metrics(gaze)
    assert metrics["recall"].meaning == "images of away that were called so"
    assert metrics["accuracy"].undefined == "needs an image"
    assert "specificity_hard_negatives" not in metrics
    assert classify.metrics(TWO)["precision"].meaning == "pain among faces called pain"
    assert classify.metrics(TWO)["specificity_hard_negatives"].meaning == "the same among expressive faces"
    assert classify.metrics(THREE)["mae"].lower_is_better
    assert "mae" not in classify.metrics(SEVEN)


def test_labels_are_numbers_of_the_task_s_words_and_nothing_else():
    samples = pd.DataFrame({"expression": ["joy", "anger", "yawn", np.nan]})
    column = classify.label_columns(samples, TASKS["expression"])["label"]
    assert column.tolist()[:2] == [3, 0]
    assert column.isna().tolist() == [False, False, True, True]
    levels = Task("level", "classify", "pspi", ("none", "some"), levels=((0, "none"), (2, "some")))
    column = classify.label_columns(pd.DataFrame({"pspi": [0.0, 1.5, 2.0, np.nan]}), levels)["label"]
    np.testing.assert_array_equal(column, [0, 0, 1, np.nan])
