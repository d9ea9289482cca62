"""Swin transformers (Liu et al. 2021, arXiv:2103.14030)."""

from __future__ import annotations

import timm
from torch import nn

from pipeline.config import Architecture

PREFIXES = ("swin_", "swinv2_")


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build the network for its input size; timm fits windows that are larger than a late stage's grid."""
    options = {"img_size": architecture.image_size, **dict(architecture.options)}
    return timm.create_model(architecture.name, pretrained=pretrained, num_classes=num_classes, **options)
