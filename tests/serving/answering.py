"""Networks that answer the same to whatever they see, so that what is told of it can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, as_dict
from pipeline.inputs import prepared
from pipeline.inputs.faces import card
from pipeline.tasks import TASKS, Task
from tests.helpers.networks import FINGERPRINT, TINY

PSPI = TASKS["intensity"]
SMALL = AlignConfig(face_size=64)
WRITTEN_BY_SAVING = ("fingerprint", "sha256", "checksum")


def points(count: int) -> Task:
    """The question where so few points are."""
    return replace(TASKS["landmarks"], outputs=tuple(f"p{point}" for point in range(count)), mirrored=())


def of_faces(folder: Path, task: Task, raw: Sequence[float], align: AlignConfig = SMALL) -> Path:
    """A network of faces whose raw outputs are always these."""
    folder.mkdir(parents=True, exist_ok=True)
    network = models.build(TINY, task.numbers)
    inputs = Artifact(folder, {"stage": card.STAGE, "version": card.VERSION, "config": as_dict(align)})
    entries = {"task": as_dict(task), "prepare": prepared.entry(inputs)}
    models.save_model(folder, network, models.describe(network, TINY, task.numbers) | entries, FINGERPRINT)
    return always(folder, raw)


def always(folder: Path, raw: Sequence[float]) -> Path:
    """A saved network, changed so that its raw outputs are always these."""
    network, entries = models.load_model(folder)
    with torch.no_grad():
        for name in models.output_layers(network):
            layer = network.get_submodule(name)
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(raw))
    models.save_model(folder, network, {k: v for k, v in entries.items() if k not in WRITTEN_BY_SAVING}, FINGERPRINT)
    return folder
