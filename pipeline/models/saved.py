"""A network on disk: its weights and its card, which name each other, and the way back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_arrays
from safetensors.torch import save
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pipeline.artifacts import cards
from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.cards import CARD
from pipeline.artifacts.files import digest, open_regular
from pipeline.artifacts.store import RECORD, Artifact
from pipeline.config import Architecture
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.models import domain as domains
from pipeline.models import lora, weights
from pipeline.models.core import build, logits
from pipeline.models.domain import Domain
from pipeline.models.features import observe
from pipeline.models.strangeness import Respects, kinds

WEIGHTS = "weights.safetensors"
DOMAIN = "domain.safetensors"  # what the training inputs look like to the network
MOST_DOMAIN_BYTES = 2**25
OWNER = "fingerprint"  # in the card, and among the metadata of the weights

Shapes = dict[str, tuple[int, ...]]


def save_model(
    folder: Path, model: nn.Module, card: Mapping[str, Any], fingerprint: str, domain: Domain | None = None
) -> None:
    """Write ``weights.safetensors``, ``domain.safetensors`` and ``model.json``, each by one rename.

    Adaptation is merged first.

    Parameters
    ----------
    card : of ``describe``, and more of ``cards.Card``.
    fingerprint : of the artifact that they belong to, which all will name.
    domain : what its training inputs look like to it; without one there is no such file.
    """
    lora.merge(model)
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    content = save(tensors, metadata={OWNER: fingerprint})
    card = {**card, OWNER: fingerprint, "sha256": hashlib.sha256(content).hexdigest()}
    if domain is None:
        card.pop("domain", None)
    else:
        described = save_arrays(domains.arrays_of(domain), metadata={OWNER: fingerprint})
        card["domain"] = {"sha256": hashlib.sha256(described).hexdigest()}
        with replacing(folder / DOMAIN) as draft:
            draft.write_bytes(described)
    with replacing(folder / WEIGHTS) as draft:
        draft.write_bytes(content)
    with replacing(folder / CARD) as draft:
        draft.write_text(cards.text(card), encoding="utf-8")


def load_model(source: Artifact | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A saved network in evaluation mode on the CPU, and its card.

    Parameters
    ----------
    source : a teacher or a student; or the folder of one, which need have no record.

    Raises
    ------
    ArtifactError : there is no whole model, or a file of it is damaged or belongs to another one.
    """
    source = _recorded(source)
    card = cards.read(source)
    known = isinstance(source, Artifact)
    folder, file = _place(source, WEIGHTS)
    try:
        open_regular(file).close()
        with safe_open(file, framework="pt") as stored:
            owner = (stored.metadata() or {}).get(OWNER, "")
            if owner != card[OWNER]:
                raise cards.stranger(folder, card[OWNER], WEIGHTS, owner)
            shapes = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
            architecture = _architecture(card["network"])
            if not known:  # of an artifact the record verifies both
                _check_fit(card, architecture, shapes)
                _check_digest(file, card["sha256"])
            model = build(architecture, card["classes"], inputs=card["inputs"])
            model.load_state_dict({name: stored.get_tensor(name) for name in shapes})
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise cards.broken(folder, f"{WEIGHTS}: {error}") from error
    return model.eval(), card


def load_domain(source: Artifact | Path, model: nn.Module, card: Mapping[str, Any]) -> Domain | None:
    """What a saved network's training inputs look like to it; None where its card names no such file.

    Parameters
    ----------
    source, model, card : as ``load_model`` takes and gives them.

    Raises
    ------
    ArtifactError : the file is missing, damaged, or belongs to another network.
    """
    if "domain" not in card:
        return None
    folder, file = _place(_recorded(source), DOMAIN)
    try:
        with open_regular(file) as opened:
            size = os.fstat(opened.fileno()).st_size
        if size > MOST_DOMAIN_BYTES:
            raise ValueError(f"it has {size} bytes")
        with safe_open(file, framework="np") as stored:
            owner = (stored.metadata() or {}).get(OWNER, "")
            if owner != card[OWNER]:
                raise cards.stranger(folder, card[OWNER], DOMAIN, owner)
            _check_digest(file, card["domain"]["sha256"])
            domain = domains.of_arrays({name: np.array(stored.get_tensor(name)) for name in stored.keys()})  # noqa: SIM118
        _check_widths(domain, model, card)
    except (OSError, ValueError, TypeError, ConfigError, SafetensorError) as error:
        raise cards.broken(folder, f"{DOMAIN}: {error}") from error
    return domain


def _check_widths(domain: Domain, model: nn.Module, card: Mapping[str, Any]) -> None:
    """Raise ValueError where a domain is of other numbers than are measured of the inputs of a network."""
    specs = batches.specs(card)
    blank = batches.blank(specs, "cpu").make(specs)
    with torch.no_grad():
        measured = Respects(specs)(blank, observe(model.eval(), blank, kinds(domain.gaussians)))
    for respect, one in domain.gaussians.items():
        expected = measured[respect].shape[1] if respect in measured else "none of it"
        if one.width != expected:
            raise ValueError(f"it is of {one.width} numbers of {respect}, the network has {expected}")


def _recorded(source: Artifact | Path) -> Artifact | Path:
    """A folder that has a record, as the artifact that it is."""
    if isinstance(source, Path) and os.path.lexists(source / RECORD):
        return Artifact.load(source)
    return source


def _place(source: Artifact | Path, name: str) -> tuple[Path, Path]:
    """The folder and a file of it; of an artifact verified."""
    return (source.path, source.file(name)) if isinstance(source, Artifact) else (source, source / name)


def _check_digest(file: Path, expected: str) -> None:
    found = digest(file)
    if found != expected:
        raise ValueError(f"its SHA-256 is {found[:8]}…, {CARD} says {expected[:8]}…")


def _architecture(network: Mapping[str, Any]) -> Architecture:
    """The architecture of a card; its weights are about to be loaded, so no others are fetched or added."""
    options = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in network["options"])
    return Architecture(**{**network, "options": options, "weights": "random", "trained": "all"})


def _check_fit(card: Mapping[str, Any], architecture: Architecture, shapes: Shapes) -> None:
    """Refuse a card whose network has not tensors of these shapes; found out without memory for a network.

    Raises
    ------
    ValueError : it is another one, or none.
    """
    # No count or width of a network is beyond its tensors: a depth of a million is refused before anybody counts to it.
    most = max(len(shapes), architecture.image_size, *(side for shape in shapes.values() for side in shape), 1)
    for name, value in architecture.options:
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and abs(number) > most:
                raise ValueError(f"it has nothing so large as {name}={number} of {CARD}")
    try:
        with torch.device("meta"), _at_most(2 * len(shapes) + 64):
            model = build(architecture, card["classes"], inputs=card["inputs"])
        specs = batches.specs(card)
        answer = logits(model, batches.blank(specs, "meta").make(specs))
    except Exception as error:  # constructors raise whatever strange options lead them to
        raise ValueError(f"{CARD} describes no network: {error}") from error
    misfits = weights.misfits(shapes, {name: tuple(t.shape) for name, t in model.state_dict().items()})
    if answer.shape != (1, len(card["classes"])):
        raise ValueError(f"{CARD} describes a network with answers of shape {tuple(answer.shape)}")
    if misfits:
        raise ValueError(f"it does not fit the network of {CARD}: {misfits}")


@contextmanager
def _at_most(tensors: int) -> Iterator[None]:
    """Stop a network in its making when it has more parameters than so many."""
    made = 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal made
        made += 1
        if made > tensors:
            raise ValueError(f"it has more than {tensors} tensors")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
