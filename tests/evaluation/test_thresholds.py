from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from pipeline.evaluation import thresholds
from pipeline.evaluation.question import Question

QUESTION = Question("multilabel", ("fire", "smoke"), headline="macro_f1", sample="frame", samples="frames")


def predicted(seed, samples=80, prevalence=0.3):
    rng = np.random.default_rng(seed)
    label = (rng.random((samples, 2)) < prevalence).astype(int)
    probability = np.clip(0.2 + 0.2 * label + rng.normal(0, 0.15, label.shape), 0, 1).round(2)
    columns = {}
    for c, name in enumerate(QUESTION.outputs):
        columns |= {f"label_{name}": label[:, c], f"prob_{name}": probability[:, c]}
        columns |= {f"predicted_{name}": (probability[:, c] > 0.5).astype(int)}
    return pd.DataFrame({"subject_id": np.arange(samples) % 8, **columns})


def test_by_hand():
    label, probability = np.array([0, 0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.35, 0.4])
    # Above 0.25: two of three called are right, F1 0.8; above 0.375: one, F1 2/3.
    assert thresholds.best(label, probability).value == pytest.approx(0.25)


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_has_a_larger_f1(seed):
    frame = predicted(seed)
    label, probability = frame["label_fire"].to_numpy(), frame["prob_fire"].to_numpy()
    found = thresholds.best(label, probability).value
    called = probability > np.linspace(0, 0.999, 1000)[:, None]  # (thresholds, samples)
    f1 = 2 * (called & (label == 1)).sum(axis=1) / (called.sum(axis=1) + label.sum())
    assert f1_score(label, probability > found) == pytest.approx(f1.max())


def test_of_equal_thresholds_the_one_nearest_to_one_half_and_then_the_higher():
    # Above 0.3 or above 0.7: F1 is 2/3 both times, and as far from one half.
    label, probability = np.array([0, 1, 0, 0, 1]), np.array([0.2, 0.4, 0.5, 0.6, 0.8])
    scores = {t: f1_score(label, probability > t) for t in (0.3, 0.7)}
    assert scores[0.3] == pytest.approx(scores[0.7])
    assert thresholds.best(label, probability).value == pytest.approx(0.7)


def test_neighbours_that_have_no_number_between_them_are_told_apart():
    high = np.float64(0.7)
    low = np.nextafter(high, 0)
    found = thresholds.best(np.array([0, 1]), np.array([low, high])).value
    assert low <= found < high


@pytest.mark.parametrize(("label", "word"), [(np.zeros(4), "with"), (np.ones(4), "without"), (np.zeros(0), "with")])
def test_one_sided_validation_leaves_one_half_with_a_reason(label, word):
    found = thresholds.best(label, np.linspace(0.1, 0.9, len(label)))
    assert (found.value, found.reason) == (0.5, f"no validation sample {word} the label")


def test_metrics_of_the_test_part_under_thresholds_of_validation():
    test, validation = predicted(0), predicted(1)
    written = thresholds.measured(test, validation, QUESTION, 20, 0.95, 0)
    values = {name: threshold["value"] for name, threshold in written["thresholds"].items()}
    assert values == {name: t.value for name, t in thresholds.fitted(validation, QUESTION).items()}
    assert written["fitted_on"] == {"part": "val", "samples": 80}
    for name in QUESTION.outputs:
        expected = f1_score(test[f"label_{name}"], test[f"prob_{name}"] > values[name])
        assert written["per_output"][name]["f1"]["value"] == pytest.approx(expected)
    assert f1_score(test["label_fire"], test["predicted_fire"]) < written["per_output"]["fire"]["f1"]["value"]


def test_each_sample_can_have_the_thresholds_of_its_own_network():
    frame = predicted(2)
    cut = np.where(np.arange(len(frame)) % 2, 0.3, 0.9)
    called = thresholds.applied(frame, {"fire": cut})
    np.testing.assert_array_equal(called["predicted_fire"], frame["prob_fire"] > cut)
    assert called["predicted_smoke"].equals(frame["predicted_smoke"])
