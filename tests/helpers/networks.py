"""Small networks with their cards, as training leaves them."""

from __future__ import annotations

from pathlib import Path

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, Architecture, as_dict
from pipeline.inputs import prepared
from pipeline.inputs.faces import card
from pipeline.tasks import Task

FINGERPRINT = "0123456789abcdef" * 4
TINY = Architecture(
    "deit_tiny_distilled_patch16_224",
    options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3)),
    image_size=32,
    weights="random",
)


def saved(folder: Path, task: Task, align: AlignConfig, seed: int = 0, fingerprint: str = FINGERPRINT) -> Path:
    """A network with random weights for a task, its faces prepared as the config says: the folder, made."""
    folder.mkdir(parents=True, exist_ok=True)
    network = models.build(TINY, task.outputs, seed)
    inputs = Artifact(folder, {"stage": card.STAGE, "version": card.VERSION, "config": as_dict(align)})
    entries = {"task": as_dict(task), "prepare": prepared.entry(inputs)}
    models.save_model(folder, network, models.describe(network, TINY, task.outputs) | entries, fingerprint)
    return folder
