"""From a picture to its faces and what is asked of each: a trained network applied to pictures it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.store import Artifact
from pipeline.inputs.faces.aligner import AlignedFace, FaceAligner
from pipeline.inputs.images import Box
from pipeline.serving.answers import Answer
from pipeline.serving.network import Network


@dataclass(frozen=True)
class FacePrediction:
    """One face of a picture.

    Parameters
    ----------
    half : ``left`` or ``right`` of a side-by-side picture, else ``full``.
    box : x0, y0, x1, y1 in pixels of the picture.
    detection : MTCNN's probability that it is a face; NaN where nobody looked.
    answer : what is said of it.
    """

    half: str
    box: Box
    detection: float
    answer: Answer


class Predictor:
    """A trained network with the preparation of faces before it, both as the network's card says.

    Parameters
    ----------
    model, device : as of ``Network``.

    Attributes
    ----------
    network : the network.
    aligner : makes the faces that it reads.

    Raises
    ------
    ArtifactError : as ``Network``.
    """

    def __init__(self, model: Artifact | Path, device: str):
        self.network = Network(model, device)
        self.aligner = FaceAligner(self.network.preparation, device)

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
        logits, scores = self.read(faces)
        answers = self.network.answers(logits, np.array([face.warp for face in faces]), scores)
        return image, [
            FacePrediction(face.half, _whole_pixels(face.box, image.shape), face.probability, answer)
            for face, answer in zip(faces, answers, strict=True)
        ]

    def logits(self, faces: list[AlignedFace]) -> np.ndarray:
        """What the network answers to aligned faces: float32, shape (faces, C)."""
        return self.read(faces)[0]

    def read(self, faces: list[AlignedFace]) -> tuple[np.ndarray, np.ndarray | None]:
        """What the network answers to aligned faces and how strange they are to it, as ``Network.read``."""
        size = self.network.preparation.face_size
        stacked = np.stack([face.rgb for face in faces]) if faces else np.empty((0, size, size, 3), np.uint8)
        return self.network.read({"rgb": stacked})


def _whole_pixels(box: np.ndarray, shape: tuple[int, ...]) -> Box:
    """A box in whole pixels, cut at the edges of a picture of this shape."""
    height, width = shape[:2]
    x0, y0, x1, y1 = np.clip(np.round(box).astype(int), 0, [width, height, width, height])
    return int(x0), int(y0), int(x1), int(y1)
