"""A small network of pictures: four blocks of convolutions, and a hidden layer before the classifier.

``cnn4``: in each block one 3x3 convolution, batch normalisation, ReLU and a maximum over 2 x 2, of 64, 128, 256 and 512
channels; then the mean over the picture, Linear 256, ReLU, dropout 0.5, Linear. It has 1,684,738 parameters with two
outputs, and 2.861 GMACs at 224 px. ``cnn4x2`` has two convolutions, each normalised, in a block: 4,821,058 parameters
and 10.260 GMACs.

Its ``map`` is what the last block gives, (512, 14, 14) at 224 px; its ``hidden`` the 256 numbers before the dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.config import Architecture

CONVOLUTIONS = {"cnn4": 1, "cnn4x2": 2}  # in a block
NAMES = PREFIXES = tuple(CONVOLUTIONS)
BLOCKS = 4
POOLINGS = {"avg": lambda maps: maps.mean((2, 3)), "max": lambda maps: maps.amax((2, 3))}


class BlockNetwork(nn.Module):
    """The network, run by the methods of timm's.

    Parameters
    ----------
    name : of the architecture.
    outputs : number of logits; 0: there is no classifier.
    convolutions : in a block.
    channels : of the four blocks.
    hidden : width of the hidden layer.
    dropout : share of the hidden layer left out in training.
    global_pool : how the last map becomes one number a channel, by timm's names: ``avg``, its mean, or ``max``, its
        maximum, in which what is small in the picture is not lost.

    Raises
    ------
    ValueError : there are not four numbers of channels, the dropout is no share, or there is no such pooling.
    """

    def __init__(
        self,
        name: str,
        outputs: int,
        convolutions: int,
        channels: tuple[int, int, int, int] = (64, 128, 256, 512),
        hidden: int = 256,
        dropout: float = 0.5,
        global_pool: str = "avg",
    ):
        super().__init__()
        if global_pool not in POOLINGS:
            raise ValueError(f"expected global_pool {' or '.join(POOLINGS)}, got {global_pool}")
        if len(channels) != BLOCKS:
            raise ValueError(f"expected channels of {BLOCKS} blocks, got {channels}")
        self.pretrained_cfg = {"architecture": name, "classifier": "classifier"}
        self.head_hidden_size, self.pool = hidden, POOLINGS[global_pool]
        self.feature_info = [{"num_chs": channels[-1]}]
        pairs = zip((3, *channels), channels, strict=False)
        self.blocks = nn.Sequential(*(_block(read, given, convolutions) for read, given in pairs))
        self.hidden = nn.Sequential(nn.Linear(channels[-1], hidden), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, outputs) if outputs else nn.Identity()

    def forward_features(self, pictures: Tensor) -> Tensor:
        """The last block's map, shape (B, 512, size / 16, size / 16)."""
        return self.blocks(pictures)

    def forward_intermediates(self, pictures: Tensor, **_: object) -> tuple[Tensor, list[Tensor]]:
        """The final features, as ``forward_features`` gives them, and the last map: the same."""
        features = self.forward_features(pictures)
        return features, [features]

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, C), or the hidden layer (B, 256)."""
        hidden = self.hidden(self.pool(features))
        return hidden if pre_logits else self.classifier(self.dropout(hidden))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits, shape (B, C), of pictures, float, shape (B, 3, size, size), normalised."""
        return self.forward_head(self.forward_features(pictures))


def _block(read: int, given: int, convolutions: int) -> nn.Sequential:
    layers = []
    for channels in (read, *[given] * (convolutions - 1)):
        layers += [nn.Conv2d(channels, given, 3, padding=1), nn.BatchNorm2d(given), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def create(architecture: Architecture, num_classes: int, pretrained: bool = False) -> nn.Module:
    """Build the network; there are no pretrained weights of it."""
    options = dict(architecture.options)
    model = BlockNetwork(architecture.name, num_classes, CONVOLUTIONS[architecture.name], **options)
    return model.to(memory_format=torch.channels_last)
