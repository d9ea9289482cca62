"""Build, describe and run a network, whatever its family."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from pipeline.config import Architecture, as_dict, weights_file
from pipeline.errors import ConfigError, WeightsError
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.signal import SignalSpec
from pipeline.models import cnn4, conv1d, dual, families, heat, lora, painattn, weights

OF_SIGNALS = {name: family for family in (conv1d, painattn) for name in family.NAMES}
OF_PICTURES = (*cnn4.NAMES, *dual.NAMES)  # beside timm's
AROUND = (dual, heat)  # networks with others within
WITHOUT_WEIGHTS = (*OF_SIGNALS, *cnn4.NAMES)  # in a hub

IR_SCALE = {"mean": (0.5,), "std": (0.25,)}  # mean and deviation of infrared pictures / 255, where nobody measured them

Inputs = Mapping[str, Mapping[str, Any]]  # by modality what a network reads, as its card says it
Scales = Mapping[str, Mapping[str, Sequence[float]]]  # by modality ``mean`` and ``std`` of each channel


def build(
    architecture: Architecture, classes: list[str] | tuple[str, ...], seed: int = 0, inputs: Inputs | None = None
) -> nn.Module:
    """A network with the weights that its architecture names and a new classifier, on the CPU.

    Parameters
    ----------
    architecture : the exact network; with ``trained="head"`` all but the classifier is frozen, with ``lora:<rank>``
        low-rank matrices beside its attention are trained in place of it.
    classes : names of the classes; one logit each.
    seed : of whatever is not loaded. The result depends on the arguments alone.
    inputs : what it reads, from ``reads``; a network of pictures says so itself.

    Raises
    ------
    ConfigError : there is no such network, or it cannot be built with these options or for these inputs.
    WeightsError : the weights cannot be had or do not fit.
    """
    check_name(architecture.name)
    from_hub = architecture.weights == "hub"
    if from_hub and _timms(architecture.name) in WITHOUT_WEIGHTS:
        raise WeightsError(f"{architecture.name} has no pretrained weights in a hub. {weights.CHOICES}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if from_hub:
            with weights.hub(_timms(architecture.name)):
                model = _create(architecture, len(classes), pretrained=True)
        elif architecture.name in OF_SIGNALS:
            model = _of_signals(architecture, len(classes), inputs or {})
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
    """Raise ConfigError, with the nearest names of families and networks, unless there is a network of the name."""
    backbone = _backbone(name)
    ours = backbone in cnn4.NAMES or name in OF_SIGNALS or name in OF_PICTURES
    if not ours and not timm.is_model(backbone or name):
        named = cnn4.NAMES if backbone else (*families, *OF_SIGNALS, *OF_PICTURES)
        there = dict.fromkeys((*named, *timm.list_models()))  # a family may have its network's name
        near = difflib.get_close_matches((backbone or name).lower(), there, n=3)
        near = [name.removesuffix(backbone) + one for one in near] if backbone else near
        hint = f"Did you mean {', '.join(near)}?" if near else "timm.list_models() lists them."
        raise ConfigError(
            f"timm has no network named {backbone or name}. {hint} Of signals there are {', '.join(OF_SIGNALS)}; of "
            f"pictures, beside timm's, {', '.join(OF_PICTURES)}, {dual.LATE}<timm's name> and, of points in them, "
            f"{heat.HEAT}<timm's name>."
        )


def reads(
    architecture: Architecture, shapes: Mapping[str, Sequence[int]] | None = None, scales: Scales | None = None
) -> dict[str, dict[str, Any]]:
    """What a network reads, by modality, as its card's ``inputs`` say it.

    Parameters
    ----------
    shapes : by modality the shape of one prepared input, such as (steps, channels) of a signal, which a network of
        signals is built for. None: a network of pictures is asked about, which reads them of any shape.
    scales : by modality the mean and deviation of each channel / 255, as measured on the pictures; where there is none,
        those of timm's weights, and of infrared pictures 0.5 and 0.25.

    Raises
    ------
    ConfigError : there is no such network, or it reads nothing of what there is.
    """
    check_name(architecture.name)
    name, there = architecture.name, ("rgb", "ir") if shapes is None else tuple(shapes)
    modalities = _modalities(name)
    if not set(modalities) <= set(there):
        fitting = "one of timm's networks" if "rgb" in there else f"one of {', '.join(OF_SIGNALS)}"
        raise ConfigError(
            f"{name} reads {', '.join(modalities)}, and the prepared inputs are {', '.join(there)}. Choose {fitting}"
        )
    if modalities == ("signal",):
        steps, channels = shapes["signal"]
        return {"signal": dataclasses.asdict(SignalSpec(int(steps), int(channels)))}
    spec = input_spec(architecture)
    scales = {"rgb": {"mean": spec.mean, "std": spec.std}, "ir": IR_SCALE} | dict(scales or {})
    specs = {
        modality: InputSpec(spec.size, *(tuple(scales[modality][key]) for key in ("mean", "std")))
        for modality in modalities
    }
    return {modality: dataclasses.asdict(one) for modality, one in specs.items()}


def input_spec(architecture: Architecture) -> InputSpec:
    """What a network of pictures reads as RGB: the architecture's size, and the mean and deviation of timm's weights.

    A network that timm has no weights of reads them with ImageNet's mean and deviation.
    """
    check_name(architecture.name)
    name = _timms(architecture.name)
    if name in cnn4.NAMES:
        return InputSpec(architecture.image_size, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
    pretrained = timm.get_pretrained_cfg(name)
    return InputSpec(architecture.image_size, tuple(pretrained.mean), tuple(pretrained.std))


def output_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the modules that make the logits; a distilled DeiT has two."""
    names = model.pretrained_cfg["classifier"]
    return (names,) if isinstance(names, str) else tuple(names)


def logits(model: nn.Module, inputs: Tensor | Mapping[str, Tensor]) -> Tensor:
    """Logits of a batch in evaluation mode: float32, shape (B, C); a distilled DeiT's two heads averaged.

    Parameters
    ----------
    inputs : what the network reads, on its device: float, (B, 3, size, size), normalised, or (B, channels, steps);
        by modality where it reads several: {"rgb": (B, 3, size, size), "ir": (B, 1, size, size)}.
    """
    model.eval()
    with torch.inference_mode():
        return model(inputs).float()


def describe(
    model: nn.Module, architecture: Architecture, classes: list[str] | tuple[str, ...], inputs: Inputs | None = None
) -> dict[str, Any]:
    """The card of a network: all that ``load_model`` needs, and where its first weights came from.

    Parameters
    ----------
    inputs : what it reads, as it was built; by default what ``reads`` says of a network of pictures.
    """
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
        "inputs": inputs or reads(architecture),
        "parameters": sum(p.numel() for p in own.values()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def _backbone(name: str) -> str:
    """timm's name, or that of ours, of the network within one; empty where there is none within."""
    return next(filter(None, (one.backbone(name) for one in AROUND)), "")


def _timms(name: str) -> str:
    """The name by which timm knows a network of pictures, or the one within it."""
    return _backbone(name) or name


def _modalities(name: str) -> tuple[str, ...]:
    if name in OF_SIGNALS:
        return ("signal",)
    return ("rgb", "ir") if dual.backbone(name) else ("rgb",)


def _create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    family = next((one for one in AROUND if one.backbone(architecture.name)), families)
    try:
        return family.create(architecture, num_classes, pretrained)
    except (TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"{architecture.name} cannot be built for {architecture.image_size} px with options "
            f"{dict(architecture.options)}: {error}"
        ) from error


def _of_signals(architecture: Architecture, num_classes: int, inputs: Inputs) -> nn.Module:
    if set(inputs) != {"signal"}:
        raise ConfigError(f"{architecture.name} reads signal, expected its length and channels, got {dict(inputs)}")
    spec = SignalSpec(**inputs["signal"])
    try:
        return OF_SIGNALS[architecture.name].create(architecture, num_classes, spec)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ConfigError(
            f"{architecture.name} cannot be built for windows of {spec.length} steps in {spec.channels} channels with "
            f"options {dict(architecture.options)}: {error}"
        ) from error


def _freeze_all_but(model: nn.Module, names: tuple[str, ...]) -> None:
    model.requires_grad_(False)
    for name in names:
        model.get_submodule(name).requires_grad_(True)
