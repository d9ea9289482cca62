"""A teacher that reads two cameras and a student that reads one: the same views of the same frames, cached or asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline import models
from pipeline.config import Architecture, DistillConfig, TeacherConfig
from pipeline.distillation import label_writer
from pipeline.distillation.ensemble import TeacherEnsemble
from pipeline.distillation.label_writer import LabelJob
from pipeline.distillation.labels import VIEWS, LabelStore
from pipeline.distillation.targets import CachedTargets, OnlineTargets, TargetsByRole
from pipeline.errors import ArtifactError, ConfigError
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.plan import Plan
from pipeline.tasks import find, objective
from pipeline.training import supervised
from pipeline.training.supervised import Lesson
from tests.helpers.networks import FINGERPRINT

pytestmark = pytest.mark.slow

TASK = find("fire-smoke")
SIDE, COUNT = 32, 40
PLAN = Plan(5, 3, "cutmix", mix_probability=0.5)
SHORT = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu"}
TEACHER = Architecture("dual:test_resnet", image_size=SIDE, weights="random")
STUDENT = Architecture("cnn4", (("channels", (4, 4, 8, 8)), ("hidden", 8)), SIDE, "random")
SCALES = {"rgb": {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}, "ir": {"mean": (0.3,), "std": (0.2,)}}
SPECS = {"rgb": InputSpec(SIDE, (0.0,) * 3, (1.0,) * 3), "ir": InputSpec(SIDE, (0.0,), (1.0,))}


def samples(*modalities: str) -> Samples:
    """Frames of two cameras: fire glows in the infrared, smoke is grey in RGB."""
    rng = np.random.default_rng(0)
    truth = np.stack([np.arange(COUNT) % 2, np.arange(COUNT) // 2 % 2], axis=1).astype(np.float32)
    frames = {"rgb": rng.integers(0, 200, (COUNT, SIDE, SIDE, 3)), "ir": rng.integers(0, 99, (COUNT, SIDE, SIDE, 1))}
    frames["ir"][truth[:, 0] == 1, 8:20, 8:20] += 150
    frames["rgb"][truth[:, 1] == 1, :16] = 180
    columns = {name: frames[name].astype(np.uint8) for name in modalities or ("rgb", "ir")}
    return Samples(columns, np.arange(COUNT), [f"{n}.jpg#full" for n in range(COUNT)], truth)


def train(config, lesson: Lesson, folder: Path) -> dict[str, Tensor]:
    folder.mkdir(parents=True)
    work = SimpleNamespace(path=folder, fingerprint=FINGERPRINT, node=SimpleNamespace(slug=folder.name))
    supervised.train(config, replace(lesson, scales=SCALES), work, {"seed": config.seed})
    return load_file(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory) -> TeacherEnsemble:
    folder = tmp_path_factory.mktemp("teacher") / "dual"
    config = TeacherConfig(architecture=TEACHER, task=TASK, seed=3, **SHORT)
    train(config, Lesson(TASK, samples(), samples(), Plan(8), "label"), folder)
    network, card = models.load_model(folder)
    assert card["inputs"]["rgb"] == {"size": SIDE, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    assert card["inputs"]["ir"] == {"size": SIDE, "mean": [0.3], "std": [0.2]}
    return TeacherEnsemble((network,), (card,), batches.specs(card), "cpu", "float32")


def job_of(ensemble: TeacherEnsemble) -> LabelJob:
    return LabelJob(ensemble, TASK, samples(), np.zeros(COUNT, np.int8), np.arange(COUNT), PLAN)


def labelled(job: LabelJob, folder: Path, features: tuple[str, ...] = ()) -> LabelStore:
    """What the teacher says of every sample and every view, written and read again."""
    attrs = {"task": TASK.name, "name": "dual", "outputs": list(TASK.outputs), "precision": "float32", "folds": 0}
    attrs |= {"views": PLAN.views, "view_seed": PLAN.seed, "mix": PLAN.mix, "mix_probability": PLAN.mix_probability}
    label_writer.write_samples(folder, FINGERPRINT, job, attrs, 10)
    label_writer.write_views(folder, FINGERPRINT, job, features, attrs, 10)
    return LabelStore.load(folder, FINGERPRINT, several=True)


@pytest.mark.parametrize("loss", ["hard", "soft:0.7+label:0.3", "soft:0.4+relation:0.2+features:0.2+label:0.2"])
def test_the_cached_student_is_the_online_one(loss, ensemble, tmp_path):
    kinds = objective.required_targets(loss)
    features = tuple(kind for kind in kinds if kind in objective.FEATURES)
    store = labelled(job_of(ensemble), tmp_path, features)
    assert store.samples["hard"].shape == (COUNT, 2)
    config = DistillConfig(architecture=STUDENT, task=TASK, loss=loss, **SHORT)
    weights = []
    for name, seen, provider in (
        ("cached", samples("rgb"), CachedTargets(store, samples().sample_ids, kinds, "cpu")),
        ("online", samples(), OnlineTargets(ensemble, kinds, TASK.kind)),
    ):
        lesson = Lesson(TASK, seen, samples("rgb"), PLAN, loss, 4.0, TargetsByRole({"teacher": provider}))
        weights.append(train(config, lesson, tmp_path / name))
    card = models.load_model(tmp_path / "cached")[1]
    assert set(card["inputs"]) == {"rgb"}
    for name, tensor in weights[0].items():
        if loss == "hard":
            assert torch.equal(tensor, weights[1][name])
        else:  # answers are asked for in other batches, and features kept in float16
            torch.testing.assert_close(tensor, weights[1][name], atol=5e-3, rtol=5e-3)


class Looking(nn.Module):
    """A teacher whose answers are what it sees: the mean of the red of its view, and of the infrared."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return torch.stack([inputs["rgb"][:, 0].mean((1, 2)), inputs["ir"].mean((1, 2, 3))], dim=1)


def looking() -> TeacherEnsemble:
    return TeacherEnsemble((Looking(),), ({"task": {"kind": TASK.kind}},), SPECS, "cpu", "float32")


def test_teacher_and_student_see_the_same_view_of_the_same_frame(tmp_path):
    store = labelled(job_of(looking()), tmp_path)
    targets = TargetsByRole({"teacher": CachedTargets(store, samples().sample_ids, ("logits",), "cpu")})
    lesson = Lesson(TASK, samples("rgb"), samples("rgb"), PLAN, "soft", teachers=targets)
    batches_of = supervised.training_batches(lesson, {"rgb": SPECS["rgb"]}, 16, seed=1, device="cpu")
    seen = 0
    for epoch in range(PLAN.views):
        for pictures, told in batches_of(epoch, 0):
            red = pictures[:, 0].mean((1, 2))
            torch.testing.assert_close(told["teacher/logits"][:, 0], red, atol=1e-5, rtol=0)
            assert not torch.allclose(told["teacher/logits"][:, 0].roll(1), red, atol=1e-3)  # of another frame
            seen += len(red)
    assert seen == COUNT * PLAN.views


def test_both_cameras_show_one_view(tmp_path):
    """Of frames whose infrared is their red, in views without colour jitter, both means are one."""
    seen = samples()
    seen = Samples(seen.columns | {"ir": seen.columns["rgb"][..., :1]}, seen.rows, seen.sample_ids, seen.truth)
    drawn = seen.views(PLAN).draw(np.arange(COUNT), 1)
    for parameters in (drawn.parameters, drawn.partner_parameters):
        parameters["picture"][:, 5:] = 1
    (batch,) = batches.stream(seen, [(np.arange(COUNT), drawn)], "cpu")
    made = batch.make(SPECS)
    torch.testing.assert_close(made["rgb"][:, :1], made["ir"], atol=1e-5, rtol=0)


def test_answers_that_changed_places_are_named(tmp_path):
    job = job_of(looking())
    store = labelled(job, tmp_path)
    assert label_writer.compare(store, job, 1.0, 7) == COUNT * (1 + PLAN.views)
    with h5py.File(tmp_path / VIEWS, "r+") as file:
        for name in ("logits", "hard"):
            values = file[name][:]
            values[[3, 4]] = values[[4, 3]]
            file[name][:] = values
    with pytest.raises(ArtifactError) as raised:
        label_writer.compare(LabelStore.load(tmp_path, FINGERPRINT, several=True), job, 1.0, 7)
    assert "views.h5" in str(raised.value)


def test_a_teacher_of_two_cameras_cannot_learn_from_one(tmp_path):
    config = TeacherConfig(architecture=TEACHER, task=TASK, **SHORT)
    with pytest.raises(ConfigError, match=r"dual:test_resnet reads rgb, ir, and the prepared inputs are rgb"):
        train(config, Lesson(TASK, samples("rgb"), samples("rgb"), PLAN, "label"), tmp_path / "teacher")
