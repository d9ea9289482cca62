"""Build, run, save and load a network, whatever its family."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.config import PAPER, Architecture, as_dict, weights_file
from pipeline.errors import ArtifactError, ConfigError
from pipeline.models import deit, generic, resnet, swin, weights
from pipeline.views import InputSpec

FAMILIES = (deit, swin, resnet, generic)
WEIGHTS, CARD = "weights.safetensors", "model.json"


def build(architecture: Architecture, classes: list[str] | tuple[str, ...], seed: int = 0) -> nn.Module:
    """A network with the weights that its architecture names and a new classifier, on the CPU.

    Parameters
    ----------
    architecture : the exact network; with ``trained="head"`` all but the classifier is frozen.
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
        weights.load_backbone(model, weights.read(file), heads(model), file)
    if architecture.trained == "head":
        _freeze_all_but(model, heads(model))
    return model


def check_name(name: str) -> None:
    """Raise ConfigError, with the nearest names of families and networks, unless timm knows the name."""
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.lower(), [*PAPER.families, *timm.list_models()], n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "timm.list_models() lists them."
        raise ConfigError(f"timm has no network named {name}. {hint}")


def input_spec(architecture: Architecture) -> InputSpec:
    """What the network reads: the architecture's size, and the mean and deviation of timm's weights."""
    check_name(architecture.name)
    found = timm.get_pretrained_cfg(architecture.name)
    return InputSpec(architecture.image_size, tuple(found.mean), tuple(found.std))


def heads(model: nn.Module) -> tuple[str, ...]:
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


def observe(model: nn.Module, images: Tensor, kinds: Iterable[str]) -> dict[str, Any]:
    """Run a network once, in the mode it is in and with gradients, and gather what is asked for.

    Parameters
    ----------
    images : float, shape (B, 3, size, size), normalised, on the model's device.
    kinds : some of

        - ``tokens``: what ``model(images)`` gives, as a tuple: float, shape (B, C), of one or, from a distilled network
          in training, of two tokens;
        - ``hidden``: float, shape (B, D), the pooled features before the classifier; of two tokens, their mean;
        - ``map``: float, shape (B, D', h, w), the last feature map before the final norm, without tokens.

    Raises
    ------
    ConfigError : the network has no such features.
    """
    kinds = set(kinds)
    found = {}
    if kinds <= {"tokens"}:
        found["tokens"] = _as_tuple(model(images))
        return found
    if "map" in kinds:
        features, found["map"] = _features_and_map(model, images)
    else:
        features = model.forward_features(images)
    if "tokens" in kinds:  # before the hidden features, so that dropout falls as in model(images)
        found["tokens"] = _as_tuple(model.forward_head(features))
    if "hidden" in kinds:
        found["hidden"] = _hidden(model, features)
    return found


def answers(model: nn.Module, images: Tensor, kinds: Iterable[str]) -> dict[str, Tensor]:
    """What a teacher says of a batch, in evaluation mode: float32, without gradients, fit to be a student's target.

    Parameters
    ----------
    images : float, shape (B, 3, size, size), normalised, on the model's device.
    kinds : some of ``logits``, shape (B, C), as ``logits`` gives them, ``hidden``, (B, D), and ``map``, (B, D', h, w),
        as ``observe`` does.

    Raises
    ------
    ConfigError : the network has no such features.
    """
    model.eval()
    with torch.no_grad():  # tensors of inference mode may not enter a loss
        found = observe(model, images, {"tokens" if kind == "logits" else kind for kind in kinds})
    if "tokens" in found:
        (found["logits"],) = found.pop("tokens")
    return {kind: found[kind].float() for kind in kinds}


def width(model: nn.Module, kind: str) -> int:
    """How many numbers ``hidden`` has, or channels ``map``.

    Raises
    ------
    ConfigError : the network has no such features.
    """
    try:
        return model.head_hidden_size if kind == "hidden" else model.feature_info[-1]["num_chs"]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise _without(model, kind) from error


def describe(model: nn.Module, architecture: Architecture, classes: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """The card of a network: all that ``load_model`` needs, and where its first weights came from."""
    source = architecture.weights
    if source == "hub":
        source = f"hub: {model.pretrained_cfg.get('hf_hub_id') or model.pretrained_cfg.get('url')}"
    parameters = list(model.parameters())
    return {
        "architecture": architecture.name,
        "label": architecture.label or architecture.name,
        "weights": source,
        "network": as_dict(architecture),
        "classes": list(classes),
        "input": dataclasses.asdict(input_spec(architecture)),
        "parameters": sum(p.numel() for p in parameters),
        "trained_parameters": sum(p.numel() for p in parameters if p.requires_grad),
    }


def save_model(folder: Path, model: nn.Module, card: dict[str, Any]) -> None:
    """Write ``weights.safetensors`` and ``model.json``, each by one rename."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    draft = folder / f"{WEIGHTS}.draft"
    draft.write_bytes(save(tensors))
    draft.replace(folder / WEIGHTS)
    draft = folder / f"{CARD}.draft"
    draft.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(folder / CARD)


def load_model(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A saved network in evaluation mode on the CPU, and its card.

    Raises
    ------
    ArtifactError : the folder holds no whole model.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        model = build(_architecture(card["network"]), card["classes"])
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder} holds no whole model ({CARD} and {WEIGHTS}): {(str(error) or repr(error)).splitlines()[0]}. "
            "Give the folder of a teacher or a student, or remove it and train again."
        ) from error
    return model.eval(), card


def _features_and_map(model: nn.Module, images: Tensor) -> tuple[Any, Tensor]:
    """The final features, as ``forward_features`` gives them, and the last map."""
    try:
        features, maps = model.forward_intermediates(images, indices=1, norm=False, output_fmt="NCHW")
    except (AttributeError, AssertionError, TypeError) as error:
        raise _without(model, "map") from error
    if not (isinstance(maps[-1], Tensor) and maps[-1].ndim == 4):
        raise _without(model, "map")
    return features, maps[-1]


def _hidden(model: nn.Module, features: Any) -> Tensor:
    hidden = model.forward_head(features, pre_logits=True)
    if not (isinstance(hidden, Tensor) and hidden.ndim == 2):
        raise _without(model, "hidden")
    return hidden


def _without(model: nn.Module, kind: str) -> ConfigError:
    name = model.pretrained_cfg.get("architecture") or type(model).__name__
    return ConfigError(
        f"{name} gives no {'feature map' if kind == 'map' else 'pooled features'} ({kind}). Choose another network, or "
        "a loss of logits alone: LOSS=hard, soft, dkd or dist."
    )


def _as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _architecture(network: dict[str, Any]) -> Architecture:
    """The architecture of a card; its weights are about to be loaded, so no others are fetched."""
    options = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in network["options"])
    return Architecture(**{**network, "options": options, "weights": "random"})


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
