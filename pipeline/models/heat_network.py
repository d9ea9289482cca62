"""A network of points: a backbone's maps brought to one fine grid, a heat map for each point, and its mean place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models import weights

CLASSIFIER = "head"
BACKBONE = "backbone."  # before the backbone's own names of tensors
FIRST_DEVIATION = 0.01  # of the weights that make heat maps: at first all are nearly flat, their mean in the middle


def mean_places(heat: Tensor, margin: int = 0) -> Tensor:
    """Where heat maps lie: the mean of their cells' centres (integral regression, "soft-argmax").

    Parameters
    ----------
    heat : float32, shape (B, K, h, w), of each map the sum is 1.
    margin : cells that the maps reach beyond the picture on each side.

    Returns
    -------
    float32, shape (B, 2 K): x, y of each point in shares of the picture's sides from its middle, -0.5 to 0.5 inside.

    Source: Sun et al. 2018, arXiv:1711.08229; the centres of cells as in DSNT, Nibali et al. 2018, arXiv:1801.07372,
    but in shares of the sides and with cells beyond the edges: the mean of cells within a picture never reaches its
    edge. Sums and no products of matrices, which autocasting would round to half precision.
    """
    rows, columns = heat.sum(3), heat.sum(2)  # (B, K, h), (B, K, w)
    x, y = ((line * _centres(line, margin)).sum(2) for line in (columns, rows))
    return torch.stack([x, y], dim=2).flatten(1)


def _centres(line: Tensor, margin: int) -> Tensor:
    """Centres of the cells along a side, in shares of the picture's from its middle, shape (cells,)."""
    cells = line.shape[-1]
    inside = cells - 2 * margin
    return (torch.arange(cells, dtype=line.dtype, device=line.device) - margin + 0.5) / inside - 0.5


def spread(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (B, C, h, w) on a grid of another size, linearly between the centres of their cells.

    As products with two matrices: CUDA's own way has no fast gradient that is the same in every run.
    """
    rows, columns = (_between(old, new, maps) for old, new in zip(maps.shape[2:], size, strict=True))
    return torch.einsum("bchw,hi,wj->bcij", maps, rows, columns)


def _between(old: int, new: int, like: Tensor) -> Tensor:
    """How much of each of ``old`` cells is in each of ``new`` ones, shape (old, new)."""
    cells = torch.eye(old, dtype=like.dtype, device=like.device)
    return F.interpolate(cells[None], new, mode="linear", align_corners=False)[0]


def as_map(features: Any, last: Tensor) -> Tensor:
    """A backbone's final features as a map of the size of its last one, without its tokens of no place.

    Parameters
    ----------
    features : as ``forward_features`` gives them: a map with its channels first or last, or tokens (B, n, D), of which
        those of the class and of distillation come first.
    last : the last map before them, (B, D', h, w), which is taken where the features are none of these.
    """
    grid = last.shape[2:]
    if isinstance(features, Tensor):
        if features.shape[2:] == grid:
            return features
        if features.ndim == 4 and features.shape[1:3] == grid:
            return features.permute(0, 3, 1, 2)
        if features.ndim == 3 and features.shape[1] >= grid.numel():
            return features[:, -grid.numel() :].mT.unflatten(2, grid)
    return last


class HeatHead(nn.Module):
    """Maps of a backbone, the coarsest first, as heat maps of points.

    Each map comes to ``channels`` by a 1x1 convolution; the coarser is spread to the grid of the finer, added to it,
    and read by a depthwise and a 1x1 convolution (feature pyramid, Lin et al. 2017, arXiv:1612.03144, with separable
    convolutions). The last depthwise convolution is ``2 margin + 1`` cells wide, so that every cell beyond the edge
    sees some of the picture.

    Parameters
    ----------
    widths : channels of each map.
    doublings : how many times the grid is doubled after the finest of them.
    points : number of heat maps.
    channels : of all between.
    margin : cells that the heat maps reach beyond the picture on each side.
    dropout : share of the channels that are left out in training before the last convolution.
    """

    def __init__(self, widths: Sequence[int], doublings: int, points: int, channels: int, margin: int, dropout: float):
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.blocks = nn.ModuleList(_block(channels, 1, 1) for _ in range(len(widths) - 1 + doublings))
        self.last = _block(channels, margin, 2 * margin)
        self.dropout = nn.Dropout2d(dropout)
        self.points = nn.Conv2d(channels, points, 1)
        nn.init.normal_(self.points.weight, std=FIRST_DEVIATION)
        nn.init.zeros_(self.points.bias)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Heat before it is made to sum to 1, shape (B, K, h, w)."""
        first, *finer = levels
        maps = self.laterals[0](first)
        for number, block in enumerate(self.blocks):
            if number < len(finer):
                maps = spread(maps, finer[number].shape[2:]) + self.laterals[number + 1](finer[number])
            else:
                maps = spread(maps, [2 * side for side in maps.shape[2:]])
            maps = block(maps)
        return self.points(self.dropout(self.last(maps)))


def _block(channels: int, reach: int, padding: int) -> nn.Sequential:
    """A depthwise convolution of ``2 reach + 1`` cells and a 1x1 one."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 2 * reach + 1, padding=padding, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class HeatNetwork(nn.Module):
    """A network of pictures that answers with places of points, run by the methods of timm's networks.

    Its ``map`` is the heat maps, (K, h, w), each of the sum 1; its ``hidden`` the pooled features of the backbone.

    Parameters
    ----------
    name : of the architecture.
    backbone : without a classifier.
    levels : numbers of the backbone's maps that are read, ascending: the finest first, at last its last.
    head : makes heat of its final features and of these maps.
    points : number of heat maps.
    hidden : how many pooled features the backbone has.
    margin : cells that the heat maps reach beyond the picture on each side.
    temperature : the heat is divided by; the lower, the narrower are the maps.
    """

    def __init__(
        self,
        name: str,
        backbone: nn.Module,
        levels: Sequence[int],
        head: HeatHead,
        points: int,
        hidden: int,
        margin: int,
        temperature: float,
    ):
        super().__init__()
        origin = {key: backbone.pretrained_cfg.get(key) for key in ("hf_hub_id", "url")}
        self.pretrained_cfg = {"architecture": name, "classifier": CLASSIFIER, **origin}
        self.head_hidden_size = hidden
        self.feature_info = [{"num_chs": points}]
        self.levels, self.margin, self.temperature = list(levels), margin, temperature
        self.backbone, self.head = backbone, head

    def fit_weights(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A state dict of the backbone or of such a network, as one of this network; ``weights.load_backbone`` asks."""
        if any(name.startswith(BACKBONE) for name in tensors):
            own = {name.removeprefix(BACKBONE): t for name, t in tensors.items() if name.startswith(BACKBONE)}
            others = {name: t for name, t in tensors.items() if not name.startswith(BACKBONE)}
        else:
            own, others = tensors, {}
        heads = self.backbone.pretrained_cfg["classifier"]
        heads = (heads,) if isinstance(heads, str) else tuple(heads)
        own = weights.fitted(own, self.backbone)
        return others | {BACKBONE + name: t for name, t in own.items() if not weights.in_heads(name, heads)}

    def see(self, pictures: Tensor) -> tuple[Any, Tensor]:
        """The backbone's final features, and the heat maps (B, K, h, w), float32, each of the sum 1."""
        features, (*finer, last) = self.backbone.forward_intermediates(
            pictures, indices=self.levels, norm=False, output_fmt="NCHW"
        )
        heat = self.head([as_map(features, last), *reversed(finer)]).float() / self.temperature
        return features, heat.flatten(2).softmax(2).view_as(heat)

    def forward_features(self, pictures: Tensor) -> tuple[Any, Tensor]:
        """What ``see`` gives."""
        return self.see(pictures)

    def forward_intermediates(self, pictures: Tensor, **_: object) -> tuple[tuple[Any, Tensor], list[Tensor]]:
        """The final features, as ``forward_features`` gives them, and the heat maps."""
        features, heat = self.see(pictures)
        return (features, heat), [heat]

    def forward_head(self, features: tuple[Any, Tensor], pre_logits: bool = False) -> Tensor:
        """Places (B, 2 K), or the backbone's pooled features (B, D)."""
        of_backbone, heat = features
        if pre_logits:
            return self.backbone.forward_head(of_backbone, pre_logits=True)
        return mean_places(heat, self.margin)

    def forward(self, pictures: Tensor) -> Tensor:
        """x, y of each point, shape (B, 2 K), in shares of the sides of pictures (B, 3, size, size), normalised."""
        return self.forward_head(self.forward_features(pictures))
