"""timm's families of networks: the adapter that a name belongs to."""

from __future__ import annotations

from torch import nn

from pipeline.config import Architecture
from pipeline.models import deit, generic, resnet, swin

FAMILIES = (deit, swin, resnet, generic)


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build a network of timm as its family is built; 0 classes: without a classifier."""
    family = next(f for f in FAMILIES if architecture.name.startswith(f.PREFIXES))
    return family.create(architecture, num_classes, pretrained)
