"""Frames of a video file or a camera, decoded one after the other: memory does not grow with the length."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.artifacts.files import WrongKindError, open_regular
from pipeline.artifacts.suffixes import printable
from pipeline.errors import DataError, MissingDependencyError
from pipeline.inputs.images import MAX_PIXELS

if TYPE_CHECKING:
    from av import VideoFrame

INSTALL = "Videos and cameras need the package av (PyAV): pip install -e '.[video]' -c constraints.txt"
# What the names in VIDEOS hold. FFmpeg knows hundreds more, some of which open other files or the network.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,h264,hevc,m4v,mjpeg,gif"
RATE_HZ = 25.0  # of a video that does not say
EARLY_S = 1.0  # by which the last frame may come before the end that the file tells
MICROSECONDS = 6  # decimals of a time: what a table holds


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Parameters
    ----------
    number : of all frames of the video, from 0.
    time_s : seconds since its first frame, by its time stamp.
    image : uint8, shape (height, width, 3), RGB, upright as the video's rotation says.
    """

    number: int
    time_s: float
    image: np.ndarray


def library() -> Any:
    """PyAV.

    Raises
    ------
    MissingDependencyError : it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(INSTALL) from error
    av.logging.set_level(None)  # its own way to Python's logging waits for ever when threads that decode complain
    return av


class Video:
    """A video file or a camera that is being read.

    Parameters
    ----------
    path : the file, or the camera's device.
    camera : whether it is a camera's.

    Attributes
    ----------
    rate_hz : mean frames a second, as the file says.
    length : number of frames, as the file says or from its duration; 0 where nobody knows.
    size : width and height of its frames, as it says.

    Raises
    ------
    DataError : it is no video that can be read; the message is the reason alone.
    MissingDependencyError : PyAV is not installed.
    """

    def __init__(self, path: Path, camera: bool = False):
        self._path, self._camera = path, camera
        self._av = library()
        self._open()

    def _open(self) -> None:
        try:
            if self._camera:
                self._file = None
                self._container = self._av.open(os.fspath(self._path), format="v4l2")
            else:
                self._file = open_regular(self._path)
                self._container = self._av.open(self._file, options={"format_whitelist": FORMATS})
        except WrongKindError as error:
            raise DataError("not a file") from error
        except FileNotFoundError as error:
            raise DataError("missing: there is no such file") from error
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            self._shut()
            raise DataError(f"unreadable: {_words(error)}") from error
        if not self._container.streams.video:
            self.close()
            raise DataError("unreadable: it holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # whatever size a later frame has
        self.size = self._stream.codec_context.width, self._stream.codec_context.height
        self.rate_hz = float(self._stream.average_rate or self._stream.guessed_rate or RATE_HZ)
        seconds = (self._container.duration or 0) / self._av.time_base
        alone = len(self._container.streams) == 1  # sound may last longer
        self._lasts_s = seconds - 1 / self.rate_hz if alone and not self._camera else 0.0
        self.length = self._stream.frames or max(0, round(seconds * self.rate_hz))
        self._zero = (self._stream.start_time or 0) * (self._stream.time_base or 0) if not self._camera else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading."""
        self._container.close()
        self._shut()

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()

    def frames(self, start_s: float = 0, end_s: float = 0, after: tuple[int, float] | None = None) -> Iterator[Frame]:
        """The frames, in the order in which they are shown.

        Parameters
        ----------
        start_s, end_s : seconds; frames before the first, and from the last on, are left out. An end of 0 is none.
        after : number and time of a frame: only those after it.

        Raises
        ------
        DataError : after the last frame that can be decoded, that some cannot, or that there is none at all.
        """
        any_frame, time_s = False, 0.0
        for number, time_s, frame in self._numbered(start_s, after):
            any_frame = True
            if end_s and time_s >= end_s:
                return
            yield Frame(number, time_s, _upright(frame))
        if self._damaged:
            raise DataError(f"damaged: {self._damaged} of its packets cannot be decoded")
        if not any_frame and not after and not start_s:
            raise DataError("unreadable: it holds no frame")
        if any_frame and time_s < self._lasts_s - EARLY_S:
            raise DataError(f"damaged: it ends after {time_s:.1f} s, of {self._lasts_s:.1f} that it says to last")

    def _numbered(self, start_s: float, after: tuple[int, float] | None) -> Iterator[tuple[int, float, VideoFrame]]:
        """Frames with their numbers and times, from the first that is wanted on."""
        self._damaged = 0
        from_s = after[1] + 0.5 * 10**-MICROSECONDS if after else start_s
        number, timed = 0, self._timed()
        if from_s > 0 and not self._camera:
            first = after[0] + 1 if after else self._count_before(from_s)
            if first is not None and (there := self._sought(from_s)) is not None:
                number, timed = first, there
        for time_s, frame in timed:
            if time_s >= from_s:
                yield number, time_s, frame
            number += 1

    def _sought(self, from_s: float) -> Iterator[tuple[float, VideoFrame]] | None:
        """Times and frames from a time on, decoded from the key frame before it; None where nobody can go there."""
        place = round((from_s + float(self._zero)) / self._stream.time_base)
        try:
            self._container.seek(place, stream=self._stream)
            timed = self._timed()
            time_s, frame = next(timed, (0.0, None))
            if frame is not None and frame.pts is not None and time_s <= from_s:
                return self._rest(from_s, time_s, frame, timed)
        except (self._av.error.FFmpegError, ValueError):
            pass
        self.close()
        self._open()
        return None

    @staticmethod
    def _rest(from_s, time_s, frame, timed) -> Iterator[tuple[float, VideoFrame]]:
        if time_s >= from_s:
            yield time_s, frame
        yield from ((time, frame) for time, frame in timed if time >= from_s)

    def _count_before(self, from_s: float) -> int | None:
        """How many frames are shown before a time, by the time stamps alone; None where packets have none."""
        before, video = 0, type(self)(self._path)
        with video:
            try:
                for packet in video._container.demux(video._stream):
                    if not packet.size:
                        continue
                    if packet.pts is None or packet.dts is None:
                        return None
                    if float(packet.dts * packet.time_base - video._zero) >= from_s:
                        break
                    before += float(packet.pts * packet.time_base - video._zero) < from_s
            except (self._av.error.FFmpegError, ValueError):
                return None
        return before

    def _timed(self) -> Iterator[tuple[float, VideoFrame]]:
        """Every frame that can be decoded, with its time; one without a time stamp comes a frame after the last."""
        last = -1 / self.rate_hz
        for frame in self._decoded():
            if self._zero is None and frame.pts is not None:  # a camera counts from when the machine was started
                self._zero = frame.pts * frame.time_base
            stamped = frame.pts is not None and frame.time_base
            time_s = float(frame.pts * frame.time_base - self._zero) if stamped else last + 1 / self.rate_hz
            last = time_s
            yield round(time_s, MICROSECONDS), frame

    def _decoded(self) -> Iterator[VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except (self._av.error.InvalidDataError, ValueError):
                    self._damaged += 1
                    continue
                yield from frames
        except self._av.error.EOFError:
            pass
        except self._av.error.FFmpegError as error:
            logging.getLogger(__name__).debug("%s: %s", self._path, error)
            self._damaged += 1


def _upright(frame: VideoFrame) -> np.ndarray:
    """The pixels of a frame, turned as a phone says that it was held."""
    image = frame.to_ndarray(format="rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4  # counter-clockwise, as of numpy
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(text.splitlines()[0])
