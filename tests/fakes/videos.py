"""Small videos of faces that move, as cameras write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config import DEMO_DATA

GREY = (90, 100, 110)
PICTURES = sorted(DEMO_DATA.glob("*_NoPain_*.jpg"))


def face(number: int, size: int) -> Image.Image:
    """One face of the demo set, square."""
    with Image.open(PICTURES[number]) as pair:
        side = pair.height * 4 // 5
        return pair.crop((10, pair.height // 10, 10 + side, pair.height // 10 + side)).resize((size, size))


def moving(
    frames: int, paths: Iterable[tuple[Image.Image, Callable[[int], tuple[int, int] | None]]], size=(320, 180)
) -> list[np.ndarray]:
    """Frames with pictures whose corner is where their path says, nowhere if that is None; later ones lie above."""
    made = []
    for number in range(frames):
        canvas = Image.new("RGB", size, GREY)
        for picture, path in paths:
            if (corner := path(number)) is not None:
                canvas.paste(picture, corner)
        made.append(np.asarray(canvas))
    return made


def write(
    path: Path, frames: Iterable[np.ndarray], rate: int = 10, times: list[float] | None = None, **options: str
) -> Path:
    """A video of frames, of mp4 or what else the name says; at times of their own where these are given."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as output:
        stream = None
        for number, pixels in enumerate(frames):
            if stream is None:
                stream = output.add_stream("libx264", rate, options={"crf": "12", "preset": "ultrafast", "g": "5"})
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                clock = Fraction(1, rate) if path.suffix == ".avi" else Fraction(1, 1000)  # that has one rate
                stream.codec_context.time_base = clock
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round((times[number] if times else Fraction(number, rate)) / clock)
            frame.time_base = clock
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path
