"""Faces from frame to frame: found everywhere every few frames, between them around where they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.inputs.images import Box
from pipeline.serving import tracking

if TYPE_CHECKING:
    from pipeline.serving.predictor import FacePrediction, Predictor

PATIENCE = 5  # looks for which a face that is not found is still looked for around where it was expected


class Watcher:
    """Follows the faces of one video.

    Parameters
    ----------
    predictor : finds faces and answers.
    every : looks from one that goes over the whole frame to the next; where no face is followed, each does.
    """

    def __init__(self, predictor: Predictor, every: int = 1):
        self._predictor, self._every = predictor, every
        self._tracks, self._looks = tracking.Tracks(), 0

    def look(self, image: np.ndarray) -> list[FacePrediction]:
        """The faces of the next frame, each with the number that it has in the video."""
        near = [track.ahead for track in self._tracks.alive if track.lost < PATIENCE]
        whole = self._looks % self._every == 0 or not near
        faces = self._predictor.look(image, None if whole else near)
        ids = tracking.assigned(self._tracks, [face.box for face in faces])
        self.remember(ids, [face.box for face in faces])
        return [replace(face, face_id=face_id) for face, face_id in zip(faces, ids, strict=True)]

    def remember(self, ids: Sequence[int], boxes: Sequence[Box]) -> None:
        """Take the faces of a frame as seen, by this look or by that of an earlier process."""
        self._tracks = tracking.seen(self._tracks, ids, boxes)
        self._looks += 1
