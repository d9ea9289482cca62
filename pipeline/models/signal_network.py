"""What networks of signals share: the methods by which timm's networks are run, and what unknown steps become."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SignalNetwork(nn.Module):
    """A network of windows (B, channels, steps), run by the methods of timm's networks of pictures.

    A subclass has ``see``, what its convolutions give of a batch, ``map_of`` and ``encode``, the last feature map
    (B, D', t) and what ``forward_head`` reads of that, ``forward_head`` and a last layer named ``classifier``.

    Parameters
    ----------
    name : of the architecture.
    hidden : how many numbers the classifier reads.
    channels : of the last feature map.
    """

    map_axes = 1

    def __init__(self, name: str, hidden: int, channels: int):
        super().__init__()
        self.pretrained_cfg = {"architecture": name, "classifier": "classifier"}
        self.head_hidden_size = hidden
        self.feature_info = [{"num_chs": channels}]

    def see(self, signals: Tensor) -> Any:
        """What the convolutions give of signals without gaps."""
        raise NotImplementedError

    def map_of(self, seen: Any) -> Tensor:
        """The last feature map, shape (B, D', t), of what ``see`` gives; by default that itself."""
        return seen

    def encode(self, seen: Any) -> Tensor:
        """What ``forward_head`` reads, of what ``see`` gives; by default that itself."""
        return seen

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, C), or the numbers that the classifier reads (B, D)."""
        raise NotImplementedError

    def forward_intermediates(self, signals: Tensor, **_: object) -> tuple[Tensor, list[Tensor]]:
        """The final features, as ``forward_features`` gives them, and the last map."""
        seen = self.see(filled(signals))
        return self.encode(seen), [self.map_of(seen)]

    def forward_features(self, signals: Tensor) -> Tensor:
        """The final features of signals, float, shape (B, channels, steps), NaN where nothing is known."""
        return self.encode(self.see(filled(signals)))

    def forward(self, signals: Tensor) -> Tensor:
        """Logits, shape (B, C), of signals, float, shape (B, channels, steps), NaN where nothing is known."""
        return self.forward_head(self.forward_features(signals))


def filled(signals: Tensor) -> Tensor:
    """Signals (B, channels, steps) with each channel's mean over its known steps in place of NaN; 0 where none is."""
    mean = signals.nanmean(-1, keepdim=True)
    return torch.where(signals.isnan(), torch.where(mean.isnan(), 0, mean), signals)
