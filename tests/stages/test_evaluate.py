from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Node
from pipeline.config import Architecture, DistillConfig, EvaluateConfig, LabelsConfig, TeacherConfig
from pipeline.distillation import labels as label_store
from pipeline.errors import ArtifactError
from pipeline.evaluation import calibration, subgroups
from pipeline.training import supervised
from stages import evaluate
from tests.fakes.classify import CLASSES, Fakes

TINY = Architecture(
    "deit_tiny_distilled_patch16_224",
    options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3)),
    image_size=32,
    weights="random",
)


@pytest.fixture
def fakes(tmp_path):
    return Fakes(tmp_path, subjects=40, size=64)


def network(fakes, stage="distill", teacher="swin"):
    """A node with an untrained network."""

    def run(config, work, **inputs):
        model = models.build(TINY, CLASSES, seed=3)
        models.save_model(work.path, model, models.describe(model, TINY, CLASSES))
        return {"best": {"epoch": 1, "val_loss": 0.5, "val_balanced_accuracy": 0.75}}

    config = (
        TeacherConfig(teacher=teacher, architecture=TINY)
        if stage == "train_teacher"
        else DistillConfig(teacher=teacher, architecture=TINY)
    )
    return Node(stage, f"{stage}-{teacher}", 1, config, fakes.data, run)


def labels_of(fakes, teacher, classes=CLASSES):
    """A node with invented answers of a teacher, rows in reverse order."""
    n = len(fakes.table)

    def run(config, work, faces, teacher):
        ids = arrays.sample_id_column(fakes.table["sample_id"].tolist()[::-1])
        logits = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
        layout = {"logits": (logits.shape, np.float32), "hard": ((n,), np.uint16), "sample_id": ((n,), ids.dtype)}
        spec = models.input_spec(TINY)
        attrs = {"classes": classes, "name": config.teacher, "teacher": TINY.name, "teachers": [teacher.fingerprint]}
        attrs |= {"faces": faces.fingerprint, "mean": list(spec.mean), "std": list(spec.std)}
        attrs |= {"views": 1, "view_seed": 0, "mix": "none", "folds": 0}
        arrays.create(work.path / "labels.h5", "labels", work.fingerprint, layout, attrs)
        writer = arrays.ColumnWriter(work.path / "labels.h5", block=n)
        writer.write(slice(0, n), logits=logits, hard=logits.argmax(axis=1), sample_id=ids)
        writer.finish()
        return {}

    inputs = {"faces": fakes.inputs, "teacher": teacher}
    return Node("teacher_labels", "labels-swin", 1, LabelsConfig(view_seed=0), inputs, run)


def evaluated(fakes, model, labels=None, run=evaluate.run):
    inputs = {**fakes.data, "model": model} | ({"labels": labels} if labels else {})
    [artifact] = fakes.store.build(
        Node("evaluate", f"evaluation-{model.slug}", 1, EvaluateConfig(replicates=50, device="cpu"), inputs, run)
    )
    frame = arrays.read_table(artifact.file("predictions.csv"))
    return artifact, frame, json.loads(artifact.file("metrics.json").read_text())


def test_a_student_is_measured_on_the_test_faces(fakes):
    labels = labels_of(fakes, network(fakes, "train_teacher"))
    artifact, frame, scores = evaluated(fakes, network(fakes), labels)
    assert frame["sample_id"].tolist() == fakes.table["sample_id"].tolist()

    [student] = fakes.store.build(network(fakes))
    [faces] = fakes.store.build(fakes.inputs)
    model, card = models.load_model(student.path)
    store = arrays.open_inputs(faces)
    spec = models.InputSpec(**card["inputs"]["rgb"])
    rows = np.arange(len(frame))
    logits = torch.cat(list(supervised.forward(model, store["rgb"], rows, spec, 64, "cpu"))).numpy()
    np.testing.assert_allclose(frame[["logit_no_pain", "logit_pain"]], logits, atol=1e-5)

    test = frame[frame["part"] == "test"]
    expected = balanced_accuracy_score(test["label"], test["predicted"])
    assert scores["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected)
    agreement = (test["predicted"] == test["teacher_predicted"]).mean()
    assert scores["metrics"]["agreement"]["value"] == pytest.approx(agreement)
    cost = json.loads(artifact.file("cost.json").read_text())
    assert cost["parameters"] == sum(p.numel() for p in model.parameters())


def test_a_teacher_is_not_run_again(fakes, monkeypatch):
    monkeypatch.setattr(supervised, "forward", None)
    teacher = network(fakes, "train_teacher")
    labels = labels_of(fakes, teacher)
    _, frame, scores = evaluated(fakes, teacher, labels)
    cached = label_store.LabelStore.of(fakes.store.build(labels)[0]).faces
    rows = cached.rows(frame["sample_id"])
    np.testing.assert_allclose(frame[["logit_no_pain", "logit_pain"]], cached["logits"][rows], rtol=1e-6)
    assert "teacher_predicted" not in frame
    assert scores["metrics"]["agreement"]["value"] is None


def test_a_student_without_a_teacher_agrees_with_none(fakes):
    _, frame, scores = evaluated(fakes, network(fakes, teacher="none"))
    assert "teacher_predicted" not in frame
    assert scores["metrics"]["agreement"]["reason"]
    assert scores["metrics"]["balanced_accuracy"]["value"] is not None


def test_predictions_and_metrics_are_the_same_bytes_again(fakes):
    first, _, _ = evaluated(fakes, network(fakes, teacher="none"))
    files = ("predictions.csv", "metrics.json", "calibration.json")
    before = {name: first.file(name).read_bytes() for name in files}
    for file in first.path.iterdir():
        file.unlink()
    first.path.rmdir()
    again, _, _ = evaluated(fakes, network(fakes, teacher="none"))
    assert {name: again.file(name).read_bytes() for name in files} == before


def test_calibration_of_the_test_faces_with_a_temperature_from_validation(fakes):
    artifact, frame, _ = evaluated(fakes, network(fakes, teacher="none"))
    written = json.loads(artifact.file("calibration.json").read_text())
    test, validation = (frame[frame["part"] == part] for part in ("test", "val"))
    assert (written["classes"], written["part"], written["faces"]) == (CLASSES, "test", len(test))
    brier = ((test["label"] - test["prob_pain"]) ** 2).mean()
    assert written["before"]["figures"]["brier"]["value"] == pytest.approx(brier)
    odds = (validation["logit_pain"] - validation["logit_no_pain"]).to_numpy()
    found = calibration.temperature(validation["label"].to_numpy(), odds)
    assert (written["temperature"]["part"], written["temperature"]["faces"]) == ("val", len(validation))
    # The untrained network says one thing about all faces, most often the wrong one: no temperature helps that.
    assert written["temperature"]["reason"] == found.reason != ""
    assert (written["temperature"]["value"], written["after"]) == (None, None)


def test_labels_of_other_classes_are_refused(fakes):
    labels = labels_of(fakes, network(fakes, "train_teacher"), classes=["calm", "pain"])
    with pytest.raises(ArtifactError, match="calm"):
        evaluated(fakes, network(fakes), labels)


def test_the_card_beside_an_evaluation_has_the_test_figures(fakes):
    artifact, frame, scores = evaluated(fakes, network(fakes, teacher="none"))
    tested = frame[frame["part"] == "test"]
    card = artifact.file("MODEL_CARD.md").read_text()
    value = scores["metrics"]["balanced_accuracy"]["value"]
    assert f"| Balanced accuracy | {100 * value:.1f}% |" in card
    assert "Brier score" in card
    assert {"gender", "age_group"} <= set(subgroups.groupings(tested))
    for attribute in subgroups.groupings(tested):
        for group in tested[attribute].unique():
            assert f"| {attribute.replace('_', ' ')}: {group} |" in card
