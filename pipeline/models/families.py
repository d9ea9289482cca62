"""Networks of one picture, timm's and ours: the adapter that a name belongs to."""

from __future__ import annotations

from torch import nn

from pipeline.config import Architecture
from pipeline.models import cnn4, deit, generic, resnet, swin

FAMILIES = (cnn4, deit, swin, resnet, generic)


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build a network as its family is built; 0 classes: without a classifier."""
    family = next(f for f in FAMILIES if architecture.name.startswith(f.PREFIXES))
    return family.create(architecture, num_classes, pretrained)
