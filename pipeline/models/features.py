"""What a network gives beside its logits, by the same timm methods for every family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError

Inputs = Tensor | Mapping[str, Tensor]  # of a network of one modality, or by modality


def observe(model: nn.Module, inputs: Inputs, kinds: Iterable[str]) -> dict[str, Any]:
    """Run a network once, in the mode it is in and with gradients, and gather what is asked for.

    Parameters
    ----------
    inputs : what the network reads, on its device: float, (B, 3, size, size), normalised, or (B, channels, steps);
        by modality where it reads several: {"rgb": (B, 3, size, size), "ir": (B, 1, size, size)}.
    kinds : some of

        - ``tokens``: what ``model(inputs)`` gives, as a tuple: float, shape (B, C), of one or, from a distilled network
          in training, of two tokens;
        - ``hidden``: float, shape (B, D), the pooled features before the classifier; of two tokens, their mean;
        - ``map``: float, shape (B, D', h, w), the last feature map before the final norm, without tokens; of a
          network of signals (B, D', t);
        - ``layers``: of each feature map from the first to the last its mean over places, float, shape (B, D'), each of
          its own width.

    Raises
    ------
    ConfigError : the network has no such features.
    """
    kinds, found = set(kinds), {}
    if kinds == {"tokens"}:
        return {"tokens": _as_tuple(model(inputs))}
    if "layers" in kinds:
        features, maps = _features_and_maps(model, inputs, None)
        found["layers"] = tuple(one.flatten(2).mean(2) for one in maps)
    if "map" in kinds:
        features, (*_, found["map"]) = _features_and_maps(model, inputs, 1)
    if not {"layers", "map"} & kinds:
        features = model.forward_features(inputs)
    if "tokens" in kinds:  # before the hidden features, so that dropout falls as in model(inputs)
        found["tokens"] = _as_tuple(model.forward_head(features))
    if "hidden" in kinds:
        found["hidden"] = _hidden(model, features)
    return found


def outputs(model: nn.Module, inputs: Inputs, kinds: Iterable[str]) -> dict[str, Tensor]:
    """What a teacher says of a batch, in evaluation mode: float32, without gradients, fit to be a student's target.

    Parameters
    ----------
    inputs : what the network reads, as ``observe`` takes it.
    kinds : some of ``logits``, shape (B, C), as ``logits`` gives them, ``hidden``, (B, D), and ``map``, (B, D', h, w)
        or (B, D', t), as ``observe`` does.

    Raises
    ------
    ConfigError : the network has no such features.
    """
    model.eval()
    with torch.no_grad():  # tensors of inference mode may not enter a loss
        found = observe(model, inputs, {"tokens" if kind == "logits" else kind for kind in kinds})
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


def axes(model: nn.Module) -> int:
    """How many axes a feature map has: two of pictures, one of signals."""
    return getattr(model, "map_axes", 2)


def _features_and_maps(model: nn.Module, inputs: Inputs, last: int | None) -> tuple[Any, list[Tensor]]:
    """The final features, as ``forward_features`` gives them, and so many of the last maps; None: all."""
    try:
        features, maps = model.forward_intermediates(inputs, indices=last, norm=False, output_fmt="NCHW")
    except (AttributeError, AssertionError, TypeError) as error:
        raise _without(model, "map") from error
    if not all(isinstance(one, Tensor) and one.ndim == 2 + axes(model) for one in maps):
        raise _without(model, "map")
    return features, maps


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
