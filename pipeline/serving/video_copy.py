"""The annotated copy of a video, encoded in segments that are joined in the end: a kill costs seconds."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.atomic import DRAFT, replacing
from pipeline.serving.video import library

CODECS = ("libx264", "mpeg4")  # the first that FFmpeg was built with
QUALITY = {"libx264": {"preset": "veryfast", "crf": "23", "bf": "0"}, "mpeg4": {"qscale": "4"}}
SEGMENT_S = 10.0
CLOCK = Fraction(1, 1000)  # Matroska's, which segments keep their places by
_SEGMENT = re.compile(r"(\d{9})-(\d{9})\.mkv")


class VideoCopy:
    """Writes frames into segments.

    Parameters
    ----------
    folder : of the segments, made when missing; what an earlier process finished there is kept.
    rate_hz : frames a second, as the encoder is told; each frame has its own time.
    segment_s : seconds of a segment; 0: ``SEGMENT_S``.
    """

    def __init__(self, folder: Path, rate_hz: float, segment_s: float = 0):
        self._folder, self._rate, self._seconds = (
            folder,
            Fraction(rate_hz).limit_denominator(1001),
            segment_s or SEGMENT_S,
        )
        self._output: Any = None
        self._size: tuple[int, int] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for draft in folder.glob(f"*{DRAFT}"):
            draft.unlink()

    @property
    def reached(self) -> int:
        """The number of the last frame in a finished segment; -1 without one."""
        segments = self._segments()
        return int(_SEGMENT.fullmatch(segments[-1].name)[2]) if segments else -1

    def write(self, picture: np.ndarray, number: int, time_s: float) -> None:
        """Add a frame.

        Parameters
        ----------
        picture : uint8, shape (height, width, 3), RGB; brought to the size of the first, of even sides.
        number, time_s : of the frame.
        """
        av = library()
        if self._output and time_s - self._began >= self._seconds:
            self.close()
        if not self._output:
            self._begin(picture, number, time_s)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(self._stream.width, self._stream.height, "yuv420p")
        frame.pts, frame.time_base = self._next(time_s), CLOCK
        self._last = number
        for packet in self._stream.encode(frame):
            self._output.mux(packet)

    def _begin(self, picture: np.ndarray, number: int, time_s: float) -> None:
        av = library()
        height, width = picture.shape[:2]
        self._size = self._size or (width + width % 2, height + height % 2)
        self._draft = self._folder / f"{number:09d}{DRAFT}"
        self._output = av.open(str(self._draft), "w", format="matroska")
        codec = next(name for name in CODECS if name in av.codecs_available)
        self._stream = self._output.add_stream(codec, self._rate, options=QUALITY[codec])
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = CLOCK
        self._first, self._began, self._pts = number, time_s, -1

    def _next(self, time_s: float) -> int:
        """The time of a frame on the clock, after that of the one before."""
        self._pts = max(self._pts + 1, round(time_s / CLOCK))
        return self._pts

    def close(self) -> None:
        """Finish the segment that is being written."""
        if not self._output:
            return
        for packet in self._stream.encode():
            self._output.mux(packet)
        self._output.close()
        self._output = None
        self._draft.rename(self._folder / f"{self._first:09d}-{self._last:09d}.mkv")

    def drop(self) -> None:
        """Remove all segments."""
        if self._output:
            self._output.close()
            self._output = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def join(self, place: Path) -> bool:
        """Make one file of the segments, without encoding again, and remove them. Returns whether there were any."""
        av = library()
        self.close()
        segments = self._segments()
        if segments:
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as draft, av.open(str(draft), "w", format="mp4") as output:
                stream, last = None, -1
                for segment in segments:
                    with av.open(str(segment)) as part:
                        stream = stream or output.add_stream_from_template(part.streams.video[0])
                        for packet in part.demux(part.streams.video[0]):
                            if packet.pts is None:
                                continue
                            packet.pts = last = max(last + 1, packet.pts)  # no frame is shown before another is coded
                            packet.dts, packet.stream = packet.pts, stream
                            output.mux(packet)
        self.drop()
        return bool(segments)

    def _segments(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.mkv") if _SEGMENT.fullmatch(path.name))
