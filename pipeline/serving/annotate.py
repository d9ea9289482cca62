"""What was predicted, drawn into the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import numpy as np

    from pipeline.inputs.images import Box
    from pipeline.serving.predictor import FacePrediction

# One colour a class, in turn; each is dark enough for white letters and told from its neighbours without red or green.
PALETTE = ("#0069a8", "#c14f0b", "#00805e", "#9d4a80", "#7d6300", "#6e6e6e", "#3f3fa0", "#8c2d2d")


def annotate(image: np.ndarray, faces: list[FacePrediction]) -> Image.Image:
    """The picture with every face's box and, on it, the most probable class with its probability.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 200))
    font = ImageFont.load_default(size=max(12, min(picture.size) / 26))
    for face in faces:
        color = PALETTE[face.number % len(PALETTE)]
        pen.rectangle(face.box, outline=color, width=line)
        text = f"{face.label.replace('_', ' ')} {face.probabilities[face.number]:.2f}"
        _write(pen, text, face.box, picture.size, font, color)
    return picture


def _write(pen: ImageDraw.ImageDraw, text: str, box: Box, size: tuple[int, int], font, color: str) -> None:
    """Text on a ground of the box's colour, above the box or, without room there, inside its top."""
    pad = 4
    _, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right + 2 * pad, bottom - top + 2 * pad
    x = max(0, min(box[0], size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    pen.rectangle((x, y, x + width, y + height), fill=color)
    pen.text((x + pad, y + pad - top), text, font=font, fill="white")
