"""What is predicted of each frame of a video and how it is drawn: each of its faces, or the frame as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from PIL import Image

from pipeline.serving.annotate import annotate, annotate_frame
from pipeline.serving.answers import Answer
from pipeline.serving.frames import FramePredictor
from pipeline.serving.network import Network
from pipeline.serving.predictor import BOX, FacePrediction, Predictor
from pipeline.serving.watching import Watcher

FACE = "face_id"
WHOLE = 1  # the number of what is the frame itself
STRANGE = np.array([2.0])  # a score that flags
Seen = TypeVar("Seen")


class Viewer(Protocol[Seen]):
    """Looks at the frames of one video after the other.

    Attributes
    ----------
    network : what answers.
    spent_s : seconds by what they were spent on.
    """

    network: Network

    @property
    def spent_s(self) -> Mapping[str, float]: ...

    def begin(self) -> None:
        """Begin with another video."""

    def look(self, image: np.ndarray) -> Sequence[Seen]:
        """What is seen in the next frame, uint8, shape (height, width, 3), RGB."""

    def said(self, one: Seen) -> tuple[int, dict[str, Any], Answer]:
        """Of one of these: the number that it keeps along the video, the cells that say where it is, the answer."""

    def remember(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """Take the rows of a frame, those with success, as seen by an earlier process. Returns their numbers."""

    def draw(self, image: np.ndarray, seen: Sequence[Seen]) -> Image.Image:
        """The frame with what was seen in it."""


class FaceViewer:
    """Sees the faces of each frame.

    Parameters
    ----------
    predictor : finds them and answers.
    every : as of ``Watcher``.
    """

    def __init__(self, predictor: Predictor, every: int):
        self._predictor, self._every, self.network = predictor, every, predictor.network
        self.begin()

    @property
    def spent_s(self) -> Counter[str]:
        """As of ``Viewer``."""
        return self._predictor.spent_s

    def begin(self) -> None:
        """As of ``Viewer``."""
        self._watcher = Watcher(self._predictor, self._every)

    def look(self, image: np.ndarray) -> list[FacePrediction]:
        """As of ``Viewer``."""
        return self._watcher.look(image)

    def said(self, one: FacePrediction) -> tuple[int, dict[str, Any], Answer]:
        """As of ``Viewer``."""
        return one.face_id, {FACE: one.face_id, **one.where}, one.answer

    def remember(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """As of ``Viewer``."""
        numbers = [int(row[FACE]) for row in rows]
        self._watcher.remember(numbers, [tuple(int(row[name]) for name in BOX) for row in rows])
        return numbers

    def draw(self, image: np.ndarray, seen: Sequence[FacePrediction]) -> Image.Image:
        """As of ``Viewer``."""
        return annotate(image, seen)


class FrameViewer:
    """Sees each frame as a whole.

    Parameters
    ----------
    predictor : answers.
    """

    def __init__(self, predictor: FramePredictor):
        self._predictor, self.network = predictor, predictor.network
        (flagged,) = self.network.answers(np.zeros((1, len(self.network.names)), np.float32), scores=STRANGE)
        self._most = flagged.marks

    @property
    def spent_s(self) -> Counter[str]:
        """As of ``Viewer``."""
        return self._predictor.spent_s

    def begin(self) -> None:
        """As of ``Viewer``: no frame depends on another."""

    def look(self, image: np.ndarray) -> list[Answer]:
        """As of ``Viewer``."""
        return [self._predictor.look(image)]

    def said(self, one: Answer) -> tuple[int, dict[str, Any], Answer]:
        """As of ``Viewer``."""
        return WHOLE, {}, one

    def remember(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """As of ``Viewer``."""
        return [WHOLE] * len(rows)

    def draw(self, image: np.ndarray, seen: Sequence[Answer]) -> Image.Image:
        """As of ``Viewer``; all frames of a video have room for the same marks."""
        (answer,) = seen
        return annotate_frame(image, answer.marks, self._most)
