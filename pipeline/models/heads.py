"""Any network as it learns: its tokens, the features that the losses read, and the small heads that compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.errors import ConfigError
from pipeline.tasks.objective import FEATURES, REQUIRED_TARGETS, Term

REGRESSORS = {1: nn.Conv1d, 2: nn.Conv2d}  # of feature maps, by their axes
EMBEDDING = 128  # numbers that the contrastive loss compares, as in Tian et al. 2020


@dataclass(frozen=True)
class Outputs:
    """What a network gives while it learns.

    Parameters
    ----------
    tokens : float, shape (B, C), one or two of them: logits, or those of the class and of the distillation token.
    hidden : float32, shape (B, D): pooled features before the classifier, where a loss reads them.
    map : float32, shape (B, D', h, w): the last feature map before the final norm, where a loss reads it; of
        signals (B, D', t).
    heads : trainable modules by ``role/name``, which losses apply to the features of the student or of the teacher.
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
    target_shapes : by ``role/what``, the shape of each teacher's ``hidden`` (D,) and ``map``, (D', h, w) or (D', t),
        for one sample, where terms need them.
    seed : of the heads' first weights. They are drawn apart: the network's own never depend on the loss.

    Raises
    ------
    ConfigError : the network has no such features, or its map has other axes than a teacher's.
    """

    def __init__(
        self,
        network: nn.Module,
        terms: Iterable[Term],
        target_shapes: Mapping[str, tuple[int, ...]] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        terms = tuple(terms)
        read = {kind for term in terms for kind in REQUIRED_TARGETS[term.name]}
        self.features = tuple(kind for kind in FEATURES if kind in read)
        self.network = network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleDict(_heads(network, terms, target_shapes or {}))

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> Outputs:
        """Run the network as it is; only where a loss reads features are they gathered.

        Parameters
        ----------
        inputs : what the network reads, on its device: float, shape (B, 3, size, size), normalised, or
            (B, channels, steps); by modality where it reads several.
        """
        observed = models.observe(self.network, inputs, ("tokens", *self.features))
        features = {kind: observed[kind].float() for kind in self.features}
        return Outputs(observed["tokens"], **features, heads=self.heads)


def _heads(network: nn.Module, terms: Iterable[Term], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, nn.Module]:
    """The trainable heads that losses need of each teacher, by ``role/name``, always in the same order."""
    heads: dict[str, nn.Module] = {}
    for role in dict.fromkeys(key.partition("/")[0] for key in shapes):
        names = {term.name for term in terms if term.role in ("", role)}
        hidden, feature_map = (shapes.get(f"{role}/{kind}") for kind in ("hidden", "map"))
        if feature_map and {"hint", "attention"} & names:
            _check_axes(network, role, len(feature_map) - 1)
        if "cosine" in names and hidden:
            heads[f"{role}/cosine"] = nn.Linear(models.width(network, "hidden"), hidden[0])
        if "hint" in names and feature_map:
            heads[f"{role}/hint"] = REGRESSORS[models.axes(network)](
                models.width(network, "map"), feature_map[0], kernel_size=1
            )
        if "contrastive" in names and hidden:
            heads[f"{role}/contrastive_student"] = nn.Linear(models.width(network, "hidden"), EMBEDDING)
            heads[f"{role}/contrastive_teacher"] = nn.Linear(hidden[0], EMBEDDING)
        if "features" in names and hidden:
            heads[f"{role}/features"] = nn.Linear(models.width(network, "hidden"), hidden[0])
    return heads


def _check_axes(network: nn.Module, role: str, axes: int) -> None:
    """Refuse to compare where a picture's map is active with when a signal's is."""
    models.width(network, "map")  # says first whether there is any
    if axes != models.axes(network):
        raise ConfigError(
            f"The feature map of {role} has {axes} axes, the student's has {models.axes(network)}: one is of pictures, "
            "one of signals, and no place of one is a place of the other. Choose a loss without maps: LOSS=hard, soft, "
            "cosine"
        )
