"""Which faces of a frame are those of the frames before: pure functions of boxes.

A face goes on as the one whose box, moved on as it moved before, it overlaps most; all faces of a frame are assigned
together by the Hungarian method. Source: Bewley et al. 2016, "Simple Online and Realtime Tracking", arXiv:1602.00763,
with a mean of the last steps in place of its Kalman filter. Boxes are (x0, y0, x1, y1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.inputs.faces.boxes import overlaps

LEAST_OVERLAP = 0.2  # intersection over union of a face with where it was expected
LOST = 30  # looks after which a face that comes back is a new one
INERTIA = 0.5  # share of the earlier movement in what is expected of the next


@dataclass(frozen=True)
class Track:
    """One face as it was last seen.

    Parameters
    ----------
    face_id : its number, from 1.
    box : where it was last seen.
    step : what is added to the box from one look to the next.
    lost : looks since then.
    """

    face_id: int
    box: tuple[float, ...]
    step: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    lost: int = 0

    @property
    def ahead(self) -> np.ndarray:
        """Where it is expected at the next look, float64, shape (4,). Its size is expected to stay."""
        middle = (np.array(self.step)[:2] + np.array(self.step)[2:]) / 2
        return np.array(self.box) + np.tile(middle, 2) * (self.lost + 1)


@dataclass(frozen=True)
class Tracks:
    """The faces that are followed, and the number that the next new one gets."""

    alive: tuple[Track, ...] = ()
    next_id: int = 1


def assigned(tracks: Tracks, boxes: Sequence[Sequence[float]]) -> list[int]:
    """The number of each face of a frame: that of a face which is followed, or a new one."""
    ids = [0] * len(boxes)
    if boxes and tracks.alive:
        shares = overlaps(np.stack([track.ahead for track in tracks.alive]), np.array(boxes, float))
        for row, column in zip(*linear_sum_assignment(-np.where(shares < LEAST_OVERLAP, 0, shares)), strict=True):
            if shares[row, column] >= LEAST_OVERLAP:
                ids[column] = tracks.alive[row].face_id
    new = iter(range(tracks.next_id, tracks.next_id + len(boxes)))
    return [face_id or next(new) for face_id in ids]


def seen(tracks: Tracks, ids: Sequence[int], boxes: Sequence[Sequence[float]], lost: int = LOST) -> Tracks:
    """The tracks after a look that showed these faces; one that was not seen for more than ``lost`` looks ends."""
    earlier = {track.face_id: track for track in tracks.alive}
    alive = [_moved(earlier.get(face_id), face_id, tuple(box)) for face_id, box in zip(ids, boxes, strict=True)]
    alive += [replace(track, lost=track.lost + 1) for face_id, track in earlier.items() if face_id not in ids]
    return Tracks(
        tuple(sorted((track for track in alive if track.lost <= lost), key=lambda track: track.face_id)),
        max([tracks.next_id, *(face_id + 1 for face_id in ids)]),
    )


def _moved(track: Track | None, face_id: int, box: tuple[float, ...]) -> Track:
    if track is None:
        return Track(face_id, box)
    step = (np.array(box) - track.box) / (track.lost + 1)
    mean = INERTIA * np.array(track.step) + (1 - INERTIA) * step
    return Track(face_id, box, tuple(mean.tolist()))
