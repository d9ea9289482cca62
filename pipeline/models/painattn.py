"""Convolutions at three widths of time and attention between their channels: PainAttnNet's shape (Lu, Ozek and Kamarthi
2023, arXiv:2303.06845), after AttnSleep (Eldele et al. 2021, arXiv:2105.02613).

Three branches look at a tenth of a second, a second and two seconds at a time. Their maps are brought to 75 numbers
each and joined (192, 75), squeezed to 30 channels with a gate on each, and pass two layers in which the 30 channels
attend to each other by five heads. Of windows of 2816 steps it has 531,510 parameters with five classes.

Every kernel, stride and padding is a share of the window, as it is of 5.5 s at 512 Hz: of the same 5.5 s at 32 Hz, 176
steps, a kernel of a second is still one of a second, and the maps stay about as long (403,499 parameters). Departures:
torch's initial weights in place of normal(0, 0.02), and keys and values of plain causal convolutions. The tokens of its
attention are channels, not times, so no key is masked: unknown steps (NaN) are given the window's mean first.

Its ``map`` is the three branches' maps on the middle one's grid, (192, 12): after them no axis is time, and on the
finest grid, of 60 cells, labels kept for every view would be five times as large. Its ``hidden`` are the 2250 numbers
that the classifier reads. The options ``seen`` and ``wide`` make it narrower: with half of both it has 184,523
parameters at 32 Hz and two fifths of the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.config import Architecture
from pipeline.inputs.views.signal import SignalSpec
from pipeline.models.signal_network import SignalNetwork

NAMES = ("painattn",)
REFERENCE = 2816  # steps of the window for which kernels are given
WIDTH, SQUEEZED = 75, 30  # numbers of a channel, and channels, after the branches
HEADS, INNER, LAYERS, CAUSAL, GATE = 5, 120, 2, 7, 16
ATTENTION_DROPOUT = 0.1


@dataclass(frozen=True)
class Layer:
    """A convolution's or a pooling's kernel, stride and padding."""

    kernel: int
    stride: int
    padding: int


# First convolution, pooling, second and third convolution, pooling; of REFERENCE steps.
BRANCHES = (
    (Layer(50, 6, 24), Layer(8, 2, 4), Layer(8, 1, 4), Layer(8, 1, 4), Layer(4, 4, 2)),
    (Layer(512, 42, 256), Layer(4, 4, 0), Layer(4, 1, 3), Layer(4, 1, 3), Layer(2, 2, 1)),
    (Layer(1024, 84, 512), Layer(8, 8, 0), Layer(7, 1, 3), Layer(7, 1, 3), Layer(2, 2, 1)),
)


def fitted(branch: tuple[Layer, ...], length: int) -> tuple[tuple[Layer, ...], int]:
    """A branch's layers for windows of another length, each as long in time as it is of REFERENCE steps, and the steps
    of its map.

    Raises
    ------
    ValueError : the windows are too short.
    """
    expected, cell = length / REFERENCE, 1  # steps of the window that a cell of the map should be, and is
    steps, layers = length, []
    for layer in branch:
        kernel = max(round(layer.kernel * expected / cell), 1)
        stride = max(round(layer.stride * expected / cell), 1)
        padding = layer.padding * kernel // layer.kernel
        expected, cell = expected * layer.stride, cell * stride
        steps = (steps + 2 * padding - kernel) // stride + 1
        layers.append(Layer(kernel, stride, padding))
    if steps < 1:
        raise ValueError("its convolutions need longer windows")
    return tuple(layers), steps


class PainAttentionNetwork(SignalNetwork):
    """The network.

    Parameters
    ----------
    name : of the architecture.
    spec : what it reads.
    outputs : number of logits.
    seen, wide : channels of what a branch gives, and inside it.
    dropout : inside the branches and after they are joined.

    Raises
    ------
    ValueError : the windows are too short for it.
    """

    def __init__(
        self, name: str, spec: SignalSpec, outputs: int, seen: int = 64, wide: int = 128, dropout: float = 0.5
    ):
        super().__init__(name, SQUEEZED * WIDTH, seen * len(BRANCHES))
        branches = [fitted(branch, spec.length) for branch in BRANCHES]
        self.steps = [steps for _, steps in branches]
        self.branches = nn.ModuleList(_branch(layers, spec.channels, seen, wide, dropout) for layers, _ in branches)
        self.widths = nn.ModuleList(nn.Linear(steps, WIDTH) for steps in self.steps)
        for number, steps in enumerate(self.steps):
            grid = F.adaptive_avg_pool1d(torch.eye(steps), self.steps[1])  # as a product: pooling on CUDA may vary
            self.register_buffer(f"grid_{number}", grid, persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.squeeze = _Squeeze(seen * len(BRANCHES), SQUEEZED)
        self.layers = nn.Sequential(*(_Layer() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.classifier = nn.Linear(SQUEEZED * WIDTH, outputs)

    def see(self, signals: Tensor) -> list[Tensor]:
        """Each branch's map, shape (B, 64, its own t)."""
        return [branch(signals) for branch in self.branches]

    def map_of(self, seen: list[Tensor]) -> Tensor:
        """The branches' maps on the middle one's grid, averaged or repeated, shape (B, 192, t)."""
        return torch.cat([one @ self.get_buffer(f"grid_{number}") for number, one in enumerate(seen)], dim=1)

    def encode(self, seen: list[Tensor]) -> Tensor:
        """The channels after they attended to each other, shape (B, 30, 75)."""
        joined = torch.cat([widen(one) for widen, one in zip(self.widths, seen, strict=True)], dim=1)  # (B, 192, 75)
        return self.norm(self.layers(self.squeeze(self.dropout(joined))))

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, C), or the numbers that the classifier reads (B, 2250)."""
        hidden = features.flatten(1)
        return hidden if pre_logits else self.classifier(hidden)


def _branch(layers: tuple[Layer, ...], channels: int, seen: int, wide: int, dropout: float) -> nn.Sequential:
    first, pool, second, third, last = layers
    widths = ((channels, seen, first), (seen, wide, second), (wide, seen, third))
    one, two, three = (
        (nn.Conv1d(read, given, layer.kernel, layer.stride, layer.padding), nn.BatchNorm1d(given), nn.GELU())
        for read, given, layer in widths
    )
    pools = (nn.MaxPool1d(layer.kernel, layer.stride, layer.padding) for layer in (pool, last))
    return nn.Sequential(*one, next(pools), nn.Dropout(dropout), *two, *three, next(pools))


class _Squeeze(nn.Module):
    """Two convolutions of kernel 1 with a gate on each channel (squeeze and excitation), and a projected shortcut."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, squeezed, 1),
            nn.BatchNorm1d(squeezed),
            nn.ReLU(),
            nn.Conv1d(squeezed, squeezed, 1),
            nn.BatchNorm1d(squeezed),
        )
        narrow = max(squeezed // GATE, 1)
        self.gate = nn.Sequential(nn.Linear(squeezed, narrow), nn.ReLU(), nn.Linear(narrow, squeezed), nn.Sigmoid())
        self.shortcut = nn.Sequential(nn.Conv1d(channels, squeezed, 1), nn.BatchNorm1d(squeezed))

    def forward(self, joined: Tensor) -> Tensor:
        body = self.body(joined)
        return F.relu(body * self.gate(body.mean(-1))[..., None] + self.shortcut(joined))


class _Causal(nn.Conv1d):
    """A convolution over the 75 numbers in which none reads a later one."""

    def __init__(self):
        super().__init__(SQUEEZED, SQUEEZED, CAUSAL)

    def forward(self, channels: Tensor) -> Tensor:
        return super().forward(F.pad(channels, (CAUSAL - 1, 0)))


class _Layer(nn.Module):
    """Channels attend to each other, then each passes two linear layers; both beside a residual, normalised before."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = _Causal(), _Causal(), _Causal()
        self.attend, self.join = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(ATTENTION_DROPOUT)
        self.inner = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, INNER),
            nn.ReLU(),
            nn.Dropout(ATTENTION_DROPOUT),
            nn.Linear(INNER, WIDTH),
            nn.Dropout(ATTENTION_DROPOUT),
        )

    def forward(self, channels: Tensor) -> Tensor:
        query, normed = self.query(channels), self.attend(channels)
        heads = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (query, self.key(normed), self.value(normed)))
        attended = F.scaled_dot_product_attention(*heads)  # (B, heads, 30, 15)
        channels = query + self.dropout(self.join(attended.transpose(1, 2).flatten(2)))
        return channels + self.inner(channels)


def create(architecture: Architecture, outputs: int, spec: SignalSpec) -> nn.Module:
    """Build the network for the windows that it reads."""
    return PainAttentionNetwork(architecture.name, spec, outputs, **dict(architecture.options))
