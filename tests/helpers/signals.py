"""Small windows of signals, and networks that read them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.config import Architecture

STEPS, CHANNELS = 176, 2  # 5.5 s at 32 Hz
CLASSES = ("BL1", "PA1", "PA2", "PA3", "PA4")
NETWORKS = {name: Architecture(name, weights="random") for name in ("conv1d", "conv1d_narrow", "painattn")}
NETWORKS["conv1d norm relu"] = Architecture("conv1d", (("norm", True), ("relu", True)), weights="random")


def read_of(architecture: Architecture, steps: int = STEPS, channels: int = CHANNELS) -> dict:
    """What a network reads of such windows, as its card says it."""
    return models.reads(architecture, {"signal": (steps, channels)})


def network(architecture: Architecture, seed: int = 0, steps: int = STEPS, channels: int = CHANNELS) -> nn.Module:
    """A network with random weights for such windows."""
    return models.build(architecture, CLASSES, seed, read_of(architecture, steps, channels))


def windows(batch: int = 4, steps: int = STEPS, channels: int = CHANNELS) -> Tensor:
    """Windows as networks read them: float32, shape (batch, channels, steps), the second's last third unknown."""
    made = torch.randn(batch, channels, steps, generator=torch.Generator().manual_seed(1))
    made[1:2, :, -(steps // 3) :] = torch.nan
    return made


def saved(folder: Path, architecture: Architecture, fingerprint: str) -> Path:
    """A network with its card, as training leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = network(architecture)
    card = models.describe(made, architecture, CLASSES, read_of(architecture))
    models.save_model(folder, made, card, fingerprint)
    return folder
