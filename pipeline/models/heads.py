"""Any network as it learns: its tokens, the features that the losses read, and the small heads that compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.tasks.objective import FEATURES, REQUIRED_TARGETS, Term

EMBEDDING = 128  # numbers that the contrastive loss compares, as in Tian et al. 2020


@dataclass(frozen=True)
class Outputs:
    """What a network gives while it learns.

    Parameters
    ----------
    tokens : float, shape (B, C), one or two of them: logits, or those of the class and of the distillation token.
    hidden : float32, shape (B, D): pooled features before the classifier, where a loss reads them.
    map : float32, shape (B, D', h, w): the last feature map before the final norm, where a loss reads it.
    heads : trainable modules by name, which losses apply to the features of the student or of the teacher.
    """

    tokens: tuple[Tensor, ...]
    hidden: Tensor | None = None
    map: Tensor | None = None
    heads: Mapping[str, nn.Module] = field(default_factory=dict)


class NetworkWithHeads(nn.Module):
    """A network, teacher or student, with what its losses train beside it; used, it is ``network`` alone.

    Parameters
    ----------
    network : trained in place.
    terms : of the objective.
    answer_shapes : shape of the teacher's ``hidden`` (D,) and ``map`` (D', h, w) for one face, where terms need them.
    seed : of the heads' first weights. They are drawn apart: the network's own never depend on the loss.

    Raises
    ------
    ConfigError : the network has no such features.
    """

    def __init__(
        self,
        network: nn.Module,
        terms: Iterable[Term],
        answer_shapes: Mapping[str, tuple[int, ...]] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        names = {term.name for term in terms}
        read = {kind for name in names for kind in REQUIRED_TARGETS[name]}
        self.features = tuple(kind for kind in FEATURES if kind in read)
        self.network = network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleDict(_heads(network, names, answer_shapes or {}))

    def forward(self, images: Tensor) -> Outputs:
        """Run the network as it is; only where a loss reads features are they gathered.

        Parameters
        ----------
        images : float, shape (B, 3, size, size), normalised, on the network's device.
        """
        found = models.observe(self.network, images, ("tokens", *self.features))
        features = {kind: found[kind].float() for kind in self.features}
        return Outputs(found["tokens"], **features, heads=self.heads)


def _heads(network: nn.Module, names: set[str], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, nn.Module]:
    """The trainable heads that losses need, always in the same order."""
    heads: dict[str, nn.Module] = {}
    if "cosine" in names:
        heads["cosine"] = nn.Linear(models.width(network, "hidden"), shapes["hidden"][0])
    if "hint" in names:
        heads["hint"] = nn.Conv2d(models.width(network, "map"), shapes["map"][0], kernel_size=1)
    if "contrastive" in names:
        heads["contrastive_student"] = nn.Linear(models.width(network, "hidden"), EMBEDDING)
        heads["contrastive_teacher"] = nn.Linear(shapes["hidden"][0], EMBEDDING)
    return heads
