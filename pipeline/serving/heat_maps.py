"""Which parts of a picture an answer rests on, by four methods, each with its own idea of that."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.serving import colors, gradients
from pipeline.serving.occlusion import occlusion
from pipeline.serving_config import METHODS

if TYPE_CHECKING:
    from pipeline.serving.network import Network

PREFERRED = ("grad-cam", "attention-gradient", "occlusion")  # the first that fits
ALL_POINTS = -1  # an output of a task of points: all of them at once
BATCH = 16  # pictures whose gradients are held at once
STRONGEST = 0.6  # share of the colour where a map is hottest

# By kind, of raw outputs (B, C) what an output, a number among the C for each, is worth: of classes how far its logit
# is above the mean of all, since a number that is added to all logits changes no probability. A place of points has no
# more or less.
SCORES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classify": lambda raw, outputs: _picked(raw - raw.mean(1, keepdim=True), outputs),
    "multilabel": lambda raw, outputs: _picked(raw, outputs),
    "regress": lambda raw, outputs: _picked(raw, outputs),
}


class Inside(NamedTuple):
    """A method that looks into a network of torch.

    Attributes
    ----------
    fits : of a network in evaluation mode and a blank picture, as it reads it: whether the method can be used.
    maps : of the network, pictures and a score of its raw outputs: maps, float, shape (B, h, w).
    """

    fits: Callable[[nn.Module, Tensor], bool]
    maps: Callable[[nn.Module, Tensor, gradients.Score], Tensor]


INSIDE = {
    "grad-cam": Inside(gradients.gives_map, gradients.grad_cam),
    "rollout": Inside(lambda model, _: gradients.attends(model), gradients.rollout),
    "attention-gradient": Inside(lambda model, _: gradients.attends(model), gradients.attention_gradient),
}


def fitting(network: Network) -> tuple[str, ...]:
    """The methods that a network's answers can be explained by, in the order of ``METHODS``.

    Grad-CAM takes networks whose answer is made from a map: convolutional ones, and transformers of windows such as
    Swin. Rollout and attention gradients take transformers whose blocks attend to the whole picture, such as DeiT. All
    but occlusion need the network of a folder, not an exported file, and an answer that is more or less, not a place.

    Raises
    ------
    ConfigError : it does not read pictures of one camera.
    """
    modality_of(network)
    if network not in _FITTING:
        _FITTING[network] = _tried(network)
    return _FITTING[network]


_FITTING: MutableMapping[Network, tuple[str, ...]] = weakref.WeakKeyDictionary()  # each network is tried once


def _tried(network: Network) -> tuple[str, ...]:
    model = network.module
    if model is None or network.task["kind"] not in SCORES:
        return ("occlusion",)
    blank = batches.blank(network.specs, network.device).make(network.specs)
    return tuple(name for name in METHODS if name not in INSIDE or INSIDE[name].fits(model, blank))


def default_method(network: Network) -> str:
    """Grad-CAM where it fits, else attention gradients, else occlusion, which is also that of a file.

    Raises
    ------
    ConfigError : as ``fitting``.
    """
    fits = fitting(network)
    return next(name for name in PREFERRED if name in fits)


def check_methods(network: Network, methods: Sequence[str]) -> None:
    """Raise ConfigError where one of some methods does not fit a network, or as ``fitting``."""
    fits = fitting(network)
    if wrong := [method for method in methods if method not in fits]:
        raise ConfigError(
            f"METHOD={wrong[0]} does not fit {network.card['architecture']}, of a task of kind "
            f"{network.task['kind']}. Choose what fits: METHOD={' or '.join(fits)}"
        )


def heat_maps(network: Network, inputs: Mapping[str, np.ndarray], outputs: Sequence[int], method: str) -> np.ndarray:
    """Which parts of each picture speak for one output: a class, a label, a larger number, the place of a point.

    Rollout is the same for all outputs. Of points, either of its two numbers stands for a point, ``ALL_POINTS`` for
    all, and heat is how far they move.

    Parameters
    ----------
    inputs : as ``Network.read`` takes them: uint8, shape (N, S, S, channels), of one modality.
    outputs : for each input, which number of the answer.
    method : one of ``fitting``.

    Returns
    -------
    float32, shape (N, S, S): >= 0, each of the sum 1; the same everywhere where nothing speaks for the output.

    Raises
    ------
    ConfigError : as ``fitting``; or the method does not fit the network, or there is no such output.
    """
    modality = modality_of(network)
    check_methods(network, (method,))
    _check(network, outputs, len(inputs[modality]))
    pictures = inputs[modality]
    if method in INSIDE:
        return _inside(network, inputs, outputs, INSIDE[method].maps)
    maps = [occlusion(network, modality, picture, output) for picture, output in zip(pictures, outputs, strict=True)]
    return _shares(np.array(maps).reshape(len(pictures), *pictures.shape[1:3]))


def overlay(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture with a map over it: nothing where the map is coldest, most colour where it is hottest.

    Parameters
    ----------
    face : uint8, shape (S, S, 3).
    heat : float, shape (S, S); one that is the same everywhere leaves the picture as it is.

    Returns
    -------
    uint8, shape (S, S, 3).
    """
    low, high = float(heat.min()), float(heat.max())
    shares = (heat - low) / (high - low) if high > low else np.zeros_like(heat)
    weights = STRONGEST * np.sqrt(shares)[..., None]
    return np.rint(face * (1 - weights) + colors.along_scale(shares) * weights).astype(np.uint8)


def modality_of(network: Network) -> str:
    """The one kind of picture that a network reads.

    Raises
    ------
    ConfigError : it reads something else, or several.
    """
    if len(network.reads) != 1 or not batches.MODALITIES[network.reads[0]].pictured:
        raise ConfigError(
            f"{network.card['architecture']} reads {' and '.join(network.reads)}; `explain` explains pictures of one "
            "camera. Choose another model: MODEL="
        )
    return network.reads[0]


def _check(network: Network, outputs: Sequence[int], count: int) -> None:
    least = 0 if network.task["kind"] in SCORES else ALL_POINTS
    if len(outputs) != count or not all(least <= output < len(network.names) for output in outputs):
        raise ConfigError(
            f"expected for each of {count} inputs an output from {least} to {len(network.names) - 1}, got "
            f"{list(outputs)}"
        )


def _inside(
    network: Network, inputs: Mapping[str, np.ndarray], outputs: Sequence[int], method: Callable[..., Tensor]
) -> np.ndarray:
    """Maps of the network's own grid, spread over the pictures."""
    (pictures,), score = inputs.values(), SCORES[network.task["kind"]]
    spread = [np.empty((0, *pictures.shape[1:3]))]
    for first in range(0, len(pictures), BATCH):
        part = {name: values[first : first + BATCH] for name, values in inputs.items()}
        picked = torch.tensor(outputs[first : first + BATCH], device=network.device)
        maps = method(network.module, network.tensors(part), lambda raw, picked=picked: score(raw, picked))
        large = F.interpolate(maps[:, None].double(), pictures.shape[1:3], mode="bilinear", align_corners=False)
        spread.append(large[:, 0].cpu().numpy())
    return _shares(np.concatenate(spread))


def _shares(maps: np.ndarray) -> np.ndarray:
    """Maps of the sum 1; one with nothing in it becomes the same everywhere."""
    empty = maps.sum((1, 2), keepdims=True) <= 0
    filled = np.where(empty, 1.0, maps)
    return (filled / filled.sum((1, 2), keepdims=True)).astype(np.float32)


def _picked(values: Tensor, outputs: Tensor) -> Tensor:
    return values.gather(1, outputs[:, None])[:, 0]
