"""A result for each picture and each frame of each video, one after the other, whatever is predicted of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.images import load
from pipeline.serving import sources

if TYPE_CHECKING:
    from pipeline.serving.answers import Answer
    from pipeline.serving.predictor import FacePrediction

NOWHERE = Path(os.devnull)


@dataclass(frozen=True)
class Result:
    """What was predicted of a picture or of a frame of a video.

    Parameters
    ----------
    source : its name; empty of pixels.
    image : uint8, shape (height, width, 3), RGB; None where it cannot be read.
    faces : from left to right in each half; empty without a face.
    answer : what is said of it as a whole, by a network that reads whole frames; else None.
    frame, timestamp_s : of a video, the number of the frame from 0 and its time in seconds.
    reason : why nothing is said of it; else empty.
    """

    source: str
    image: np.ndarray | None = field(repr=False)
    faces: tuple[FacePrediction, ...] = ()
    answer: Answer | None = None
    frame: int | None = None
    timestamp_s: float | None = None
    reason: str = ""


def pixels(picture: Path | str | np.ndarray | Image.Image) -> np.ndarray:
    """A picture, a file or pixels, as uint8, shape (height, width, 3), RGB.

    Raises
    ------
    DataError : it cannot be read, or is of another type or shape.
    """
    if isinstance(picture, (str, Path)):
        return load(Path(picture))
    image = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"expected a picture of uint8 and shape (height, width, 3), got {image.dtype} {image.shape}")
    return image


def results(
    source: Path | str | int,
    of_picture: Callable[[Path], Result],
    watch: Callable[[], Callable[[np.ndarray], Result]],
    stride: int = 1,
    start: float = 0,
    end: float = 0,
) -> Iterator[Result]:
    """A result for each picture, and for each frame of each video, one at a time: memory stays what it is.

    Parameters
    ----------
    source : as of ``sources.find``; of a camera its number.
    of_picture : what is predicted of a file.
    watch : begins with a video; what it gives predicts one frame after the other, uint8, shape (height, width, 3).
    stride, start, end : as of ``PredictConfig``.

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
                yield replace(of_picture(picture.path), source=picture.name)
                continue
            with Video(picture.path, picture.camera) as video:
                look, first = watch(), None
                for frame in video.frames(start, end):
                    first = frame.number if first is None else first
                    if (frame.number - first) % stride == 0:
                        found = look(frame.image)
                        yield replace(found, source=picture.name, frame=frame.number, timestamp_s=frame.time_s)
        except DataError as error:
            yield Result(picture.name, None, reason=str(error))
