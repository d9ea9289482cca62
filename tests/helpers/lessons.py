"""A small network and what it learns, for runs of the training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.inputs.sampling import epoch_order


def network() -> nn.Module:
    """The same network every time; it normalises over the batch and drops out."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 2))


def loss(outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """The cross-entropy with the true labels."""
    return nn.functional.cross_entropy(outputs, targets["label"])


def drawn(samples: int) -> tuple[Tensor, Tensor]:
    """Features, float (samples, 6), of noise, and two classes in turn."""
    return torch.randn(samples, 6, generator=torch.Generator().manual_seed(0)), torch.arange(samples) % 2


@dataclass(frozen=True)
class Lesson:
    """Samples in batches of ten, by which the network is also validated.

    Attributes
    ----------
    features : float, shape (N, 6)
    truth : int64, shape (N,)
    """

    features: Tensor
    truth: Tensor
    batch: int = 10

    def batches(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """The batches of an epoch from a step on."""
        order = epoch_order(1, epoch, len(self.truth))
        for start in range(first_step * self.batch, len(self.truth), self.batch):
            rows = torch.from_numpy(order[start : start + self.batch])
            yield self.features[rows], {"label": self.truth[rows]}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """A row of the history."""
        with torch.no_grad():
            return {"val_loss": loss(model(self.features), {"label": self.truth}).item()}
