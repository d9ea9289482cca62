"""How raw data became what a network reads: written into its card, and read again by whoever prepares more for it.

No torch here: cards are written and checked without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.errors import ArtifactError
from pipeline.inputs.faces import card as faces
from pipeline.inputs.frames import card as frames
from pipeline.inputs.signals import card as signals

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

Preparation = faces.Preparation | signals.Preparation | frames.Preparation
# By stage: each module has STAGE, VERSION and its class Preparation with ``of_inputs`` and ``of_entry``.
MODULES: dict[str, ModuleType] = {module.STAGE: module for module in (faces, signals, frames)}


def entry(inputs: Artifact) -> dict[str, Any]:
    """The entry ``prepare`` of the card of a network that reads prepared inputs."""
    stage = inputs.record["stage"]
    preparation = MODULES[stage].Preparation.of_inputs(inputs)
    return {"kind": stage, "version": inputs.record["version"]} | dataclasses.asdict(preparation)


def of_card(card: Mapping[str, Any], model: Path) -> Preparation:
    """How the inputs were made that a network was trained on.

    Parameters
    ----------
    card : the network's.
    model : its folder, for messages.

    Raises
    ------
    ArtifactError : the card does not say it, or they were made by another version of the code.
    """
    stated = card.get("prepare") or {}
    module = MODULES.get(stated.get("kind"))
    names = [field.name for field in dataclasses.fields(module.Preparation)] if module else []
    missing = [name for name in ("kind", "version", *names) if name not in stated]
    if missing:
        lacking = f"{', '.join(missing)} in prepare" if stated else "prepare"
        raise ArtifactError(
            f"{model} does not say how its inputs were prepared: model.json lacks {lacking}. Train it anew: "
            "make distill"
        )
    if module is None or stated["version"] != module.VERSION:
        here = ", ".join(f"{stage} version {known.VERSION}" for stage, known in MODULES.items())
        raise ArtifactError(
            f"{model} was trained on inputs of {stated['kind']} version {stated['version']}, here is {here}: they "
            "would not be what it learned. Train it anew: make distill"
        )
    return module.Preparation.of_entry(stated)
