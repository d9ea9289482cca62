from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Node
from pipeline.compute.distributed import ALONE
from pipeline.config import Architecture, DistillConfig, EvaluateConfig, LabelsConfig, TeacherConfig
from pipeline.distillation import labels as label_store
from pipeline.errors import ArtifactError
from pipeline.evaluation import calibration, embedding, predictions, subgroups, thresholds
from pipeline.evaluation.question import Question
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.serving import engines
from pipeline.tasks import PAIN, TASKS
from pipeline.training import familiar, supervised
from stages import evaluate
from tests.fakes.classify import Fakes
from tests.fakes.multilabel import FrameFakes

EXPRESSION = TASKS["expression"]
BOTH = Architecture("dual:resnet10t", image_size=32, weights="random")
NARROW = Architecture("cnn4", (("channels", (4, 4, 8, 8)), ("hidden", 12)), 32, "random")
TINY = Architecture(
    "deit_tiny_distilled_patch16_224",
    options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3)),
    image_size=32,
    weights="random",
)


@pytest.fixture
def fakes(tmp_path):
    return Fakes(tmp_path, subjects=40, size=64)


@pytest.fixture
def expressions(tmp_path):
    return Fakes(tmp_path, subjects=60, size=64, task=EXPRESSION)


@pytest.fixture
def frames(tmp_path):
    return FrameFakes(tmp_path, clips=40, size=32)


def network(fakes, stage="distill", teacher="swin", architecture=TINY):
    """A node with an untrained network."""

    def run(config, work, **inputs):
        model = models.build(architecture, fakes.task.outputs, seed=3)
        models.save_model(work.path, model, models.describe(model, architecture, fakes.task.outputs), work.fingerprint)
        return {"best": {"epoch": 1, "val_loss": 0.5, f"val_{fakes.task.headline}": 0.75}}

    kind = TeacherConfig if stage == "train_teacher" else DistillConfig
    config = kind(task=fakes.task, teacher=teacher, architecture=architecture)
    return Node(stage, f"{stage}-{teacher}", 1, config, fakes.data, run)


def flip(file, place):
    """Flip a bit of one byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def labels_of(fakes, teacher, outputs=None, seed=0):
    """A node with invented outputs of a teacher, rows in reverse order."""
    n, outputs = len(fakes.table), list(outputs or fakes.task.outputs)

    def run(config, work, inputs, teacher):
        ids = arrays.sample_id_column(fakes.table["sample_id"].tolist()[::-1])
        logits = np.random.default_rng(seed).normal(size=(n, len(outputs))).astype(np.float32)
        layout = {"logits": (logits.shape, np.float32), "sample_id": ((n,), ids.dtype)}
        reads = {"rgb": {"size": 32}}
        attrs = {"outputs": outputs, "name": "swin", "task": fakes.task.name, "teachers": [teacher.fingerprint]}
        attrs |= {"inputs": inputs.fingerprint, "reads": reads, "views": 1, "view_seed": 0, "mix": "none", "folds": 0}
        attrs |= {"mix_probability": 1.0}
        writer = arrays.open_writer(work.path / label_store.LABELS, "labels", work.fingerprint, layout, attrs, block=n)
        writer.write(slice(0, n), logits=logits, sample_id=ids)
        writer.finish()
        return {"reads": reads}

    inputs = {"inputs": fakes.inputs, "teacher": teacher}
    return Node("teacher_labels", f"labels-{seed}", 1, LabelsConfig(task=fakes.task, view_seed=seed), inputs, run)


def logits_in(fakes, labels, frame):
    """What a labels node holds for the samples of a table, float32."""
    cached = label_store.LabelStore.of(fakes.store.build(labels)[0]).samples
    return cached["logits"][cached.rows(frame["sample_id"])]


def evaluated(fakes, model, **labels):
    inputs = {**fakes.data, "model": model, **labels}
    config = EvaluateConfig(task=fakes.task, replicates=50, device="cpu")
    [artifact] = fakes.store.build(Node("evaluate", f"evaluation-{model.slug}", 1, config, inputs, evaluate.run))
    frame = arrays.read_table(artifact.file("predictions.csv"))
    return artifact, frame, json.loads(artifact.file("metrics.json").read_text())


def test_a_student_is_measured_on_the_test_faces(fakes):
    labels = labels_of(fakes, network(fakes, "train_teacher"))
    artifact, frame, scores = evaluated(fakes, network(fakes), labels_teacher=labels)
    assert frame["sample_id"].tolist() == fakes.table["sample_id"].tolist()

    [student], [inputs] = fakes.store.build(network(fakes)), fakes.store.build(fakes.inputs)
    model, card = models.load_model(student)
    store, specs = arrays.open_inputs(inputs), batches.specs(card)
    samples = batches.Samples({"rgb": store["rgb"]}, np.arange(len(frame)), store.sample_ids)
    logits = torch.cat(list(supervised.forward(model, samples, specs, 64, "cpu"))).numpy()
    np.testing.assert_allclose(frame[["logit_no_pain", "logit_pain"]], logits, atol=1e-5)

    test = frame[frame["part"] == "test"]
    expected = balanced_accuracy_score(test["label"], test["predicted"])
    assert scores["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert artifact.summary["balanced_accuracy"] == scores["metrics"]["balanced_accuracy"]
    agreement = (test["predicted"] == test["teacher_predicted"]).mean()
    assert scores["metrics"]["agreement"]["value"] == pytest.approx(agreement)
    cost = json.loads(artifact.file("cost.json").read_text())
    assert cost["parameters"] == sum(p.numel() for p in model.parameters())


def test_seven_classes_are_measured_by_the_same_stage(expressions):
    labels = labels_of(expressions, network(expressions, "train_teacher"))
    artifact, frame, scores = evaluated(expressions, network(expressions), labels_teacher=labels)
    assert list(frame.filter(like="prob_")) == [f"prob_{name}" for name in EXPRESSION.outputs]
    assert set(frame["source"]) == {"studio", "street"}
    assert "hard_negative" not in frame
    assert (scores["outputs"], scores["part"]) == (list(EXPRESSION.outputs), "test")
    test = frame[frame["part"] == "test"]
    anger = scores["per_output"]["anger"]["f1"]["value"]
    assert anger == pytest.approx(f1_score(test["label"] == 0, test["predicted"] == 0))
    assert np.array(scores["confusion"]).sum(axis=1).tolist() == np.bincount(test["label"], minlength=7).tolist()
    written = json.loads(artifact.file("calibration.json").read_text())
    assert set(written["before"]["figures"]) == {"ece", "brier", "nll"}
    assert "surprise" in artifact.file("MODEL_CARD.md").read_text()


def test_samples_that_show_no_output_of_the_task_are_not_predicted(expressions):
    strange = expressions.table["expression"] == "fear"
    expressions.table.loc[strange, "expression"] = "yawn"
    expressions.table["expressive"] = 1  # the cartoon of a face that is no expression asks for it
    artifact, frame, _ = evaluated(expressions, network(expressions, teacher="none"))
    assert frame["sample_id"].tolist() == expressions.table.loc[~strange, "sample_id"].tolist()
    assert artifact.summary["counts"]["samples"] == (~strange).sum()


def test_a_teacher_is_not_run_again(fakes, monkeypatch):
    monkeypatch.setattr(supervised, "forward", None)
    teacher = network(fakes, "train_teacher")
    labels = labels_of(fakes, teacher)
    _, frame, scores = evaluated(fakes, teacher, labels_teacher=labels)
    cached = logits_in(fakes, labels, frame)
    np.testing.assert_allclose(frame[["logit_no_pain", "logit_pain"]], cached, rtol=1e-6)
    assert "teacher_predicted" not in frame
    assert scores["metrics"]["agreement"]["value"] is None


def test_a_student_of_two_teachers_agrees_with_their_mean(fakes):
    teachers = [network(fakes, "train_teacher", name) for name in ("swin", "resnet")]
    labels = [labels_of(fakes, teacher, seed=seed) for seed, teacher in enumerate(teachers)]
    _, frame, _ = evaluated(fakes, network(fakes), labels_tough=labels[0], labels_tolerant=labels[1])
    both = sum(logits_in(fakes, node, frame) for node in labels)
    assert frame["teacher_predicted"].tolist() == both.argmax(axis=1).tolist()


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
    assert (written["outputs"], written["part"], written["samples"]) == (list(PAIN.outputs), "test", len(test))
    brier = ((test["label"] - test["prob_pain"]) ** 2).mean()
    assert written["before"]["figures"]["brier"]["value"] == pytest.approx(brier)
    question = Question.of(PAIN)
    logits = predictions.logits(validation, question)
    best = calibration.temperature(validation["label"].to_numpy(), logits, question)
    assert (written["temperature"]["part"], written["temperature"]["samples"]) == ("val", len(validation))
    # The untrained network says one thing about all faces, most often the wrong one: no temperature helps that.
    assert written["temperature"]["reason"] == best.reason != ""
    assert (written["temperature"]["value"], written["after"]) == (None, None)


def test_labels_of_other_outputs_are_refused(fakes):
    labels = labels_of(fakes, network(fakes, "train_teacher"), outputs=["calm", "pain"])
    with pytest.raises(ArtifactError, match="calm"):
        evaluated(fakes, network(fakes), labels_teacher=labels)


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


def test_validation_and_test_faces_that_are_strange_to_the_network_are_counted_on_its_card_too(fakes):
    def run(config, work, inputs, split, **_):
        model = models.build(TINY, PAIN.outputs, seed=3)
        columns, assigned = arrays.open_inputs(inputs), arrays.read_table(split.file("split.csv"))
        seen = [assigned.loc[assigned["part"] == part, "sample_id"].tolist() for part in ("train", "val")]
        train, val = (Samples({"rgb": columns["rgb"]}, columns.rows(ids), ids) for ids in seen)
        card = models.describe(model, TINY, PAIN.outputs)
        around = familiar.learn(model.eval(), train, val, batches.specs(card), 16, "cpu", ALONE)
        around = dataclasses.replace(around, threshold=around.threshold * np.float32(0.9))
        models.save_model(work.path, model, card, work.fingerprint, around)
        return {"best": {"epoch": 1, "val_loss": 0.5, "val_balanced_accuracy": 0.75}}

    config = DistillConfig(task=PAIN, teacher="none", architecture=TINY)
    node = Node("distill", "distill-none", 1, config, fakes.data, run)
    artifact, frame, _ = evaluated(fakes, node)
    counted = json.loads(artifact.file("domain.json").read_text())
    (model,), columns = fakes.store.build(node), arrays.open_inputs(fakes.store.build(fakes.inputs)[0])
    engine = engines.load(model, "cpu")
    for part in ("val", "test"):
        ids = frame.loc[frame["part"] == part, "sample_id"].tolist()
        asked = Samples({"rgb": columns["rgb"]}, columns.rows(ids), ids)
        (batch,) = batches.identity(asked, np.arange(len(ids)), len(ids), "cpu")
        scores = engine.read(batch.make(batches.specs(engine.card)))[1]
        assert counted[part] == {"samples": len(ids), "flagged": (scores > 1).sum()}
    assert counted["val"]["flagged"] > 0
    card = artifact.file("MODEL_CARD.md").read_text()
    for part, name in (("val", "validation"), ("test", "test")):
        assert f"- Flagged: {counted[part]['flagged']} of {counted[part]['samples']} {name} faces\n" in card
    assert f"so that about one in {counted['val']['samples'] + 1} like them is flagged" in card


def test_a_network_that_cannot_tell_what_is_strange_says_so(fakes):
    artifact, _, _ = evaluated(fakes, network(fakes, teacher="none"))
    assert not (artifact.path / "domain.json").exists()
    assert "cannot tell what is unlike its training faces" in artifact.file("MODEL_CARD.md").read_text()


@pytest.mark.parametrize("stage", ["distill", "train_teacher"])
@pytest.mark.parametrize("place", [3, 500, -1])
def test_a_damaged_model_is_named_when_it_is_measured_again(fakes, stage, place):
    model = network(fakes, stage)
    [made] = fakes.store.build(model)
    flip(made.path / "weights.safetensors", place)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors"):
        evaluated(fakes, model, labels_teacher=labels_of(fakes, network(fakes, "train_teacher", "resnet")))


def test_the_weights_of_another_model_are_named(fakes):
    model, other = network(fakes), network(fakes, teacher="resnet")
    made, stranger = fakes.store.build(model, other)
    file = made.path / "weights.safetensors"
    size = file.stat().st_size
    file.write_bytes((stranger.path / file.name).read_bytes())
    assert file.stat().st_size == size
    with pytest.raises(ArtifactError, match=r"weights\.safetensors"):
        evaluated(fakes, model)


def hidden_of(artifact):
    """The pooled features beside an evaluation, and whose they are."""
    store = arrays.Columns(artifact.file(embedding.FILE), "hidden", artifact.fingerprint)
    return store["hidden"][:], store.sample_ids


def test_several_labels_are_measured_by_the_same_stage(frames):
    labels = labels_of(frames, network(frames, "train_teacher", "resnet", BOTH))
    artifact, frame, scores = evaluated(frames, network(frames, architecture=NARROW), labels_teacher=labels)
    test, validation = (frame[frame["part"] == part] for part in ("test", "val"))
    assert scores["per_output"]["smoke"]["f1"]["value"] == pytest.approx(
        f1_score(test["label_smoke"], test["predicted_smoke"], zero_division=np.nan), nan_ok=True
    )
    assert not (artifact.path / "calibration.json").exists()
    written = json.loads(artifact.file("thresholds.json").read_text())
    question = Question.of(frames.task)
    fitted = thresholds.fitted(validation, question)
    values = {name: entry["value"] for name, entry in written["thresholds"].items()}
    assert values == pytest.approx({name: threshold.value for name, threshold in fitted.items()})  # of a rounded table
    cut = written["thresholds"]["smoke"]["value"]
    expected = f1_score(test["label_smoke"], test["prob_smoke"] > cut)
    assert written["per_output"]["smoke"]["f1"]["value"] == pytest.approx(expected)
    card = artifact.file("MODEL_CARD.md").read_text()
    assert "Exact match on test clips" in card
    assert "- Not needed: infrared" in card
    teacher, *_ = evaluated(frames, network(frames, "train_teacher", "resnet", BOTH), labels_teacher=labels)
    assert "Not needed" not in teacher.file("MODEL_CARD.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "architecture", "width"), [("distill", NARROW, 12), ("train_teacher", BOTH, 1024)])
def test_pooled_features_of_test_samples_are_kept(frames, stage, architecture, width):
    model = network(frames, stage, "resnet", architecture)
    labels = labels_of(frames, network(frames, "train_teacher", "resnet", BOTH))
    artifact, frame, _ = evaluated(frames, model, labels_teacher=labels)
    hidden, sample_ids = hidden_of(artifact)
    test = frame[frame["part"] == "test"]
    assert (hidden.shape, hidden.dtype) == ((len(test), width), np.float16)
    assert sample_ids == test["sample_id"].tolist()
    cost = json.loads(artifact.file("cost.json").read_text())
    [made] = frames.store.build(model)
    assert cost["megabytes"] == pytest.approx((made.path / "weights.safetensors").stat().st_size / 1e6, abs=1e-3)


def test_of_many_test_samples_all_models_keep_the_same_few(frames, monkeypatch):
    monkeypatch.setattr(embedding, "MOST", 10)
    first, second = (
        hidden_of(evaluated(frames, network(frames, "distill", "none", architecture))[0])[1]
        for architecture in (NARROW, Architecture("cnn4", (("channels", (8, 8, 8, 8)),), 32, "random"))
    )
    assert first == second
    assert len(first) == 10
