"""What streaming, views and training cost, each beside the way that was not taken: compare within a group."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from pipeline import counter, devices, models, views
from pipeline.config import DEMO
from pipeline.learners import Learner
from pipeline.losses import LossOptions, total
from pipeline.objectives import parse
from pipeline.streaming import batches

FACES, BATCH = 512, 64
SPEC = views.InputSpec(112, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("faces") / "faces.h5"
    with h5py.File(path, "w") as out:
        out["images"] = np.random.default_rng(0).integers(0, 256, (FACES, 256, 256, 3), dtype=np.uint8)
    return path


ORDER = np.random.default_rng(1).permutation(FACES)


@pytest.mark.benchmark(group="stream 512 faces")
def test_memory_map(benchmark, file):
    with h5py.File(file) as opened:
        offset = opened["images"].id.get_offset()
    images = np.memmap(file, np.uint8, "r", offset, (FACES, 256, 256, 3))
    benchmark.pedantic(lambda: sum(len(b) for _, b in batches(images, ORDER, BATCH)), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="stream 512 faces")
def test_h5py_one_by_one(benchmark, file):
    with h5py.File(file) as opened:
        images = opened["images"]
        benchmark.pedantic(lambda: [images[row] for row in ORDER], rounds=2)


PICTURES = torch.randint(0, 256, (32, 256, 256, 3), dtype=torch.uint8)
DRAWN = views.view_parameters(0, counter.keys(map(str, range(32))), 0)


@pytest.mark.benchmark(group="view of 32 faces, 256 to 112 px")
@pytest.mark.parametrize("view", ["identity", "augmented"])
def test_view(benchmark, view):
    make = {
        "identity": lambda: views.normalise(PICTURES, SPEC),
        "augmented": lambda: views.augment(PICTURES, DRAWN, SPEC),
    }
    benchmark.pedantic(make[view], rounds=10, warmup_rounds=2)


@pytest.mark.benchmark(group="step of 16 faces, deit-tiny at 112 px")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_step(benchmark, precision):
    terms = parse("label")
    network = models.build(replace(DEMO.families["deit"], weights="random"), ["no_pain", "pain"])
    learner, objective = Learner(network, terms).train(), total(terms, LossOptions())
    optimizer = torch.optim.Adam(learner.parameters(), fused=True)
    inputs, targets = torch.randn(16, 3, 112, 112), {"label": torch.arange(16) % 2}

    def step():
        with devices.autocast("cpu", precision):
            outputs = learner(inputs)
        optimizer.zero_grad()
        objective(outputs, targets).backward()
        optimizer.step()

    benchmark.pedantic(step, rounds=2, warmup_rounds=1)
