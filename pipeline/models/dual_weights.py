"""First weights of two branches: those of one network of pictures, or of a whole network of two branches.

A network of two branches names its tensors ``rgb.…``, ``ir.…`` and, where both share a trunk, ``trunk.…``, with timm's
names after that. Without the prefixes they are two networks of pictures, and are fitted as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import timm
import torch
from torch import Tensor

from pipeline.config import Architecture
from pipeline.models import families, weights

BRANCHES, TRUNK = ("rgb", "ir"), "trunk"


def fitted(tensors: Mapping[str, Tensor], current: Mapping[str, Tensor], backbone: Architecture) -> dict[str, Tensor]:
    """A state dict of either kind, in the names of a network of two branches.

    Of one network of pictures both branches and the trunk get the weights, the infrared stem their mean over red, green
    and blue; the parts that only a network of two branches has stay as they are.

    Parameters
    ----------
    tensors : in timm's names, or in those of a network of two branches.
    current : the network's own state.
    backbone : of the network that both branches are.
    """
    with torch.device("meta"):
        single = families.create(backbone, 0, pretrained=False)  # for its shapes
    if any(name.startswith(_prefixes(BRANCHES)) for name in tensors):
        parts = {branch: weights.fitted(_of(tensors, (branch, TRUNK)), single) for branch in BRANCHES}
        others = tensors
    else:
        rgb = _without_heads(weights.fitted(dict(tensors), single), backbone.name)
        parts, others = {"rgb": rgb, "ir": _of_grey(rgb, backbone.name)}, current
    new = {name: t for name, t in others.items() if not name.startswith(_prefixes((*BRANCHES, TRUNK)))}
    return new | {_owner(name, branch, current): t for branch, part in parts.items() for name, t in part.items()}


def _prefixes(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{part}." for part in parts)


def _of(tensors: Mapping[str, Tensor], parts: Iterable[str]) -> dict[str, Tensor]:
    """Some parts of a network of two branches, in timm's names."""
    return {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(_prefixes(parts))}


def _owner(name: str, branch: str, current: Mapping[str, Tensor]) -> str:
    """The full name of a branch's tensor: the trunk's, where it is there."""
    shared = f"{TRUNK}.{name}"
    return shared if shared in current else f"{branch}.{name}"


def _without_heads(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    heads = _several(timm.get_pretrained_cfg(name).classifier)
    return {key: t for key, t in tensors.items() if not key.startswith(_prefixes(heads))}


def _of_grey(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The same with the first convolution's weights, (out, 3, h, w), averaged over red, green and blue."""
    stems = [f"{stem}.weight" for stem in _several(timm.get_pretrained_cfg(name).first_conv)]
    grey = {key: tensors[key].mean(1, keepdim=True).expand_as(tensors[key]) for key in stems if key in tensors}
    return {**tensors, **grey}


def _several(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
