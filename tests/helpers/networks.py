"""Small networks with their cards, as training leaves them."""

from __future__ import annotations

from pathlib import Path

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, Architecture, ResizeConfig, WindowConfig, as_dict
from pipeline.inputs import prepared
from pipeline.inputs.faces import card
from pipeline.inputs.frames import card as frames
from pipeline.inputs.signals import card as signals
from pipeline.tasks import Task

FINGERPRINT = "0123456789abcdef" * 4
NARROW = Architecture("conv1d_narrow", weights="random")
BLOCKS = Architecture("cnn4", (("channels", (4, 4, 8, 8)), ("hidden", 8)), 32, "random")
SCALES = {"rgb": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}, "ir": {"mean": [0.5], "std": [0.2]}}
TINY = Architecture(
    "deit_tiny_distilled_patch16_224",
    options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3)),
    image_size=32,
    weights="random",
)


def saved(
    folder: Path,
    task: Task,
    align: AlignConfig,
    seed: int = 0,
    fingerprint: str = FINGERPRINT,
    architecture: Architecture = TINY,
) -> Path:
    """A network with random weights for a task, its faces prepared as the config says: the folder, made."""
    folder.mkdir(parents=True, exist_ok=True)
    network = models.build(architecture, task.numbers, seed)
    inputs = Artifact(folder, {"stage": card.STAGE, "version": card.VERSION, "config": as_dict(align)})
    entries = {"task": as_dict(task), "prepare": prepared.entry(inputs)}
    models.save_model(folder, network, models.describe(network, architecture, task.numbers) | entries, fingerprint)
    return folder


def saved_of_signals(folder: Path, task: Task, config: WindowConfig, rate_hz: float, steps: int, seed: int = 0) -> Path:
    """The same of signals: windows prepared as the config says, of so many steps at a rate."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"rate_hz": rate_hz, "steps": steps}
    record = {"stage": signals.STAGE, "version": signals.VERSION, "config": as_dict(config), "summary": summary}
    inputs = Artifact(folder, record)
    read = models.reads(NARROW, {"signal": (steps, len(signals.channels_of(config.channel)))})
    network = models.build(NARROW, task.numbers, seed, read)
    entries = {"task": as_dict(task), "prepare": prepared.entry(inputs)}
    models.save_model(folder, network, models.describe(network, NARROW, task.numbers, read) | entries, FINGERPRINT)
    return folder


def saved_of_frames(
    folder: Path, task: Task, config: ResizeConfig, architecture: Architecture = BLOCKS, seed: int = 0
) -> Path:
    """The same of frames: resized as the config says."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "stage": frames.STAGE,
        "version": frames.VERSION,
        "config": as_dict(config),
        "summary": {"scales": SCALES},
    }
    read = models.reads(architecture)
    network = models.build(architecture, task.numbers, seed, read)
    entries = {"task": as_dict(task), "prepare": prepared.entry(Artifact(folder, record))}
    models.save_model(
        folder, network, models.describe(network, architecture, task.numbers, read) | entries, FINGERPRINT
    )
    return folder
