"""Any other network of timm."""

from __future__ import annotations

import timm
from torch import nn

from pipeline.config import Architecture
from pipeline.models.deit import both_tokens

PREFIXES = ("",)


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build the network; only one whose weights depend on the input size is told the size."""
    options = dict(architecture.options)
    if timm.get_pretrained_cfg(architecture.name).fixed_input_size:
        options = {"img_size": architecture.image_size, **options}
    return both_tokens(timm.create_model(architecture.name, pretrained=pretrained, num_classes=num_classes, **options))
