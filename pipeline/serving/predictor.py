"""From a picture to its faces with their class: a trained network applied to pictures it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.inputs import batches
from pipeline.inputs.faces.aligner import AlignedFace, FaceAligner
from pipeline.inputs.faces.card import Preparation
from pipeline.inputs.images import Box
from pipeline.inputs.views.plan import Drawn


@dataclass(frozen=True)
class FacePrediction:
    """One face of a picture.

    Parameters
    ----------
    half : ``left`` or ``right`` of a side-by-side picture, else ``full``.
    box : x0, y0, x1, y1 in pixels of the picture.
    detection : MTCNN's probability that it is a face; NaN where nobody looked.
    probabilities : of the outputs, in their order.
    number : of the most probable output.
    label : its name.
    """

    half: str
    box: Box
    detection: float
    probabilities: tuple[float, ...]
    number: int
    label: str


class Predictor:
    """A trained network with the preparation of faces before it, both as the network's card says.

    Parameters
    ----------
    model : a teacher or a student, or the folder of one.
    device : ``cpu``, ``cuda`` or ``cuda:N``.

    Attributes
    ----------
    aligner : makes the faces that the network reads.

    Raises
    ------
    ArtifactError : there is no whole model, a file is damaged or another model's, or its card does not say what it is
        asked or what it reads.
    """

    def __init__(self, model: Artifact | Path, device: str):
        network, self._card = models.load_model(model)
        folder = model.path if isinstance(model, Artifact) else model
        self.aligner = FaceAligner(Preparation.of_card(self._card, folder), device)
        if "task" not in self._card:
            raise ArtifactError(f"{folder} does not say its task: model.json lacks task. Train it anew: make distill")
        self._specs = batches.specs(self._card)
        self._device = device
        self._network = network.to(device)

    @property
    def task(self) -> dict[str, Any]:
        """What the network is asked: the fields of a ``Task``."""
        return self._card["task"]

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return self._card["classes"]

    def faces(self, path: Path) -> tuple[np.ndarray, list[FacePrediction]]:
        """A picture, and what the network says of every face of it.

        Returns
        -------
        image : uint8, shape (height, width, 3), RGB at full size.
        faces : from left to right in each half; empty when there is none.

        Raises
        ------
        DataError : the picture cannot be read.
        """
        image, faces = self.aligner.faces(path)
        probabilities = self.probabilities(faces)
        return image, [self._prediction(face, row, image.shape) for face, row in zip(faces, probabilities, strict=True)]

    def logits(self, faces: list[AlignedFace]) -> np.ndarray:
        """What the network answers to aligned faces: float32, shape (faces, C)."""
        if not faces:
            return np.empty((0, len(self.outputs)), np.float32)
        raw = {"rgb": torch.from_numpy(np.stack([face.rgb for face in faces])).to(self._device)}
        batch = batches.Batch(np.arange(len(faces)), Drawn(), raw)
        return models.logits(self._network, batch.make(self._specs)).cpu().numpy()

    def probabilities(self, faces: list[AlignedFace]) -> np.ndarray:
        """Of the classes, float64, shape (faces, C)."""
        return torch.from_numpy(self.logits(faces)).double().softmax(dim=1).numpy()

    def _prediction(self, face: AlignedFace, probabilities: np.ndarray, shape: tuple[int, ...]) -> FacePrediction:
        number = int(probabilities.argmax())
        return FacePrediction(
            half=face.half,
            box=_whole_pixels(face.box, shape),
            detection=face.probability,
            probabilities=tuple(probabilities.tolist()),
            number=number,
            label=self.outputs[number],
        )


def _whole_pixels(box: np.ndarray, shape: tuple[int, ...]) -> Box:
    """A box in whole pixels, cut at the edges of a picture of this shape."""
    height, width = shape[:2]
    x0, y0, x1, y1 = np.clip(np.round(box).astype(int), 0, [width, height, width, height])
    return int(x0), int(y0), int(x1), int(y1)
