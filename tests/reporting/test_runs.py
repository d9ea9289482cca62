from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss

from pipeline.errors import ArtifactError
from pipeline.reporting.recipes import Recipe
from pipeline.reporting.runs import gather, held_out, row
from tests.fakes.classify import Fakes


def test_a_run_knows_its_recipe(runs):
    recipes = {run.model.slug: run.recipe for run in runs}
    assert recipes["teacher-swin"] == Recipe("", "swin")
    taught = Recipe("deit", "swin", "hard")
    assert recipes["student-deit-swin-hard-s0"] == recipes["student-deit-swin-hard-s1"] == taught
    assert recipes["student-deit-none-s0"] == Recipe("deit", "none", "label")


def test_a_row_holds_settings_scores_and_origin(sweep):
    rows = {run.model.slug: row(run) for run in sweep}
    one = rows["student-deit-swin-soft-v6-s1"]
    assert {name: one[name] for name in ("student", "teacher", "loss", "views", "folds", "mix", "online", "seed")} == {
        "student": "deit", "teacher": "swin", "loss": "soft", "views": 6, "folds": 0, "mix": "none", "online": False,
        "seed": 1,
    }  # fmt: skip
    [run] = [run for run in sweep if run.model.slug == "student-deit-swin-soft-v6-s1"]
    test = held_out(run.predictions)
    assert one["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(test["label"], test["predicted"]))
    assert one["brier"] == pytest.approx(brier_score_loss(test["label"], test["prob_pain"]))
    assert one["best_epoch"] == run.folds[0].history["epoch"][run.folds[0].history["val_loss"].argmin()]
    assert one["folder"].startswith("student-deit-swin-soft-v6-s1-")
    assert one["fingerprint"] == run.model.fingerprint
    assert rows["teacher-swin"]["views"] is None
    assert np.isnan(rows["student-deit-none-s0"]["agreement"])


def test_a_row_needs_nothing_that_draws():
    code = "import sys, pipeline.reporting.runs; print(*(name.split('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "torch", "jinja2"} & set(loaded)


def test_models_tested_on_different_faces_are_not_compared(tmp_path):
    inputs = {}
    for subjects in (40, 80):
        fakes = Fakes(tmp_path / str(subjects), subjects=subjects, size=8)
        model = fakes.model("swin" if subjects == 40 else "resnet")
        inputs[f"model-{model.slug}"] = fakes.store.build(model)[0]
        inputs[f"evaluation-{model.slug}"] = fakes.store.build(fakes.evaluation(model))[0]
    with pytest.raises(ArtifactError, match=r"has 24 test faces, .* has 12, 12 of them the same"):
        gather(inputs)
