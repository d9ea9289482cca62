"""How a picture becomes a face of one size, as the card of every network that read such says it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

STAGE = "align"
VERSION = 6  # the stage's: another one makes other pixels, or another file, of the same pictures


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
    box : what of a face is brought to its place: ``mtcnn``, its five landmarks; ``points`` or ``dataset``, the box
        about its points or of the dataset, where nobody knows it the detector's.
    """

    align: str
    face_size: int
    margin: float
    min_face: float
    fine_min_face_px: int
    box: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Preparation:
        """What of an align config (the fields of ``AlignConfig``, as a record holds them) makes the faces."""
        return cls(**{field.name: config[field.name] for field in dataclasses.fields(cls)})

    @classmethod
    def of_inputs(cls, inputs: Artifact) -> Preparation:
        """How an artifact of ``align`` was prepared."""
        return cls.of(inputs.config)

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Preparation:
        """How a card says it, which may say more."""
        return cls.of(entry)
