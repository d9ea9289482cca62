"""Networks of points: any network of timm with heat maps in place of its classifier.

``heat:<timm's name>``, such as ``heat:mobilenetv2_100``, answers with x and y of each point in shares of the picture's
sides from its middle, -0.5 to 0.5. A plain network of that name regresses the same numbers from pooled features, which
no longer know places; here a light head brings the backbone's maps to a quarter of the picture's resolution and makes a
heat map for each point, whose mean is the point's place: the error of the coordinates themselves trains it, and it is
not rounded to cells.

With 68 points, parameters of the backbone and of the head, and the 10^9 multiply-accumulates of both at 112 and 224 px:

================================ ========== ======= ====== ======
backbone                         parameters    head 112 px 224 px
================================ ========== ======= ====== ======
``mobilenetv2_100``               2,223,872 116,548  0.100  0.376
``efficientnet_b3``              10,696,232 137,028  0.288  1.041
``resnet50``                     23,508,032 270,660  1.117  4.248
``swin_tiny_patch4_window7_224`` 27,519,354 117,060  1.205  4.591
================================ ========== ======= ====== ======

Options beside timm's, which go to the backbone: ``channels`` of the head, ``stride``, the pixels of a cell of the heat
maps (no finer grid is made), ``margin``, how many cells they reach beyond the picture, so that a point at its edge or
a little outside can be told, ``temperature`` of their softmax, and ``drop_rate``, the share of the head's channels that
are left out in training.

Source: Sun et al. 2018, "Integral Human Pose Regression", arXiv:1711.08229; the head is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pipeline.config import Architecture
from pipeline.models import families
from pipeline.models.heat_network import HeatHead, HeatNetwork, as_map

HEAT = "heat:"  # before timm's name of any network
STRIDES = (2, 4, 8, 16, 32)
MOST_MARGIN = 8


@dataclass(frozen=True)
class Options:
    """Of the head.

    Parameters
    ----------
    channels : of its maps.
    stride : pixels of a cell of the heat maps, at least.
    margin : cells that the heat maps reach beyond the picture on each side.
    temperature : of the softmax of each heat map.
    drop_rate : share of the channels left out in training.
    """

    channels: int = 64
    stride: int = 4
    margin: int = 2
    temperature: float = 1.0
    drop_rate: float = 0.0

    def __post_init__(self):
        if self.channels < 1:
            raise ValueError(f"expected channels above 0, got {self.channels}")
        if self.stride not in STRIDES:
            raise ValueError(f"expected stride {', '.join(map(str, STRIDES))}, got {self.stride}")
        if self.margin not in range(MOST_MARGIN + 1):
            raise ValueError(f"expected margin from 0 to {MOST_MARGIN} cells, got {self.margin}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"expected a temperature above 0, got {self.temperature}")


def backbone(name: str) -> str:
    """timm's name of the network below the heat maps; empty where the name is of no network of points."""
    return name.removeprefix(HEAT) if name.startswith(HEAT) else ""


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build the network; pretrained, its backbone begins with timm's weights.

    Raises
    ------
    ValueError : the outputs are no pairs of x and y, an option is none, or the backbone has no feature maps.
    """
    if num_classes < 2 or num_classes % 2:
        raise ValueError(f"it answers with x and y of each point, and {num_classes} outputs are no pairs")
    options = dict(architecture.options)
    own = Options(**{name: options.pop(name) for name in Options.__dataclass_fields__ if name in options})
    single = replace(architecture, name=backbone(architecture.name), options=tuple(options.items()))
    network = families.create(single, 0, pretrained)
    hidden = getattr(network, "head_hidden_size", None)
    if not isinstance(hidden, int):
        raise ValueError(f"{type(network).__name__} gives no pooled features")
    final, maps = _maps(single)
    levels, doublings = plan([tuple(one.shape[2:]) for one in maps], math.ceil(architecture.image_size / own.stride))
    *finer, _ = levels
    widths = [final.shape[1], *(maps[number].shape[1] for number in reversed(finer))]
    points = num_classes // 2
    head = HeatHead(widths, doublings, points, own.channels, own.margin, own.drop_rate)
    return HeatNetwork(architecture.name, network, levels, head, points, hidden, own.margin, own.temperature)


def plan(sizes: Sequence[tuple[int, int]], most: int) -> tuple[list[int], int]:
    """Which of a backbone's maps are read, and how many times the grid of the finest of them is doubled.

    Parameters
    ----------
    sizes : rows and columns of all its maps, in its order.
    most : rows that the heat maps may have, their margins left out.

    Returns
    -------
    Ascending numbers of the last map and of the last of each finer size, and how many doublings stay within ``most``.
    """
    levels = [len(sizes) - 1]
    for number in reversed(range(len(sizes) - 1)):
        coarser = sizes[levels[0]]
        if coarser[0] < sizes[number][0] <= most and coarser[1] < sizes[number][1]:
            levels.insert(0, number)
    rows = sizes[levels[0]][0]
    return levels, max(0, int(math.log2(most / rows)))


def _maps(single: Architecture) -> tuple[Tensor, list[Tensor]]:
    """The final map of a network and those before it, of one picture: their shapes alone, found without memory."""
    with torch.device("meta"), torch.no_grad():
        twin = families.create(single, 0, pretrained=False).eval()
        picture = torch.zeros(1, 3, single.image_size, single.image_size)
        try:
            features, maps = twin.forward_intermediates(picture, norm=False, output_fmt="NCHW")
        except (AttributeError, RuntimeError) as error:
            reason = (str(error) or repr(error)).splitlines()[0]
            raise ValueError(f"{type(twin).__name__} gives no feature maps of such a picture ({reason})") from error
    if not all(isinstance(one, Tensor) and one.ndim == 4 for one in maps):
        raise ValueError(f"{type(twin).__name__} gives no feature maps")
    return as_map(features, maps[-1]), maps
