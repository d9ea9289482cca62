"""Where a network's weights come from: the hub, a file, or nowhere, and never silently nowhere."""

from __future__ import annotations

import hashlib
import importlib
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from pipeline.artifacts.files import open_regular
from pipeline.errors import PainDistillError, WeightsError

log = logging.getLogger(__name__)

CHOICES = (
    "Choose the weights yourself: WEIGHTS=<file.safetensors or folder of a trained model>, WEIGHTS=random, or the "
    "small networks that are shipped: PRESET=demo. For the teachers that make distill, evaluate or report trains "
    "first it is TEACHER_WEIGHTS=."
)
PROBE_TIMEOUT_S = 5


def read(file: Path, digest: str = "") -> dict[str, Tensor]:
    """Read a safetensors file; floating-point tensors come as float32.

    Parameters
    ----------
    digest : SHA-256 that its content must have; empty: any.

    Raises
    ------
    WeightsError : the file is missing, is not a whole safetensors file, or has other content.
    """
    if not file.is_file():
        raise WeightsError(f"There are no weights at {file}. {CHOICES}")
    try:
        with open_regular(file) as opened:
            content = opened.read()
        tensors = load(content)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{file} is not a whole safetensors file ({error}). {CHOICES}") from error
    if digest and (found := hashlib.sha256(content).hexdigest()) != digest:
        raise WeightsError(
            f"{file} has SHA-256 {found[:8]}…, expected {digest[:8]}…: it was changed since the run began, or the "
            "memo of hashes is wrong. Run the command again"
        )
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def load_backbone(model: nn.Module, tensors: dict[str, Tensor], heads: tuple[str, ...], source: Path | str) -> None:
    """Load everything but the classifier, which stays new; positions are resampled to the model's input size.

    Parameters
    ----------
    model : changed in place.
    tensors : a state dict in timm's names, of any number of classes.
    heads : names of the classifier's modules.
    source : for messages.

    Raises
    ------
    WeightsError : tensors are missing, left over or of another shape.
    """
    try:
        adapted = fitted(tensors, model)
    except Exception as error:  # timm's filters raise whatever strange tensors lead them to
        reason = " ".join((str(error) or repr(error)).split())
        raise WeightsError(f"{source} does not fit {type(model).__name__}: {reason}. {CHOICES}") from error
    found = {name: t for name, t in adapted.items() if not in_heads(name, heads)}
    wanted = {name: t for name, t in model.state_dict().items() if not in_heads(name, heads)}
    problems = misfits(*({name: tuple(t.shape) for name, t in tensors.items()} for tensors in (found, wanted)))
    if problems:
        raise WeightsError(f"{source} does not fit {type(model).__name__}: {problems}. {CHOICES}")
    model.load_state_dict(found, strict=False)


def fitted(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A state dict as a network's: through the filter that timm keeps beside it (renamed keys, resampled positions).

    Parameters
    ----------
    tensors : in timm's names.
    model : read for its shapes, on any device; one of our own may have its own filter, ``fit_weights``.
    """
    tensors = _without_token(tensors, model)
    if hasattr(model, "fit_weights"):
        return model.fit_weights(tensors)
    adapt = getattr(importlib.import_module(type(model).__module__), "checkpoint_filter_fn", None)
    with torch.no_grad():
        return adapt(tensors, model) if adapt else tensors


def misfits(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> str:
    """How tensors of some shapes differ from those that a network wants, in words; empty where they do not."""
    shapes = [
        f"{name} is {found[name]}, expected {wanted[name]}"
        for name in wanted.keys() & found.keys()
        if found[name] != wanted[name]
    ]
    problems = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unknown": sorted(found.keys() - wanted.keys()),
        "of another shape": sorted(shapes),
    }
    counted = (f"{len(names)} {what} (such as {names[0]:.200})" for what, names in problems.items() if names)
    return " ".join("; ".join(counted).split())


@contextmanager
def hub(name: str) -> Iterator[None]:
    """While timm asks a hub for weights: fail within seconds, in one message, when it cannot be reached.

    Weights that were downloaded before are found without the hub.

    Raises
    ------
    WeightsError : timm has no weights of this name, or they cannot be had now.
    """
    from huggingface_hub import constants

    was_offline = constants.HF_HUB_OFFLINE
    # Left alone, the hub's client asks for about a minute before it gives up.
    constants.HF_HUB_OFFLINE = was_offline or not _reachable(constants.ENDPOINT)
    try:
        yield
    except PainDistillError:
        raise
    except Exception as error:
        log.debug("weights of %s", name, exc_info=error)
        why = "the hub cannot be reached" if constants.HF_HUB_OFFLINE else (str(error) or repr(error)).splitlines()[0]
        raise WeightsError(f"The pretrained weights of {name} cannot be had: {why}. {CHOICES}") from None
    finally:
        constants.HF_HUB_OFFLINE = was_offline


def _reachable(address: str) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True  # an answer, whatever it says
    except (OSError, ValueError):
        return False


def _without_token(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A distilled transformer's weights for one without its token: the token and its position are dropped."""
    if "dist_token" not in tensors or any(name.endswith("dist_token") for name, _ in model.named_parameters()):
        return tensors
    log.info("weights: the distillation token is left out, %s has none", type(model).__name__)
    positions = tensors["pos_embed"]  # class token, distillation token, patches
    rest = {name: t for name, t in tensors.items() if name != "dist_token" and not name.startswith("head_dist.")}
    return rest | {"pos_embed": torch.cat([positions[:, :1], positions[:, 2:]], dim=1)}


def in_heads(name: str, heads: tuple[str, ...]) -> bool:
    """Whether a tensor belongs to one of some modules."""
    return name.startswith(tuple(f"{head}." for head in heads))
