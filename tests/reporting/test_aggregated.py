from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from pipeline.reporting import aggregated
from pipeline.reporting.methods import tested as in_order


def entries(methods, folder):
    aggregated.write(methods, folder)
    content = json.loads((folder / aggregated.FILE).read_text())
    assert content["std"] == "population"
    return {entry["model"]: entry for entry in content["methods"]}


def test_labels_over_seeds(labelled, tmp_path):
    method = labelled.favourite
    entry = entries(labelled.methods, tmp_path)[method.title]
    by_hand = [f1_score(in_order(run)["label_smoke"], in_order(run)["predicted_smoke"]) for run in method.runs]
    smoke = entry["metrics"]["f1_smoke"]
    assert smoke["values"] == pytest.approx(by_hand)
    assert smoke["mean"] == pytest.approx(np.mean(by_hand))
    assert smoke["std"] == pytest.approx(np.std(by_hand))
    assert (smoke["min"], smoke["max"]) == pytest.approx((min(by_hand), max(by_hand)))
    assert {"macro_f1", "exact_match", "hamming_loss", "precision_fire", "recall_fire"} <= set(entry["metrics"])
    assert entry["seeds"] == [0, 1]


def test_classes_have_the_same_file(compared, tmp_path):
    entry = entries(compared, tmp_path)["DeiT ← Swin"]
    frames = [in_order(run) for run in compared[3].runs]
    by_hand = [balanced_accuracy_score(frame["label"], frame["predicted"]) for frame in frames]
    assert entry["metrics"]["balanced_accuracy"]["values"] == pytest.approx(by_hand)
    assert "recall_no_pain" in entry["metrics"]


def test_what_has_no_value_is_none(compared, tmp_path):
    entry = entries(compared, tmp_path)["Swin teacher"]
    assert entry["metrics"]["agreement"] == {"mean": None, "std": None, "min": None, "max": None, "values": [None]}
