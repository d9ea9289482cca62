"""What must hold on a CUDA device as well; skipped without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Node
from pipeline.inputs import keyed_random, streaming
from pipeline.inputs.views import image as views
from pipeline.inputs.views import signal, strong
from pipeline.inputs.views.plan import Plan, Views
from stages import train_teacher
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE
from tests.helpers.students import student

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)


def test_batches_arrive_whole():
    rows = np.random.default_rng(1).integers(0, 50, 5000)
    for chunk, batch in streaming.batches(IMAGES, rows, 64, "cuda"):
        assert batch.is_cuda
        assert np.array_equal(batch.cpu().numpy(), IMAGES[chunk])


@pytest.mark.parametrize("size", [28, 64])
def test_views_look_the_same_on_both_devices(size):
    drawn = views.view_parameters(0, keyed_random.keys(map(str, range(50))), 0)
    spec = views.InputSpec(size, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    images = torch.from_numpy(IMAGES)
    for make in (lambda x: views.augment(x, drawn, spec), lambda x: views.normalise(x, spec)):
        torch.testing.assert_close(make(images.cuda()).cpu(), make(images), atol=2e-3, rtol=0)


@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup"])
def test_views_of_signals_look_the_same_on_both_devices(mix):
    values = np.random.default_rng(0).normal(size=(50, 176, 2)).astype(np.float32)
    values[::3, 120:] = np.nan
    drawn = Views(Plan(0, 4, mix), keyed_random.keys(map(str, range(50))), signal.DRAWS).draw(np.arange(50), 1)
    raw = torch.from_numpy(values if mix == "none" else np.concatenate([values, values[drawn.partners]]))
    made = [signal.make(one, drawn, signal.SignalSpec(176, 2)).cpu() for one in (raw.cuda(), raw)]
    torch.testing.assert_close(*made, atol=2e-3, rtol=0, equal_nan=True)


def test_strong_views_look_the_same_on_both_devices():
    keys, index = keyed_random.keys(map(str, range(50))), np.arange(24)
    drawn = Views(Plan(0, 4, strong="align"), keys, views.DRAWS | strong.DRAWS["align"]).draw(index, 3)
    images, spec = torch.from_numpy(IMAGES[index]), views.InputSpec(64, (0.0,) * 3, (1.0,) * 3)
    apart = (views.make(images.cuda(), drawn, spec).cpu() - views.make(images, drawn, spec)).abs()
    assert apart.mean() < 2e-3  # at an occluder's edge a pixel may be on the other side


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_mixed_views_look_the_same_on_both_devices(mix):
    drawer = Views(Plan(0, 4, mix), keyed_random.keys(map(str, range(50))), views.DRAWS)
    index = np.arange(24)
    drawn = drawer.draw(index, 3)
    spec = views.InputSpec(64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    images = torch.from_numpy(IMAGES[np.concatenate([index, drawn.partners])])
    torch.testing.assert_close(
        views.make(images.cuda(), drawn, spec).cpu(), views.make(images, drawn, spec), atol=2e-3, rtol=0
    )


def test_a_cached_student_is_the_online_one_within_rounding(tmp_path):
    fakes = Fakes(tmp_path, subjects=40, size=64)
    same = {"epochs": 3, "views": 3, "view_seed": 5, "device": "cuda"}
    cached, online = fakes.store.build(
        *(student(fakes, **same, loss="soft", online=online) for online in (False, True))
    )
    pictures = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    one, other = (models.logits(models.load_model(artifact)[0], pictures) for artifact in (cached, online))
    assert (one - other).abs().max() < 1e-2


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_training_repeats_itself(tmp_path, precision):
    found = []
    for name in ("a", "b"):
        fakes = Fakes(tmp_path / name, subjects=40, size=64)
        config = replace(SMOKE.train_teacher, architecture=NETWORKS["swin"], precision=precision, device="cuda")
        node = Node("train_teacher", "teacher", 1, config, fakes.data, train_teacher.run)
        (artifact,) = fakes.store.build(node)
        found.append(models.load_model(artifact)[0].state_dict())
        assert np.isfinite(arrays.read_table(artifact.file("history.csv"))["val_loss"]).all()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
