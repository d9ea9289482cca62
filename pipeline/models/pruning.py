"""Structured pruning: whole channels go, with all that reads or writes them, so that a smaller dense network is left.

Which depends on which, torch-pruning finds from a traced pass (DepGraph, Fang et al. 2023, arXiv:2301.12900); of every
group of channels that depend on each other those of the smallest magnitude go, the same share of each, so many that a
multiple of ``MULTIPLE`` is left. Outputs stay.

Departure: of transformers only what lies between two residual connections is pruned, the hidden units of the MLPs and,
where the trace shows them, the channels of the heads. The stream itself, which every block reads and writes, stays: a
short training does not bring back what every block loses at once.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor, nn

from pipeline.config import Architecture
from pipeline.errors import ConfigError, MissingDependencyError
from pipeline.inputs import batches
from pipeline.models.core import build, output_layers, reads

MULTIPLE = 8  # channels that fast kernels take at once
NORM = 2  # of the weights of a channel
STREAMS = ("patch_embed.proj", "downsample.reduction")  # ends of names of what writes a transformer's stream anew
SHAPES = {"rgb": (), "ir": (), "signal": (256, 1)}  # of prepared inputs, where a network is tried that has none yet
COUNTED = (nn.Conv1d, nn.Conv2d, nn.Linear)

Inputs = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True)
class Pruned:
    """What pruning took from a network.

    Parameters
    ----------
    channels : share of the channels of convolutions and linear layers that are gone, the outputs' left out.
    parameters : share of the parameters that are gone.
    """

    channels: float
    parameters: float


def needed() -> ModuleType:
    """torch-pruning.

    Raises
    ------
    MissingDependencyError : it is not installed.
    """
    try:
        return importlib.import_module("torch_pruning")
    except ImportError as error:
        raise MissingDependencyError(
            "PRUNE= needs the package torch-pruning: pip install -e '.[prune]' -c constraints.txt. Or leave pruning "
            "out: PRUNE=0"
        ) from error


def prune(network: nn.Module, inputs: Inputs, share: float) -> Pruned:
    """Take a share of the channels from a network; it stays on the CPU and every parameter learns from then on.

    Parameters
    ----------
    network : changed in place; not to be used when this fails.
    inputs : a batch of two, as it reads them.
    share : of the channels of each group, above 0 and below 1.

    Raises
    ------
    ConfigError : it is a network of a form whose channels cannot be told apart, or too narrow.
    MissingDependencyError : torch-pruning is not installed.
    """
    package = needed()
    channels, parameters = _channels(network), _parameters(network)
    network.eval().requires_grad_(True)
    try:
        with torch.no_grad():
            outputs = network(inputs).shape
        with _traceable(network), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tokens and positions, which belong to the stream and stay
            _pruner(package, network, inputs, share).step()
        _tell_widths(network, inputs)
        with torch.no_grad():
            answers = network(inputs)
        if answers.shape != outputs or not torch.isfinite(answers).all():
            raise ValueError(f"it answers with {tuple(answers.shape)} afterwards, expected {tuple(outputs)}")
    except Exception as error:  # torch-pruning raises whatever a form that it does not know leads it to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise _unprunable(network, share, f"its channels cannot be told apart ({reason})") from error
    if parameters == (left := _parameters(network)):
        raise _unprunable(network, share, f"it has no {MULTIPLE} channels to spare anywhere")
    return Pruned(1 - _channels(network) / channels, 1 - left / parameters)


@lru_cache(maxsize=8)
def check(architecture: Architecture, outputs: tuple[str, ...], share: float) -> None:
    """Raise ConfigError where a network cannot be pruned; it is tried with random weights.

    Parameters
    ----------
    outputs : names of its outputs.
    share : as of ``prune``.
    """
    untrained = replace(architecture, weights="random", trained="all")
    read = reads(untrained, SHAPES)
    specs = batches.specs({"inputs": read})
    blank = batches.blank(specs, "cpu").make(specs)
    twice = torch.cat([blank] * 2) if isinstance(blank, Tensor) else {k: torch.cat([t] * 2) for k, t in blank.items()}
    prune(build(untrained, outputs, inputs=read), twice, share)


def _pruner(package: ModuleType, network: nn.Module, inputs: Inputs, share: float) -> object:
    """What prunes the network in one step."""
    attentions = list(_attentions(network))
    kept = [network.get_submodule(name) for name in output_layers(network)]
    if attentions:
        kept += [module for name, module in network.named_modules() if name.endswith(STREAMS)]
    return package.pruner.BasePruner(
        network,
        inputs,
        importance=package.importance.GroupMagnitudeImportance(p=NORM),
        pruning_ratio=share,
        ignored_layers=kept,
        round_to=MULTIPLE,
        num_heads={attention.qkv: attention.num_heads for attention in attentions},
        prune_head_dims=True,
        forward_fn=lambda model, batch: model(batch),
    )


def _attentions(network: nn.Module) -> Iterator[nn.Module]:
    """Its attention layers, of timm's form."""
    for module in network.modules():
        if isinstance(getattr(module, "qkv", None), nn.Linear) and hasattr(module, "num_heads"):
            yield module


@contextmanager
def _traceable(network: nn.Module) -> Iterator[None]:
    """While the block runs, attention is computed step by step; afterwards it knows the width of its heads."""
    attentions = [module for module in _attentions(network) if hasattr(module, "fused_attn")]
    fused = [module.fused_attn for module in attentions]
    for module in attentions:
        module.fused_attn = False
    try:
        yield
    finally:
        for module, before in zip(attentions, fused, strict=True):
            module.fused_attn = before
    for module in _attentions(network):
        width = module.qkv.out_features // 3
        for name, value in (("head_dim", width // module.num_heads), ("attn_dim", width)):
            if hasattr(module, name):
                setattr(module, name, value)


def _tell_widths(network: nn.Module, inputs: Inputs) -> None:
    """Let the network say how wide its pooled features and its last map are now, where it has such."""
    with torch.no_grad():
        features = network.forward_features(inputs)
        hidden = network.forward_head(features, pre_logits=True)
        if isinstance(hidden, Tensor) and hasattr(network, "head_hidden_size"):
            network.head_hidden_size = hidden.shape[1]
        if getattr(network, "feature_info", None) and hasattr(network, "forward_intermediates"):
            _, maps = network.forward_intermediates(inputs, indices=1, norm=False, output_fmt="NCHW")
            network.feature_info[-1]["num_chs"] = maps[-1].shape[1]


def _channels(network: nn.Module) -> int:
    """Channels that convolutions and linear layers write, the outputs left out."""
    outputs = {network.get_submodule(name) for name in output_layers(network)}
    inside = {module for output in outputs for module in output.modules()}
    layers = [module for module in network.modules() if isinstance(module, COUNTED) and module not in inside]
    return sum(layer.weight.shape[0] for layer in layers)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _unprunable(network: nn.Module, share: float, reason: str) -> ConfigError:
    name = network.pretrained_cfg.get("architecture") or type(network).__name__
    return ConfigError(
        f"PRUNE={share:g}: {name} cannot be pruned: {reason}. Leave pruning out, which makes int8 alone: PRUNE=0"
    )
