"""Two convolutions over time and a hidden layer: the network of skin conductance that others are measured against.

``conv1d`` is exact: Conv1d k5 s2, ReLU, pool 2, Conv1d k5, ReLU, pool 2, flatten, Linear 512, Linear. Of windows of
2816 steps in one channel it has 11,449,605 parameters with five classes and 11,448,066 with two; nearly all of them
join the flattened map to the hidden layer, and become fewer with the steps. Between the two linear layers the original
defines a ReLU and does not apply it, so that they are one linear map; ``relu`` applies it. ``norm`` puts a batch
normalisation between each convolution and its ReLU. ``conv1d_narrow`` has a quarter of each width, 716,229 parameters
with five classes: 6 % of the wide one's.

Unknown steps (NaN) are given the window's mean.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.config import Architecture
from pipeline.inputs.views.signal import SignalSpec
from pipeline.models.signal_network import SignalNetwork

WIDTHS = {
    "conv1d": {"channels": (32, 64), "hidden": 512},
    "conv1d_narrow": {"channels": (8, 16), "hidden": 128},
}
NAMES = tuple(WIDTHS)
KERNEL, STRIDE, POOL = 5, 2, 2


class Conv1dNetwork(SignalNetwork):
    """The network.

    Parameters
    ----------
    name : of the architecture.
    spec : what it reads.
    outputs : number of logits.
    channels : of the two convolutions.
    hidden : width of the hidden layer.
    norm : normalise what each convolution gives over the batch.
    relu : apply the hidden layer's ReLU.

    Raises
    ------
    ValueError : the windows are too short for it.
    """

    def __init__(
        self,
        name: str,
        spec: SignalSpec,
        outputs: int,
        channels: tuple[int, int],
        hidden: int,
        norm: bool = False,
        relu: bool = False,
    ):
        super().__init__(name, hidden, channels[1])
        steps = ((spec.length - KERNEL) // STRIDE + 1) // POOL  # 2816 -> 1406 -> 703
        steps = (steps - KERNEL + 1) // POOL  # -> 699 -> 349
        if steps < 1:
            raise ValueError("its convolutions need longer windows")
        self.first = nn.Conv1d(spec.channels, channels[0], KERNEL, STRIDE)
        self.first_norm = nn.BatchNorm1d(channels[0]) if norm else nn.Identity()
        self.second = nn.Conv1d(channels[0], channels[1], KERNEL)
        self.second_norm = nn.BatchNorm1d(channels[1]) if norm else nn.Identity()
        self.hidden = nn.Linear(channels[1] * steps, hidden)
        self.classifier = nn.Linear(hidden, outputs)
        self.relu = relu

    def see(self, signals: Tensor) -> Tensor:
        """What the second pooling gives, shape (B, channels, t)."""
        first = F.max_pool1d(F.relu(self.first_norm(self.first(signals))), POOL)
        return F.max_pool1d(F.relu(self.second_norm(self.second(first))), POOL)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, C), or the hidden layer (B, hidden)."""
        hidden = self.hidden(features.flatten(1))
        hidden = F.relu(hidden) if self.relu else hidden
        return hidden if pre_logits else self.classifier(hidden)


def create(architecture: Architecture, outputs: int, spec: SignalSpec) -> nn.Module:
    """Build the network for the windows that it reads."""
    options = WIDTHS[architecture.name] | dict(architecture.options)
    return Conv1dNetwork(architecture.name, spec, outputs, **options)
