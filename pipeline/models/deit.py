"""DeiT, with and without a distillation token (Touvron et al. 2021, arXiv:2012.12877)."""

from __future__ import annotations

import timm
from torch import nn

from pipeline.config import Architecture

PREFIXES = ("deit",)


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build the network for its input size."""
    options = {"img_size": architecture.image_size, **dict(architecture.options)}
    return both_tokens(timm.create_model(architecture.name, pretrained=pretrained, num_classes=num_classes, **options))


def both_tokens(model: nn.Module) -> nn.Module:
    """Let a network with a distillation token give the logits of both tokens in training, and their mean otherwise.

    timm has to be told, or the distillation token learns nothing of its own.
    """
    if hasattr(model, "set_distilled_training"):
        model.set_distilled_training(True)
    return model
