"""The rows of a video, one for each frame and what is seen in it, and its annotated copy on the way."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.serving import curve
from pipeline.serving.answers import none_of
from pipeline.serving.pictures import Picture
from pipeline.serving.smoothing import Recent
from pipeline.serving.spending import Spent
from pipeline.serving.video import Frame, Video
from pipeline.serving.video_copy import VideoCopy
from pipeline.serving.viewers import Seen, Viewer
from pipeline.serving_config import PredictConfig

if TYPE_CHECKING:
    from pipeline.serving.network import Network

COLUMNS = ("frame", "timestamp_s", "success")
SMOOTH = "smooth_"

log = logging.getLogger(__name__)


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
    viewer : looks at its frames.
    config : the options.
    """

    def __init__(self, viewer: Viewer[Seen], config: PredictConfig):
        self._viewer, self._config = viewer, config
        self._numeric = numeric(viewer.network)
        self._curve = curve.of_network(viewer.network)
        self._spent = Spent()

    def told(self) -> str:
        """One line about the time that it took."""
        return self._spent.told(self._viewer.spent_s)

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
        self._spent.seconds["copy"] += perf_counter() - began

    def _frames(
        self, video: Picture, opened: Video, copy: VideoCopy | None, earlier: Iterable[Mapping[str, str]]
    ) -> Iterator[list[dict[str, Any]]]:
        config, spent, viewer = self._config, self._spent.seconds, self._viewer
        viewer.begin()
        recent = Recent(max(config.smooth, curve.SECONDS))
        first, after = self._remembered(earlier, recent)
        frames = opened.frames(config.start, config.end, after)
        while (frame := self._next(frames, video.camera)) is not None:
            first = frame.number if first is None else first
            if (frame.number - first) % config.stride:
                continue
            seen = viewer.look(frame.image)
            self._spent.frames += 1
            yield self._rows_of(video, frame, seen, recent)
            if copy:
                began = perf_counter()
                self._draw(copy, frame, seen, recent)
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
            self._spent.seconds["decode"] += perf_counter() - began

    def _rows_of(self, video: Picture, frame: Frame, seen: Sequence[Seen], recent: Recent) -> list[dict[str, Any]]:
        at = {"file": video.shown, "frame": frame.number, "timestamp_s": frame.time_s}
        if not seen:
            return [at | {"success": 0, "reason": none_of(self._viewer.network.task)}]
        rows = []
        for one in seen:
            number, place, answer = self._viewer.said(one)
            cells = answer.cells
            recent.add(frame.time_s, number, {name: cells[name] for name in self._numeric})
            rows.append(at | {"success": 1} | place | cells)
            if self._config.smooth:
                means = recent.means(number, self._config.smooth)
                rows[-1] |= {f"{SMOOTH}{name}": mean for name, mean in means.items()}
        return rows

    def _draw(self, copy: VideoCopy, frame: Frame, seen: Sequence[Seen], recent: Recent) -> None:
        picture = self._viewer.draw(frame.image, seen)
        if self._curve:
            picture = curve.below(picture, self._curve, recent.entries, frame.time_s)
        copy.write(np.asarray(picture), frame.number, frame.time_s)

    def _remembered(
        self, earlier: Iterable[Mapping[str, str]], recent: Recent
    ) -> tuple[int | None, tuple[int, float] | None]:
        """Take up where an earlier process was. Returns its first frame's number, and its last one's with its time."""
        first = after = None
        for (number, time), rows in groupby(earlier, lambda row: (int(row["frame"]), float(row["timestamp_s"]))):
            found = [row for row in rows if row["success"] == "1"]
            for seen, row in zip(self._viewer.remember(found), found, strict=True):
                recent.add(time, seen, {name: float(row[name]) for name in self._numeric})
            first = number if first is None else first
            after = (number, time)
        return first, after
