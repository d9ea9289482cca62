"""Networks of two branches, one of RGB and one of infrared pictures: where the branches meet, and how they are run.

Both branches are one network, timm's or ours. They are joined as maps, as cells with their channels last, as tokens, or
only after each was pooled; what comes after the first three is shared. Infrared has one channel, which a branch reads
as three equal ones: its first weights can then be those of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipeline.config import Architecture
from pipeline.models import dual_weights


class DualNetwork(nn.Module):
    """A network of {"rgb": (B, 3, size, size), "ir": (B, 1, size, size)}, run by the methods of timm's networks.

    A subclass has ``see``, the final features and the last map of a batch, and ``pool``, which makes of the features
    what the classifier reads.

    Parameters
    ----------
    name : of the architecture.
    backbone : of the network that both branches are.
    rgb, ir : the branches.
    hidden : how many numbers the classifier reads.
    channels : of the last map; 0 where there is none.
    outputs : number of logits.
    dropout : share of what the classifier reads that is left out in training.
    """

    def __init__(
        self,
        name: str,
        backbone: Architecture,
        rgb: nn.Module,
        ir: nn.Module,
        hidden: int,
        channels: int,
        outputs: int,
        dropout: float,
    ):
        super().__init__()
        origin = {key: rgb.pretrained_cfg.get(key) for key in ("hf_hub_id", "url")}
        self.pretrained_cfg = {"architecture": name, "classifier": "classifier", **origin}
        self.head_hidden_size = hidden
        self.feature_info = [{"num_chs": channels}] if channels else []
        self.backbone = backbone
        self.rgb, self.ir = rgb, ir
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, outputs)

    def fit_weights(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A state dict of the backbone or of such a network, as one of this network; ``weights.load_backbone`` asks."""
        return dual_weights.fitted(tensors, self.state_dict(), self.backbone)

    def branches(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What each branch gives."""
        return self.rgb.forward_features(inputs["rgb"]), self.ir.forward_features(_as_rgb(inputs["ir"]))

    def see(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The final features, and the last map before pooling, shape (B, D', h, w)."""
        raise NotImplementedError

    def pool(self, features: Tensor) -> Tensor:
        """What the classifier reads, shape (B, D)."""
        raise NotImplementedError

    def forward_features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The final features, before they are pooled."""
        return self.see(inputs)[0]

    def forward_intermediates(self, inputs: Mapping[str, Tensor], **_: object) -> tuple[Tensor, list[Tensor]]:
        """The final features, as ``forward_features`` gives them, and the last map."""
        features, last = self.see(inputs)
        return features, [last]

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, C), or what the classifier reads, before any dropout (B, D)."""
        hidden = self.pool(features)
        return hidden if pre_logits else self.classifier(self.dropout(hidden))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Logits, shape (B, C), of pictures of both kinds, float and normalised."""
        return self.forward_head(self.forward_features(inputs))


class Maps(DualNetwork):
    """Maps (B, width, h, w) joined by a 1x1 convolution, which a shared trunk reads.

    Parameters
    ----------
    width : channels of a branch's map.
    trunk : what both branches share.
    act : activation after the convolution.
    """

    def __init__(self, *, width: int, trunk: nn.Sequential, act: type[nn.Module], **common):
        super().__init__(**common)
        convolution = nn.Conv2d(2 * width, width, 1, bias=False).to(memory_format=torch.channels_last)
        self.fuse = nn.Sequential(convolution, nn.BatchNorm2d(width), act())
        self.trunk = trunk

    def see(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What the trunk gives, twice."""
        features = self.trunk(self.fuse(torch.cat(self.branches(inputs), dim=1)))
        return features, features

    def pool(self, features: Tensor) -> Tensor:
        """The mean over the picture."""
        return features.mean((2, 3))


class Cells(DualNetwork):
    """Maps with their channels last, (B, h, w, width), joined cell by cell; the trunk's last module is its norm."""

    def __init__(self, *, width: int, trunk: nn.Sequential, **common):
        super().__init__(**common)
        self.fuse = nn.Sequential(nn.Linear(2 * width, width, bias=False), nn.LayerNorm(width))
        self.trunk = trunk

    def see(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What the trunk gives, (B, h, w, D), and that before the norm."""
        features, last = _through(self.trunk, self.fuse(torch.cat(self.branches(inputs), dim=-1)))
        return features, last.permute(0, 3, 1, 2)  # (B, D, h, w)

    def pool(self, features: Tensor) -> Tensor:
        """The mean over the picture."""
        return features.mean((1, 2))


class Tokens(DualNetwork):
    """Tokens (B, 1 + n, width) of each branch, its class token first, one after the other in a shared trunk.

    The classifier reads both class tokens. The map is of the RGB tokens.
    """

    def __init__(self, *, width: int, hidden: int, trunk: nn.Sequential, **common):
        super().__init__(hidden=2 * hidden, **common)
        self.trunk = trunk

    def see(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What the trunk gives, (B, 2 + 2n, width), and the grid of the RGB tokens before the norm."""
        features, last = _through(self.trunk, torch.cat(self.branches(inputs), dim=1))
        of_rgb = last[:, 1 : last.shape[1] // 2]
        return features, of_rgb.transpose(1, 2).unflatten(2, self.rgb.patch_embed.grid_size)  # (B, width, h, w)

    def pool(self, features: Tensor) -> Tensor:
        """Both class tokens."""
        return torch.cat([features[:, 0], features[:, features.shape[1] // 2]], dim=1)


class Pooled(DualNetwork):
    """Two whole networks whose pooled features stand side by side; so do their maps."""

    def forward_features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The pooled features of both, shape (B, D)."""
        rgb, ir = self.branches(inputs)
        return self._joined(rgb, ir)

    def see(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The pooled features (B, D) and the maps (B, D', h, w) of both."""
        asked = {"indices": 1, "norm": False, "output_fmt": "NCHW"}
        rgb, of_rgb = self.rgb.forward_intermediates(inputs["rgb"], **asked)
        ir, of_ir = self.ir.forward_intermediates(_as_rgb(inputs["ir"]), **asked)
        return self._joined(rgb, ir), torch.cat([of_rgb[-1], of_ir[-1]], dim=1)

    def pool(self, features: Tensor) -> Tensor:
        """The features themselves."""
        return features

    def _joined(self, rgb: Tensor, ir: Tensor) -> Tensor:
        pooled = self.rgb.forward_head(rgb, pre_logits=True), self.ir.forward_head(ir, pre_logits=True)
        return torch.cat(pooled, dim=1)


def _as_rgb(infrared: Tensor) -> Tensor:
    return infrared.expand(-1, 3, -1, -1)


def _through(trunk: nn.Sequential, joined: Tensor) -> tuple[Tensor, Tensor]:
    """What a trunk gives, and what its last module, the norm, reads."""
    *body, norm = trunk
    for module in body:
        joined = module(joined)
    return norm(joined), joined
