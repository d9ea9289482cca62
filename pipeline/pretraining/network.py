"""A backbone in pretraining: its outputs, the feature maps by which it is led, and its loss.

A network learns to predict, from one augmented view of an aligned face, the intensity of every action unit, the
person's phenotype and the 68 landmarks. Transformers learn that slowly from random weights; they are led by the feature
maps of a convolutional network that was taught first (FitNets, Romero et al. 2015, arXiv:1412.6550, with linear
regressors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LANDMARK_SCALE = 10.0  # a tenth of the half-width of the face counts like one deviation of an action unit


class PretrainedNetwork(nn.Module):
    """A backbone whose outputs are the truth's columns, with linear maps from its features to a guide's.

    Parameters
    ----------
    model : a timm network with as many outputs as there are targets.
    guide_channels : channels of the guide's feature maps at strides 16 and 32; empty without a guide.
    image_size : side of the input in pixels.
    """

    def __init__(self, model: nn.Module, guide_channels: tuple[int, ...], image_size: int):
        super().__init__()
        self.model = model
        with torch.no_grad():
            maps = feature_maps(model, torch.zeros(1, 3, image_size, image_size))[1]
        self.regressors = nn.ModuleList(
            nn.Conv2d(own.shape[1], channels, 1) for own, channels in zip(maps, guide_channels, strict=False)
        )

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], list[Tensor]]:
        """Outputs (one tensor for each token that answers), and the guide's maps as regressed."""
        final, maps = feature_maps(self.model, images)
        outputs = self.model.forward_head(final)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return outputs, [regress(own) for regress, own in zip(self.regressors, maps, strict=False)]


def feature_maps(model: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A network's final features, and its maps two thirds of the way and at the end, each (B, C, H, W)."""
    final, maps = model.forward_intermediates(images)
    stages = len(maps)
    middle = stages - 2 if stages < 6 else round(stages * 2 / 3) - 1  # stages of a pyramid, or blocks of a DeiT
    return final, [maps[middle], maps[-1]]


def guide_channels(guide: nn.Module | None, image_size: int) -> tuple[int, ...]:
    """Channels of a guide's two maps; none without a guide."""
    if guide is None:
        return ()
    nothing = torch.zeros(1, 3, image_size, image_size, device=next(guide.parameters()).device)
    with torch.no_grad():
        return tuple(m.shape[1] for m in feature_maps(guide.eval(), nothing)[1])


def guide_targets(guide: nn.Module, images: Tensor) -> list[Tensor]:
    """The guide's maps of a batch, each channel standardised over the batch."""
    with torch.no_grad():
        maps = feature_maps(guide.eval(), images)[1]
        return [F.batch_norm(m.float(), None, None, training=True) for m in maps]


class FaceLoss:
    """Smooth L1 of action units, phenotype and landmarks, plus that of the guide's maps.

    Parameters
    ----------
    units : number of outputs that are action units; phenotype and then landmarks follow.
    values : number of outputs that are action units or phenotype.
    guide_weight : weight of each of the guide's maps.
    """

    def __init__(self, units: int, values: int, guide_weight: float):
        self.units, self.values, self.guide_weight = units, values, guide_weight

    def __call__(self, outputs: tuple[tuple[Tensor, ...], list[Tensor]], targets: Mapping[str, Any]) -> Tensor:
        """The loss of the outputs; targets are ``truth`` (B, D) and ``maps``, from ``guide_targets``."""
        tokens, maps = outputs
        loss = sum(self.of_truth(token.float(), targets["truth"]) for token in tokens) / len(tokens)
        for own, wanted in zip(maps, targets["maps"], strict=False):
            wanted = F.interpolate(wanted, own.shape[-2:], mode="bilinear", align_corners=False)
            loss = loss + self.guide_weight * F.smooth_l1_loss(own.float(), wanted)
        return loss

    def of_truth(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """The part without the guide."""
        units, person = slice(0, self.units), slice(self.units, self.values)
        points = slice(self.values, None)
        return (
            F.smooth_l1_loss(outputs[:, units], wanted[:, units])
            + 0.3 * F.smooth_l1_loss(outputs[:, person], wanted[:, person])
            + F.smooth_l1_loss(outputs[:, points] * LANDMARK_SCALE, wanted[:, points] * LANDMARK_SCALE)
        )
