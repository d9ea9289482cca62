"""Low-rank adaptation: a large network learns through small matrices beside its attention's, and is saved without them.

Source: Hu et al. 2021, arXiv:2106.09685, by the package peft. The matrices are merged into the weights before a network
is saved, so that nothing downstream knows of them.
"""

from __future__ import annotations

from torch import nn

from pipeline.errors import ConfigError, MissingDependencyError

TRAINED = "lora"  # ``Architecture.trained`` is ``lora:<rank>``
TARGET = "qkv"  # timm's name of the projection to queries, keys and values
ALPHA = 16  # the update is scaled by ALPHA / rank


def rank_of(trained: str) -> int:
    """The rank that ``Architecture.trained`` names; 0 where it names no adaptation.

    Raises
    ------
    ConfigError : the rank is no whole number above 0.
    """
    word, _, rank = trained.partition(":")
    if word != TRAINED:
        return 0
    if not (rank.isdecimal() and int(rank)):
        raise ConfigError(f"trained={trained}: expected a rank, such as {TRAINED}:8")
    return int(rank)


def adapt(model: nn.Module, rank: int, trained: tuple[str, ...]) -> None:
    """Put low-rank matrices beside every attention's projection, and freeze all else.

    Parameters
    ----------
    model : changed in place; its class and methods stay.
    rank : of the matrices.
    trained : names of modules that are trained whole, the classifier.

    Raises
    ------
    ConfigError : the network has no attention of timm's form.
    MissingDependencyError : peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingDependencyError(
            "Low-rank adaptation needs the package peft: pip install -e '.[lora]' -c constraints.txt"
        ) from error
    if not any(name.endswith(f".{TARGET}") for name, _ in model.named_modules()):
        raise ConfigError(f"{type(model).__name__} has no attention ({TARGET}) to adapt. Train it whole or its head.")
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=ALPHA, target_modules=[TARGET]), model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_adapter(name) or name.startswith(tuple(f"{head}." for head in trained)))


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to the low-rank matrices."""
    return ".lora_" in name


def merge(model: nn.Module) -> None:
    """Add the low-rank updates to the weights, in place, and leave the plain network; nothing happens without any."""
    for name, module in list(model.named_modules()):
        if hasattr(module, "get_base_layer"):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())
