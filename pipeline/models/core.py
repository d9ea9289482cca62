"""Build, describe and run a network, whatever its family."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any

import timm
import torch
from torch import Tensor, nn

from pipeline.config import Architecture, as_dict, weights_file
from pipeline.errors import ConfigError
from pipeline.inputs.views.image import InputSpec
from pipeline.models import deit, generic, lora, resnet, swin, weights

FAMILIES = (deit, swin, resnet, generic)


def build(architecture: Architecture, classes: list[str] | tuple[str, ...], seed: int = 0) -> nn.Module:
    """A network with the weights that its architecture names and a new classifier, on the CPU.

    Parameters
    ----------
    architecture : the exact network; with ``trained="head"`` all but the classifier is frozen, with ``lora:<rank>``
        low-rank matrices beside its attention are trained in place of it.
    classes : names of the classes; one logit each.
    seed : of whatever is not loaded. The result depends on the arguments alone.

    Raises
    ------
    ConfigError : timm has no such network, or cannot build it with these options.
    WeightsError : the weights cannot be had or do not fit.
    """
    check_name(architecture.name)
    from_hub = architecture.weights == "hub"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if from_hub:
            with weights.hub(architecture.name):
                model = _create(architecture, len(classes), pretrained=True)
        else:
            model = _create(architecture, len(classes), pretrained=False)
    file = weights_file(architecture)
    if file is not None:
        weights.load_backbone(model, weights.read(file, architecture.digest), output_layers(model), file)
    if architecture.trained == "head":
        _freeze_all_but(model, output_layers(model))
    elif rank := lora.rank_of(architecture.trained):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            lora.adapt(model, rank, output_layers(model))
    return model


def check_name(name: str, families: Iterable[str] = ()) -> None:
    """Raise ConfigError, with the nearest names of families and networks, unless timm knows the name."""
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.lower(), [*families, *timm.list_models()], n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "timm.list_models() lists them."
        raise ConfigError(f"timm has no network named {name}. {hint}")


def input_spec(architecture: Architecture) -> InputSpec:
    """What the network reads: the architecture's size, and the mean and deviation of timm's weights."""
    check_name(architecture.name)
    found = timm.get_pretrained_cfg(architecture.name)
    return InputSpec(architecture.image_size, tuple(found.mean), tuple(found.std))


def output_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the modules that make the logits; a distilled DeiT has two."""
    names = model.pretrained_cfg["classifier"]
    return (names,) if isinstance(names, str) else tuple(names)


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of a batch in evaluation mode: float32, shape (B, C); a distilled DeiT's two heads averaged.

    Parameters
    ----------
    images : float, shape (B, 3, size, size), normalised, on the model's device.
    """
    model.eval()
    with torch.inference_mode():
        return model(images).float()


def describe(model: nn.Module, architecture: Architecture, classes: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """The card of a network: all that ``load_model`` needs, and where its first weights came from."""
    source = architecture.weights
    if source == "hub":
        source = f"hub: {model.pretrained_cfg.get('hf_hub_id') or model.pretrained_cfg.get('url')}"
    own = {name: p for name, p in model.named_parameters() if not lora.is_adapter(name)}
    return {
        "architecture": architecture.name,
        "label": architecture.label or architecture.name,
        "weights": source,
        "network": as_dict(architecture),
        "classes": list(classes),
        "inputs": {"rgb": dataclasses.asdict(input_spec(architecture))},
        "parameters": sum(p.numel() for p in own.values()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def _create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    family = next(f for f in FAMILIES if architecture.name.startswith(f.PREFIXES))
    try:
        return family.create(architecture, num_classes, pretrained)
    except (TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"timm cannot build {architecture.name} for {architecture.image_size} px with options "
            f"{dict(architecture.options)}: {error}"
        ) from error


def _freeze_all_but(model: nn.Module, names: tuple[str, ...]) -> None:
    model.requires_grad_(False)
    for name in names:
        model.get_submodule(name).requires_grad_(True)
