"""What a visitor sent, held without a name: nothing of it is left when the process goes, however it ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from fastapi import UploadFile

from pipeline.errors import DataError
from pipeline.inputs import images
from pipeline.serving.app.refusals import Refusal
from pipeline.serving.video import Video

IN_MEMORY = 2**20  # bytes; what is larger lies in a file without a name, as it came
READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000 and AVIF are read"
MEGA = 1_000_000


class Held:
    """An upload that stays while somebody works with it, also after its request has ended.

    Parameters
    ----------
    descriptor : of a file, which this object owns from now on.

    Attributes
    ----------
    path : leads to it, for this process alone.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self.path = Path(f"/proc/self/fd/{descriptor}")

    @classmethod
    def of(cls, upload: UploadFile) -> Self:
        """An upload as the framework gives it; its bytes are not copied, unless they are few."""
        if upload.size > IN_MEMORY:
            return cls(os.dup(upload.file.fileno()))
        held = cls(os.memfd_create("upload"))
        upload.file.seek(0)
        with open(held._descriptor, "wb", closefd=False) as memory:
            memory.write(upload.file.read())
        return held

    def twin(self) -> Self:
        """The same upload for somebody else, who closes it on his own."""
        return type(self)(os.dup(self._descriptor))

    def close(self) -> None:
        """Let it go; once more is nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def check_picture(path: Path, megapixels: int) -> None:
    """Refuse what is no picture, or has too many pixels, before anything of it is decoded.

    Raises
    ------
    Refusal : 415 or 413.
    """
    try:
        width, height = images.size_of(path)
    except DataError as error:
        large = str(error).startswith("too large")
        raise Refusal(413, str(error)) if large else Refusal(415, f"That is no picture: {READABLE}") from error
    _check_pixels(width, height, megapixels)


def check_video(path: Path, megapixels: int, most_s: float) -> tuple[float, float]:
    """Refuse what is no video, is too long, or has too many pixels; of what is decoded, its first frame shows that.

    Returns
    -------
    rate_hz : frames a second, as it says.
    seconds : that it says to last; 0 where it does not.

    Raises
    ------
    Refusal : 415, 413 or 422.
    """
    try:
        with Video(path) as video:
            rate_hz, seconds = video.rate_hz, video.length / video.rate_hz
            _check_pixels(*video.size, megapixels)
            if seconds > most_s:
                raise Refusal(413, f"The video lasts {seconds:.0f} s, at most {most_s:g} s are taken")
            first = next(video.frames(), None)
    except DataError as error:
        raise Refusal(415, f"That is no video: {error}") from error
    if first is None:
        raise Refusal(422, "The video holds no frame")
    _check_pixels(*first.image.shape[1::-1], megapixels)
    return rate_hz, seconds


def _check_pixels(width: int, height: int, megapixels: int) -> None:
    if width * height > megapixels * MEGA:
        raise Refusal(413, f"It has {width} x {height} pixels, at most {megapixels} megapixels are taken")
