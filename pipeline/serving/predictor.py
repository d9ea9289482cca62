"""From a picture to its faces and what is asked of each: a trained network applied to pictures it has never seen."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.artifacts.store import Artifact
from pipeline.inputs.faces.aligner import AlignedFace, FaceAligner
from pipeline.inputs.images import Box
from pipeline.serving import streams
from pipeline.serving.answers import Answer, none_of
from pipeline.serving.network import Network
from pipeline.serving.spending import spent_on
from pipeline.serving.streams import Result
from pipeline.serving.watching import Watcher

BOX = ("x0", "y0", "x1", "y1")
WHERE = (*BOX, "detection_probability")  # columns of a table: where a face is, and how surely it is one


@dataclass(frozen=True)
class FacePrediction:
    """One face of a picture.

    Parameters
    ----------
    half : ``left`` or ``right`` of a side-by-side picture, else ``full``.
    box : x0, y0, x1, y1 in pixels of the picture.
    detection : MTCNN's probability that it is a face; NaN where nobody looked.
    answer : what is said of it.
    face_id : of a video, the number that a face keeps from frame to frame, from 1; else None.
    """

    half: str
    box: Box
    detection: float
    answer: Answer
    face_id: int | None = None

    @property
    def where(self) -> dict[str, float]:
        """The values of ``WHERE``."""
        return dict(zip(WHERE, (*self.box, float(self.detection)), strict=True))


class Predictor:
    """A trained network with the preparation of faces before it, both as the network's card says.

    Parameters
    ----------
    model, device : as of ``Network``.

    Attributes
    ----------
    network : the network.
    aligner : makes the faces that it reads.
    spent_s : seconds by what they were spent on: ``detect`` (finding and aligning faces) and ``network``.

    Raises
    ------
    ArtifactError : as ``Network``.
    """

    def __init__(self, model: Artifact | Path, device: str = "cpu"):
        self.network = Network(Path(model) if isinstance(model, str) else model, device)
        self.aligner, self._device = FaceAligner(self.network.preparation, device), device
        self.spent_s: Counter[str] = Counter()

    def __call__(self, picture: Path | str | np.ndarray | Image.Image) -> Result:
        """What the network says of every face of a picture: a file, or pixels, uint8, shape (height, width, 3), RGB.

        Raises
        ------
        DataError : it cannot be read.
        """
        if isinstance(picture, (str, Path)):
            return replace(self._of_file(Path(picture)), source=os.fspath(picture))
        image = streams.pixels(picture)
        return self._result(image, self.look(image))

    def stream(
        self,
        source: Path | str | int,
        stride: int = 1,
        start: float = 0,
        end: float = 0,
        detect_every: int = 1,
    ) -> Iterator[Result]:
        """A result for each picture and frame, as of ``streams.results``; ``detect_every`` as of ``PredictConfig``."""

        def watch() -> Callable[[np.ndarray], Result]:
            watcher = Watcher(self, detect_every)
            return lambda image: self._result(image, watcher.look(image))

        return streams.results(source, self._of_file, watch, stride, start, end)

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
        with spent_on("detect", self.spent_s):
            image, faces = self.aligner.faces(path)
        return image, self.answered(image, faces)

    def look(self, image: np.ndarray, near: Sequence[Sequence[float]] | None = None) -> list[FacePrediction]:
        """What the network says of every face of a frame, from left to right.

        Parameters
        ----------
        image : uint8, shape (height, width, 3), RGB.
        near : where faces were in the frame before, if only these are looked for, as of ``FaceAligner.frame``.
        """
        with spent_on("detect", self.spent_s):
            faces = self.aligner.frame(Image.fromarray(image), near)
        return self.answered(image, faces)

    def twin(self) -> Predictor:
        """A predictor with the same network, for another thread: no two of them may look for faces with one aligner."""
        twin = copy(self)
        twin.aligner = FaceAligner(self.network.preparation, self._device)
        twin.spent_s = Counter()
        return twin

    def logits(self, faces: list[AlignedFace]) -> np.ndarray:
        """What the network answers to aligned faces: float32, shape (faces, C)."""
        return self.read(faces)[0]

    def read(self, faces: list[AlignedFace]) -> tuple[np.ndarray, np.ndarray | None]:
        """What the network answers to aligned faces and how strange they are to it, as ``Network.read``."""
        size = self.network.preparation.face_size
        stacked = np.stack([face.rgb for face in faces]) if faces else np.empty((0, size, size, 3), np.uint8)
        with spent_on("network", self.spent_s):
            return self.network.read({"rgb": stacked})

    def answered(self, image: np.ndarray, faces: list[AlignedFace]) -> list[FacePrediction]:
        """What the network says of aligned faces of a picture, uint8, shape (height, width, 3)."""
        logits, scores = self.read(faces)
        answers = self.network.answers(logits, np.array([face.warp for face in faces]), scores)
        return [
            FacePrediction(face.half, _whole_pixels(face.box, image.shape), face.probability, answer)
            for face, answer in zip(faces, answers, strict=True)
        ]

    def _of_file(self, path: Path) -> Result:
        return self._result(*self.faces(path))

    def _result(self, image: np.ndarray, faces: Sequence[FacePrediction]) -> Result:
        return Result("", image, tuple(faces), reason="" if faces else none_of(self.network.task))


def _whole_pixels(box: np.ndarray, shape: tuple[int, ...]) -> Box:
    """A box in whole pixels, cut at the edges of a picture of this shape."""
    height, width = shape[:2]
    x0, y0, x1, y1 = np.clip(np.round(box).astype(int), 0, [width, height, width, height])
    return int(x0), int(y0), int(x1), int(y1)
