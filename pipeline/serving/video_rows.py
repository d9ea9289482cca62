"""The rows of a video: one for each frame and face, and one for each frame without; its annotated copy on the way."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.serving import curve
from pipeline.serving.annotate import annotate
from pipeline.serving.answers import none_of
from pipeline.serving.pictures import Picture
from pipeline.serving.smoothing import Recent
from pipeline.serving.video import Frame, Video
from pipeline.serving.video_copy import VideoCopy
from pipeline.serving.watching import Watcher
from pipeline.serving_config import PredictConfig

if TYPE_CHECKING:
    from pipeline.serving.network import Network
    from pipeline.serving.predictor import FacePrediction, Predictor

BOX = ("x0", "y0", "x1", "y1")
COLUMNS = ("frame", "timestamp_s", "success", "face_id")
SMOOTH = "smooth_"

log = logging.getLogger(__name__)


@dataclass
class Spent:
    """Where the time of videos went: frames, and seconds by what they were spent on."""

    frames: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=perf_counter)

    def told(self, more: Mapping[str, float]) -> str:
        """One line: frames, frames a second, and milliseconds of a frame by what they were spent on."""
        seconds, frames = perf_counter() - self.began, max(1, self.frames)
        parts = ", ".join(f"{name} {1000 * part / frames:.1f}" for name, part in {**self.seconds, **more}.items())
        rate = self.frames / seconds
        return f"{self.frames} frames of videos in {seconds:.1f} s, {rate:.1f} a second; ms a frame: {parts}"


def numeric(network: Network) -> tuple[str, ...]:
    """The columns of an answer that hold numbers: probabilities, numbers in units, places of points."""
    nothing = np.zeros((1, len(network.names)), np.float32)
    (answer,) = network.answers(nothing, np.eye(2, 3)[None])
    return tuple(name for name, value in answer.cells.items() if isinstance(value, float))


def smooth_columns(network: Network, config: PredictConfig) -> tuple[str, ...]:
    """The columns of means over time, if these are asked for."""
    return tuple(f"{SMOOTH}{name}" for name in numeric(network)) if config.smooth else ()


class VideoRows:
    """Predicts one video after the other.

    Parameters
    ----------
    predictor : finds faces and answers.
    config : the options.
    """

    def __init__(self, predictor: Predictor, config: PredictConfig):
        self._predictor, self._config = predictor, config
        self._numeric = numeric(predictor.network)
        self._curve = curve.of_network(predictor.network)
        self.spent = Spent()

    def rows(
        self,
        video: Picture,
        segments: Path | None = None,
        place: Path | None = None,
        earlier: Iterable[Mapping[str, str]] = (),
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows of each frame, then, of a video that is damaged or none, one with the reason.

        A frame is drawn after its rows were taken: what a segment shows is in the table.

        Parameters
        ----------
        video : the file or camera.
        segments, place : where parts of the annotated copy, and in the end it itself, lie; None: there is none.
        earlier : rows that an earlier process wrote, all of each of their frames: what comes is what comes after them.
        """
        if video.reason:
            yield [{"file": video.shown, "success": 0, "reason": video.reason}]
            return
        copy, ended = None, False
        try:
            with Video(video.path, video.camera) as opened:
                copy = VideoCopy(segments, opened.rate_hz / self._config.stride) if segments else None
                yield from self._frames(video, opened, copy, earlier)
            ended = True
        except DataError as error:
            yield [{"file": video.shown, "success": 0, "reason": str(error)}]
            ended = True
        finally:
            if copy:
                self._end(copy, place if ended else None)

    def _end(self, copy: VideoCopy, place: Path | None) -> None:
        """Join the copy, or only finish its segment for whoever goes on with it."""
        began = perf_counter()
        if place is None:
            with contextlib.suppress(OSError):
                copy.close()
            return
        try:
            copy.join(place)
        except OSError as error:
            copy.drop()
            log.warning("no annotated copy %s: %s", place, error.strerror or error)
        self.spent.seconds["copy"] += perf_counter() - began

    def _frames(
        self, video: Picture, opened: Video, copy: VideoCopy | None, earlier: Iterable[Mapping[str, str]]
    ) -> Iterator[list[dict[str, Any]]]:
        config, spent = self._config, self.spent.seconds
        watcher, recent = Watcher(self._predictor, config.detect_every), Recent(max(config.smooth, curve.SECONDS))
        first, after = self._remembered(earlier, watcher, recent)
        frames = opened.frames(config.start, config.end, after)
        while (frame := self._next(frames, video.camera)) is not None:
            first = frame.number if first is None else first
            if (frame.number - first) % config.stride:
                continue
            faces = watcher.look(frame.image)
            self.spent.frames += 1
            yield self._rows_of(video, frame, faces, recent)
            if copy:
                began = perf_counter()
                self._draw(copy, frame, faces, recent)
                spent["copy"] += perf_counter() - began

    def _next(self, frames: Iterator[Frame], camera: bool) -> Frame | None:
        began = perf_counter()
        try:
            return next(frames, None)
        except KeyboardInterrupt:
            if camera:  # which has no other end
                return None
            raise
        finally:
            self.spent.seconds["decode"] += perf_counter() - began

    def _rows_of(self, video: Picture, frame: Frame, faces: list[FacePrediction], recent: Recent):
        place = {"file": video.shown, "frame": frame.number, "timestamp_s": frame.time_s}
        if not faces:
            return [place | {"success": 0, "reason": none_of(self._predictor.network.task)}]
        rows = []
        for face in faces:
            cells = face.answer.cells
            recent.add(frame.time_s, face.face_id, {name: cells[name] for name in self._numeric})
            found = {"success": 1, "face_id": face.face_id, **dict(zip(BOX, face.box, strict=True))}
            rows.append(place | found | {"detection_probability": float(face.detection)} | cells)
            if self._config.smooth:
                means = recent.means(face.face_id, self._config.smooth)
                rows[-1] |= {f"{SMOOTH}{name}": mean for name, mean in means.items()}
        return rows

    def _draw(self, copy: VideoCopy, frame: Frame, faces: list[FacePrediction], recent: Recent) -> None:
        picture = annotate(frame.image, faces)
        if self._curve:
            picture = curve.below(picture, self._curve, recent.entries, frame.time_s)
        copy.write(np.asarray(picture), frame.number, frame.time_s)

    def _remembered(
        self, earlier: Iterable[Mapping[str, str]], watcher: Watcher, recent: Recent
    ) -> tuple[int | None, tuple[int, float] | None]:
        """Take up where an earlier process was. Returns its first frame's number, and its last one's with its time."""
        first = after = None
        for (number, time), rows in groupby(earlier, lambda row: (int(row["frame"]), float(row["timestamp_s"]))):
            faces = [row for row in rows if row["face_id"]]
            for row in faces:
                recent.add(time, int(row["face_id"]), {name: float(row[name]) for name in self._numeric})
            boxes = [tuple(int(row[name]) for name in BOX) for row in faces]
            watcher.remember([int(row["face_id"]) for row in faces], boxes)
            first = number if first is None else first
            after = (number, time)
        return first, after
