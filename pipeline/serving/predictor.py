"""From a picture to its faces and what is asked of each: a trained network applied to pictures it has never seen."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from pipeline.artifacts.store import Artifact
from pipeline.errors import DataError
from pipeline.inputs.faces.aligner import AlignedFace, FaceAligner
from pipeline.inputs.images import Box
from pipeline.serving import sources
from pipeline.serving.answers import Answer, none_of
from pipeline.serving.network import Network
from pipeline.serving.watching import Watcher

NOWHERE = Path(os.devnull)


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


@dataclass(frozen=True)
class Result:
    """What was predicted of a picture or of a frame of a video.

    Parameters
    ----------
    source : its name; empty of pixels.
    image : uint8, shape (height, width, 3), RGB; None where it cannot be read.
    faces : from left to right in each half; empty without a face.
    frame, timestamp_s : of a video, the number of the frame from 0 and its time in seconds.
    reason : why there is no face; else empty.
    """

    source: str
    image: np.ndarray | None = field(repr=False)
    faces: tuple[FacePrediction, ...] = ()
    frame: int | None = None
    timestamp_s: float | None = None
    reason: str = ""


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
            image, faces = self.faces(Path(picture))
            return Result(os.fspath(picture), image, tuple(faces), reason=self._nothing(faces))
        image = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"expected a picture of uint8 and shape (height, width, 3), got {image.dtype} {image.shape}"
            )
        faces = self.look(image)
        return Result("", image, tuple(faces), reason=self._nothing(faces))

    def stream(
        self,
        source: Path | str | int,
        stride: int = 1,
        start: float = 0,
        end: float = 0,
        detect_every: int = 1,
    ) -> Iterator[Result]:
        """A result for each picture, and for each frame of each video, one at a time: memory stays what it is.

        Parameters
        ----------
        source : as of ``sources.find``; of a camera its number.
        stride, start, end, detect_every : as of ``PredictConfig``.

        Raises
        ------
        DataError : there is no such source. What cannot be read is a result with the reason.
        MissingDependencyError : it is a video or a camera, and PyAV is not installed.
        """
        from pipeline.serving.video import Video

        for picture in sources.find(Path(str(source)), NOWHERE).pictures:
            try:
                if picture.reason:
                    raise DataError(picture.reason)
                if not picture.moves:
                    image, faces = self.faces(picture.path)
                    yield Result(picture.name, image, tuple(faces), reason=self._nothing(faces))
                    continue
                with Video(picture.path, picture.camera) as video:
                    watcher, first = Watcher(self, detect_every), None
                    for frame in video.frames(start, end):
                        first = frame.number if first is None else first
                        if (frame.number - first) % stride == 0:
                            faces = watcher.look(frame.image)
                            place = (frame.number, frame.time_s, self._nothing(faces))
                            yield Result(picture.name, frame.image, tuple(faces), *place)
            except DataError as error:
                yield Result(picture.name, None, reason=str(error))

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
        with self._spent("detect"):
            image, faces = self.aligner.faces(path)
        return image, self.answered(image, faces)

    def look(self, image: np.ndarray, near: Sequence[Sequence[float]] | None = None) -> list[FacePrediction]:
        """What the network says of every face of a frame, from left to right.

        Parameters
        ----------
        image : uint8, shape (height, width, 3), RGB.
        near : where faces were in the frame before, if only these are looked for, as of ``FaceAligner.frame``.
        """
        with self._spent("detect"):
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
        with self._spent("network"):
            return self.network.read({"rgb": stacked})

    def answered(self, image: np.ndarray, faces: list[AlignedFace]) -> list[FacePrediction]:
        """What the network says of aligned faces of a picture, uint8, shape (height, width, 3)."""
        logits, scores = self.read(faces)
        answers = self.network.answers(logits, np.array([face.warp for face in faces]), scores)
        return [
            FacePrediction(face.half, _whole_pixels(face.box, image.shape), face.probability, answer)
            for face, answer in zip(faces, answers, strict=True)
        ]

    def _nothing(self, faces: Sequence[FacePrediction]) -> str:
        return "" if faces else none_of(self.network.task)

    @contextmanager
    def _spent(self, what: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.spent_s[what] += perf_counter() - began


def _whole_pixels(box: np.ndarray, shape: tuple[int, ...]) -> Box:
    """A box in whole pixels, cut at the edges of a picture of this shape."""
    height, width = shape[:2]
    x0, y0, x1, y1 = np.clip(np.round(box).astype(int), 0, [width, height, width, height])
    return int(x0), int(y0), int(x1), int(y1)
