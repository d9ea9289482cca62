"""How a picture becomes a face of one size: all that it depends on, kept in the card of every network that read such.

No torch here: cards are written and checked without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ArtifactError

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

STAGE = "align"
VERSION = 5  # the stage's: another one makes other pixels, or another file, of the same pictures


@dataclass(frozen=True)
class Preparation:
    """The settings of ``align``, as ``AlignConfig`` explains them; two that are equal make equal faces.

    Parameters
    ----------
    align : ``mtcnn``, or ``none`` for pictures that show an aligned or cropped face already.
    face_size : side of a face in pixels.
    margin : background on each side of the face, as a share of its width.
    min_face : the first look's smallest face, as a share of the shorter side.
    fine_min_face_px : the last look's smallest face in pixels.
    """

    align: str
    face_size: int
    margin: float
    min_face: float
    fine_min_face_px: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Preparation:
        """What of an align config (the fields of ``AlignConfig``, as a record holds them) makes the faces."""
        return cls(**{field.name: config[field.name] for field in dataclasses.fields(cls)})

    @classmethod
    def of_card(cls, card: Mapping[str, Any], model: Path) -> Preparation:
        """How the faces were made that a network was trained on.

        Parameters
        ----------
        card : the network's.
        model : its folder, for messages.

        Raises
        ------
        ArtifactError : the card does not say it, or they were made by another version of the code.
        """
        entry = card.get("prepare")
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in ("kind", "version", *names) if name not in (entry or {})]
        if missing:
            lacking = f"{', '.join(missing)} in prepare" if entry else "prepare"
            raise ArtifactError(
                f"{model} does not say how its faces were prepared: model.json lacks {lacking}. "
                "Train it anew: make distill"
            )
        if (entry["kind"], entry["version"]) != (STAGE, VERSION):
            raise ArtifactError(
                f"{model} was trained on inputs of {entry['kind']} version {entry['version']}, here is {STAGE} version "
                f"{VERSION}: its faces would not be what it learned. Train it anew: make distill"
            )
        return cls.of(entry)


def prepared(inputs: Artifact) -> dict[str, Any]:
    """The entry ``prepare`` of the card of a network that reads an artifact of ``align``."""
    made_by = {"kind": inputs.record["stage"], "version": inputs.record["version"]}
    return made_by | dataclasses.asdict(Preparation.of(inputs.config))
