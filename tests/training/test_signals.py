"""Signals go the whole way of training: a teacher, its cached answers, and students that learn from them or from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline import models
from pipeline.config import DistillConfig, TeacherConfig, as_dict
from pipeline.distillation import label_writer
from pipeline.distillation.ensemble import TeacherEnsemble
from pipeline.distillation.label_writer import LabelJob
from pipeline.distillation.labels import LabelStore
from pipeline.distillation.targets import CachedTargets, OnlineTargets, TargetsByRole
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.inputs.views.plan import Plan
from pipeline.tasks import PAIN, Task, objective
from pipeline.training import supervised
from pipeline.training.supervised import Lesson
from tests.helpers.networks import FINGERPRINT
from tests.helpers.signals import NETWORKS

pytestmark = pytest.mark.slow

STEPS = 88
TASK = Task("level", "classify", "level", ("low", "high"), teacher_inputs=("signal",), student_inputs=("signal",))
PLAN = Plan(5, 3, "cutmix", mix_probability=0.5)
SHORT = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu"}


def samples(count: int = 48) -> Samples:
    """Windows of two levels: the higher one has a wave more; some are shorter than others."""
    rng, truth = np.random.default_rng(0), np.arange(count) % 2
    time = np.arange(STEPS) / STEPS
    waves = np.sin(2 * np.pi * (1 + truth[:, None]) * time + rng.uniform(0, 1, (count, 1)))
    values = (waves + rng.normal(0, 0.1, (count, STEPS)))[:, :, None].astype(np.float32)
    values[::7, 60:] = np.nan
    return Samples({"signal": values}, np.arange(count), [f"{n}.csv#full" for n in range(count)], truth)


def train(config, lesson: Lesson, folder: Path) -> dict[str, torch.Tensor]:
    folder.mkdir(parents=True)
    work = SimpleNamespace(path=folder, fingerprint=FINGERPRINT, node=SimpleNamespace(slug=folder.name))
    supervised.train(config, lesson, work, {"seed": config.seed})
    return load_file(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory) -> TeacherEnsemble:
    folder, seen = tmp_path_factory.mktemp("teacher") / "painattn", samples()
    config = replace(TeacherConfig(architecture=NETWORKS["painattn"], task=TASK, **SHORT), seed=3)
    train(config, Lesson(TASK, seen, seen, Plan(8), "label"), folder)
    network, card = models.load_model(folder)
    assert card["inputs"] == {"signal": {"length": STEPS, "channels": 1}}
    assert card["task"] == as_dict(TASK)
    return TeacherEnsemble((network,), (card,), batches.specs(card), "cpu", "float32")


def cached(ensemble: TeacherEnsemble, folder: Path, kinds: tuple[str, ...]) -> CachedTargets:
    """The teacher's answers to every view, written and read again."""
    seen = samples()
    everyone = np.arange(len(seen))
    job = LabelJob(ensemble, TASK, seen, np.zeros(len(seen), np.int8), everyone, PLAN)
    attrs = {"outputs": list(TASK.outputs), "views": PLAN.views, "precision": "float32"}
    features = [kind for kind in kinds if kind in objective.FEATURES]
    label_writer.write_samples(folder, FINGERPRINT, job, attrs, 10)
    label_writer.write_views(folder, FINGERPRINT, job, features, attrs, 10)
    store = LabelStore.load(folder, FINGERPRINT, several=True)
    assert label_writer.compare(store, job, 1.0, 7) == len(seen) * (1 + PLAN.views)
    return CachedTargets(store, seen.sample_ids, kinds, "cpu")


@pytest.mark.parametrize("loss", ["hard", "soft:0.25,label:0.75", "hint:0.25,label:0.75", "cosine:0.25,label:0.75"])
def test_the_cached_student_is_the_online_one(loss, ensemble, tmp_path):
    seen, kinds = samples(), objective.required_targets(loss)
    config = DistillConfig(architecture=NETWORKS["conv1d_narrow"], task=TASK, loss=loss, **SHORT)
    weights = []
    for name, provider in (
        ("cached", cached(ensemble, tmp_path, kinds)),
        ("online", OnlineTargets(ensemble, kinds)),
    ):
        lesson = Lesson(TASK, seen, seen, PLAN, loss, 2.0, TargetsByRole({"teacher": provider}))
        weights.append(train(config, lesson, tmp_path / name))
    for name, tensor in weights[0].items():
        if loss == "hard":
            assert torch.equal(tensor, weights[1][name])
        else:  # answers are asked for in other batches, and features kept in float16
            torch.testing.assert_close(tensor, weights[1][name], atol=2e-3, rtol=1e-3)


def test_a_run_is_the_same_again_and_learns(tmp_path):
    seen = samples()
    config = DistillConfig(architecture=NETWORKS["conv1d norm relu"], task=TASK, **(SHORT | {"epochs": 8}))
    lesson = Lesson(TASK, seen, seen, Plan(8), "label")
    first, second = (train(config, lesson, tmp_path / name) for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    network, card = models.load_model(tmp_path / "first")
    outputs = torch.cat(list(supervised.forward(network, seen, batches.specs(card), 16, "cpu")))
    assert (outputs.argmax(1).numpy() == seen.truth).mean() > 0.9


def test_a_network_of_pictures_cannot_learn_from_signals(tmp_path):
    seen = samples()
    config = DistillConfig(architecture=replace(NETWORKS["conv1d"], name="resnet10t"), task=TASK, **SHORT)
    with pytest.raises(ConfigError, match=r"resnet10t reads rgb, and the prepared inputs are signal\. .*conv1d"):
        train(config, Lesson(TASK, seen, seen, PLAN, "label"), tmp_path / "student")


def test_a_network_of_signals_cannot_learn_from_pictures(tmp_path):
    faces = Samples({"rgb": np.zeros((4, 8, 8, 3), np.uint8)}, np.arange(4), list("abcd"), np.arange(4) % 2)
    config = DistillConfig(architecture=NETWORKS["conv1d"], task=PAIN, **SHORT)
    with pytest.raises(ConfigError, match=r"conv1d reads signal, and the prepared inputs are rgb"):
        train(config, Lesson(PAIN, faces, faces, PLAN, "label"), tmp_path / "student")
