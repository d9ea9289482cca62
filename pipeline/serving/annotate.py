"""What was predicted, drawn into the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pipeline.inputs.images import Box
    from pipeline.serving.predictor import FacePrediction

# One colour a class, in turn; each is dark enough for white letters and told from its neighbours without red or green.
PALETTE = ("#0069a8", "#c14f0b", "#00805e", "#9d4a80", "#7d6300", "#6e6e6e", "#3f3fa0", "#8c2d2d")
STRIP = "#303030"  # behind what is not called
PAD = 4  # pixels around a text


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


def annotate_frame(image: np.ndarray, probabilities: Mapping[str, float], called: Sequence[str]) -> Image.Image:
    """The picture below a strip of all outputs with their probabilities, those that are called in colour.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB.
    probabilities : by output.
    called : the outputs that are.
    """
    frame = Image.fromarray(image)
    font = ImageFont.load_default(size=max(12, min(frame.size) / 26))
    texts = [f"{output.replace('_', ' ')} {p:.2f}" for output, p in probabilities.items()]
    widths, height = [round(font.getlength(text)) + 2 * PAD for text in texts], sum(font.getmetrics()) + 2 * PAD
    places = _in_lines(widths, height, frame.width)
    top = places[-1][1] + height
    picture = Image.new("RGB", (frame.width, top + frame.height), STRIP)
    picture.paste(frame, (0, top))
    pen = ImageDraw.Draw(picture)
    for number, (output, text, width, (x, y)) in enumerate(zip(probabilities, texts, widths, places, strict=True)):
        color = PALETTE[number % len(PALETTE)] if output in called else STRIP
        pen.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
        pen.text((x + PAD, y + PAD), text, font=font, fill="white")
    return picture


def _in_lines(widths: Sequence[int], height: int, most: int) -> list[tuple[int, int]]:
    """Where boxes stand, left and top, as many in a line as fit."""
    places, x, y = [], 0, 0
    for width in widths:
        if x and x + width > most:
            x, y = 0, y + height
        places.append((x, y))
        x += width
    return places


def _write(pen: ImageDraw.ImageDraw, text: str, box: Box, size: tuple[int, int], font, color: str) -> None:
    """Text on a ground of the box's colour, above the box or, without room there, inside its top."""
    _, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right + 2 * PAD, bottom - top + 2 * PAD
    x = max(0, min(box[0], size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    pen.rectangle((x, y, x + width, y + height), fill=color)
    pen.text((x + PAD, y + PAD - top), text, font=font, fill="white")
