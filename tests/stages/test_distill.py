"""Distilling a student from a teacher's cached answers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline import models, presets
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, Node
from pipeline.errors import ArtifactError, ConfigError, DataError
from pipeline.inputs.views import image as views
from pipeline.tasks import find
from pipeline.training import loop
from stages import distill
from tests.fakes.classify import Fakes
from tests.helpers.forks import Forks
from tests.helpers.rewritten import rewritten
from tests.helpers.students import labels, student


@pytest.fixture(scope="module")
def fakes(tmp_path_factory) -> Fakes:
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=40, size=64)


def weights(artifact: Artifact) -> dict[str, torch.Tensor]:
    return load_file(artifact.file("weights.safetensors"))


def test_a_student_is_a_folder_that_loads(fakes):
    (artifact,) = fakes.store.build(student(fakes))
    model, card = models.load_model(artifact)
    assert (card["teacher"], card["loss"], card["seed"]) == ("swin", "hard", 0)
    assert card["labels_fingerprints"] == {"labels_teacher": labels(fakes).fingerprint}
    assert models.logits(model, torch.zeros(3, 3, 64, 64)).shape == (3, 2)
    assert len(pd.read_csv(artifact.file("history.csv"))) == 2
    assert "checkpoint.pt" not in artifact.record["files"]


def test_the_teacher_is_not_needed_to_distil(fakes, monkeypatch):
    fakes.store.build(labels(fakes))
    loaded = []
    monkeypatch.setattr(models, "load_model", lambda folder: loaded.append(folder))
    fakes.store.build(student(fakes, epochs=1))
    assert loaded == []


def test_runs_that_differ_by_their_teacher_share_everything_else(fakes, monkeypatch):
    seen, fit = {}, loop.fit

    def watched(model, batches, loss, *arguments, **options):
        title = options["title"]
        seen[title] = {name: t.clone() for name, t in model.state_dict().items()}
        seen[title] |= {f"batch {i}": inputs.clone() for i, (inputs, _) in enumerate(batches(1, 0))}
        return fit(model, batches, loss, *arguments, **options)

    monkeypatch.setattr(loop, "fit", watched)
    taught, untaught = fakes.store.build(student(fakes, seed=6), student(fakes, "none", seed=6))
    first, second = seen["student-swin"], seen["student-none"]
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    after = weights(taught), weights(untaught)
    assert not torch.equal(after[0]["head_dist.weight"], after[1]["head_dist.weight"])


def test_the_distillation_token_learns_from_the_cached_answers(fakes):
    """With every cached answer turned round, the two tokens end up on opposite sides."""
    table = fakes.label
    (original,) = fakes.store.build(labels(fakes))
    folder = original.path.with_name("turned")
    turned = rewritten(original, folder, lambda columns: np.copyto(columns["hard"], 1 - table, casting="unsafe"))
    node = student(fakes, epochs=12, learning_rate=3e-3, step_size=12, augment=False, class_weights="balanced")
    work = type("Work", (), {"path": folder, "fingerprint": node.fingerprint, "node": node})
    inputs = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True))
    distill.run(node.config, work, **inputs, labels_teacher=turned)
    model, card = models.load_model(folder)
    faces = arrays.open_inputs(inputs["inputs"])
    pictures = views.normalise(torch.from_numpy(np.array(faces["rgb"])), models.InputSpec(**card["inputs"]["rgb"]))
    with torch.inference_mode():
        by_class, by_teacher = (
            head(model.forward_features(pictures)[:, i]) for i, head in enumerate((model.head, model.head_dist))
        )
    pain = torch.from_numpy(table == 1)
    margin = [(logits[:, 1] - logits[:, 0]) for logits in (by_class, by_teacher)]
    assert margin[0][pain].mean() > margin[0][~pain].mean()
    assert margin[1][pain].mean() < margin[1][~pain].mean()


SAME = {"epochs": 3, "views": 3, "view_seed": 5}


MODERN = {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine", "warmup_epochs": 1, "ema": 0.9}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mix": "cutmix"},
        {"mix": "cutmix", "mix_probability": 0.3},
        {"batch_size": 7},
        {"sampling": "balanced", "label_smoothing": 0.1, **MODERN},
    ],
)
def test_with_a_view_for_each_epoch_cached_hard_labels_make_the_online_student_bit_for_bit(fakes, changes):
    cached, online = fakes.store.build(*(student(fakes, **SAME, **changes, online=online) for online in (False, True)))
    first, second = weights(cached), weights(online)
    assert cached.fingerprint != online.fingerprint
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["soft", "soft:0.5,hint:0.5,contrastive:0.1"])
def test_with_soft_targets_and_features_cached_and_online_students_answer_alike(fakes, loss):
    """Teachers answer in other batches than they were cached in: sums may be rounded otherwise, no more."""
    built = fakes.store.build(*(student(fakes, **SAME, loss=loss, online=online) for online in (False, True)))
    pictures = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    one, other = (models.logits(models.load_model(artifact)[0], pictures) for artifact in built)
    assert (one - other).abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["hard", "hard,soft@swin:0.5,hint@resnet:0.2"])
def test_two_teachers_say_the_same_from_their_caches_and_in_the_loop(fakes, loss):
    nodes = [student(fakes, "swin+resnet", **SAME, loss=loss, online=online) for online in (False, True)]
    cached, online = fakes.store.build(*nodes)
    pictures = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    one, other = (models.logits(models.load_model(artifact)[0], pictures) for artifact in (cached, online))
    assert (one - other).abs().max() < 1e-4


def test_a_second_teacher_is_heard(fakes):
    both, alone = fakes.store.build(*(student(fakes, t, **SAME, loss="soft") for t in ("swin+resnet", "swin")))
    assert not torch.equal(weights(both)["head_dist.weight"], weights(alone)["head_dist.weight"])


def test_fixed_labels_make_another_student_than_the_answers_to_what_it_sees(fakes):
    fixed, online = fakes.store.build(student(fakes, epochs=3, view_seed=5), student(fakes, **SAME, loss="soft"))
    soft = fakes.store.build(student(fakes, epochs=3, view_seed=5, loss="soft"))[0]
    assert not torch.equal(weights(online)["head.weight"], weights(soft)["head.weight"])
    assert not torch.equal(weights(fixed)["head.weight"], weights(soft)["head.weight"])


def test_the_card_beside_a_student_says_what_it_is(fakes):
    (artifact,) = fakes.store.build(student(fakes, **SAME, loss="soft:0.7,label:0.3"))
    card = artifact.file("MODEL_CARD.md").read_text()
    assert "facial expression of pain" in card
    assert "Teacher: Swin" in card
    assert "0.7" in card.split("Loss: ")[1].splitlines()[0]


def test_labels_of_other_views_are_refused(fakes):
    inputs = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True))
    (found,) = fakes.store.build(labels(fakes, views=3, view_seed=5))
    with pytest.raises(ArtifactError, match=r"view_seed 5, wanted is 6.*VIEW_SEED=6"):
        distill.run(student(fakes, views=3, view_seed=6).config, None, **inputs, labels_teacher=found)


def test_labels_without_the_features_of_the_loss_name_the_command(fakes):
    inputs = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True))
    (found,) = fakes.store.build(labels(fakes))
    config = student(fakes, loss="hint", epochs=1).config
    work = type("Work", (), {"path": None, "fingerprint": "x", "node": student(fakes)})
    with pytest.raises(ArtifactError, match="make teacher-labels TEACHER=swin VIEWS=1 FEATURES=map"):
        distill.run(config, work, **inputs, labels_teacher=found)


def test_labels_of_other_faces_are_refused(fakes, tmp_path):
    other = Fakes(tmp_path, subjects=40, size=64)
    other.inputs = replace(other.inputs, version=2)
    (foreign,) = other.store.build(labels(other))
    inputs = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True))
    with pytest.raises(ArtifactError, match="made for inputs"):
        distill.run(student(fakes).config, None, **inputs, labels_teacher=foreign)


def slowly(root: str, pause_s: float) -> None:
    """Make a student with a pause before every step of training, and a checkpoint after it; called in a fork."""
    step = loop._Run._step
    loop._Run._save_is_due = lambda self: True
    loop._Run._step = lambda *arguments: (time.sleep(pause_s), step(*arguments))[1]
    fakes = Fakes(Path(root), subjects=40, size=64)
    fakes.store.build(student(fakes, epochs=3))


@pytest.mark.slow
def test_sigkill_while_training_and_labelling_loses_nothing(fakes, tmp_path):
    """Killed in the middle of the teacher, of the labels and twice of the student, then left alone."""
    root = tmp_path / "cache"
    moments = (
        "teacher-*.partial/checkpoint.pt",
        "labels-*.partial/labels.h5",
        "student-*.partial/checkpoint.pt",
        "student-*.partial/history.csv",
    )
    with Forks(__file__) as forks:
        killed = [
            forks.killed(lambda moment=moment: any(root.glob(moment)), "slowly", str(root), 0.05) for moment in moments
        ]
        assert killed[0]
        assert killed[2]
        assert forks.finish("slowly", str(root), 0) == 0

    expected = fakes.store.build(student(fakes, epochs=3), labels(fakes))
    found = Fakes(root, subjects=40, size=64)
    for undisturbed, node in zip(expected, (student(found, epochs=3), labels(found)), strict=True):
        killed = found.store.find(node)
        assert killed is not None
        for name in {"weights.safetensors", "history.csv", "labels.h5"} & set(killed.record["files"]):
            assert killed.file(name).read_bytes() == undisturbed.file(name).read_bytes()


def test_a_budget_hides_labels_from_the_student_and_leaves_its_steps(fakes, monkeypatch):
    """Taught, it sees every sample and knows the labels of some; untaught, it has those alone, for as many steps."""
    seen, fit = {}, loop.fit

    def watched(model, batches, loss, *arguments, **options):
        title = options["title"]
        seen[title] = [(len(inputs), targets["label"].clone()) for e in range(2) for inputs, targets in batches(e, 0)]
        return fit(model, batches, loss, *arguments, **options)

    monkeypatch.setattr(loop, "fit", watched)
    some = {"labelled": 8.0, "batch_size": 16, "seed": 6}
    built = fakes.store.build(student(fakes, **some), student(fakes, "none", **some))
    taught, untaught = seen["student-swin"], seen["student-none"]
    counts = built[0].summary["counts"]
    assert len(taught) == len(untaught) == 2 * -(-counts["train"] // 16)
    assert sum(size for size, _ in taught) == 2 * counts["train"]
    known = [int((label >= 0).sum()) for _, label in taught]
    assert sum(known) == 2 * counts["labelled_samples"] < sum(size for size, _ in taught)
    assert all((label >= 0).all() for _, label in untaught)
    assert built[1].summary["counts"]["train"] == counts["labelled_samples"]
    for artifact in built:
        card = models.load_model(artifact)[1]
        assert (card["labelled"], card["labelled_subjects"]) == (8, 8)
        assert artifact.summary["counts"]["labelled_subjects"] == 8
        assert f"those of 8 training subjects ({counts['labelled_samples']} faces)" in (
            artifact.file("MODEL_CARD.md").read_text()
        )
    looks = [load_file(artifact.file("domain.safetensors"))["look/mean"] for artifact in built]
    torch.testing.assert_close(*looks)  # both are said to have seen all faces of the training part


def test_teachers_answers_stand_for_the_labels_that_are_missing(fakes):
    """A teacher who answers with the truth makes of any budget the student that knows all labels."""
    (original,) = fakes.store.build(labels(fakes))
    right = rewritten(
        original, original.path.with_name("right"), lambda c: np.copyto(c["hard"], fakes.label, casting="unsafe")
    )
    inputs, found = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True)), {}
    for labelled in (0.0, 8.0):
        node = student(fakes, epochs=2, labelled=labelled)
        folder = original.path.with_name(f"student-of-{labelled:g}")
        folder.mkdir()
        work = type("Work", (), {"path": folder, "fingerprint": node.fingerprint, "node": node})
        distill.run(node.config, work, **inputs, labels_teacher=right)
        found[labelled] = load_file(folder / "weights.safetensors")
    assert all(torch.equal(found[0.0][name], found[8.0][name]) for name in found[0.0])


def test_more_labelled_subjects_than_there_are_are_refused(fakes):
    with pytest.raises(
        ConfigError, match=r"LABELLED=1000 asks for the labels of 1000 training subjects, there are \d+"
    ):
        fakes.store.build(student(fakes, "none", labelled=1000.0))


@pytest.mark.parametrize("teacher", ["none", "swin"])
def test_a_budget_that_lacks_a_class_is_refused(teacher, tmp_path):
    task = find("expression")
    preset = presets.preset(task, "smoke")
    fakes = Fakes(tmp_path, subjects=84, size=64, task=task)
    config = replace(preset.distill, teacher=teacher, architecture=preset.student("vit"), loss="label", labelled=1.0)
    node = Node("distill", "student", distill.VERSION, config, fakes.data, distill.run)
    with pytest.raises(DataError, match=r"No training face with a known label is .*LABELLED="):
        fakes.store.build(node)
