"""What was predicted, drawn into the picture."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from pipeline.serving.answers import Mark
from pipeline.serving.colors import POINT, STRIP, letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pipeline.inputs.images import Box
    from pipeline.serving.predictor import FacePrediction

PAD = 4  # pixels around a text
DOTS = 120  # radii of a dot in the width of a face


def annotate(image: np.ndarray, faces: Sequence[FacePrediction]) -> Image.Image:
    """The picture with every face's box and, on it, its most probable class or its numbers; or with its points.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 200))
    font = font_of(max(12, min(picture.size) / 26))
    for face in faces:
        title = _numbered(face) if len(faces) > 1 else face.answer.title
        if title:
            pen.rectangle(face.box, outline=title.color, width=line)
            _write(pen, title, face.box, picture.size, font)
        else:
            pen.rectangle(face.box, outline=POINT, width=line // 2)
        _dot(pen, face.answer.points, face.box, picture.size)
    return picture


@lru_cache(maxsize=8)
def font_of(size: float) -> ImageFont.FreeTypeFont:
    """The font of all that is written, loaded once: a video has thousands of frames."""
    return ImageFont.load_default(size=size)


def _numbered(face: FacePrediction) -> Mark | None:
    """What is written at one of several faces: of a video with its number."""
    title = face.answer.title
    return Mark(f"{face.face_id}: {title.text}", title.color) if title and face.face_id else title


def annotate_frame(image: np.ndarray, marks: Sequence[Mark], most: Sequence[Mark] = ()) -> Image.Image:
    """The picture below a strip of all outputs with what is answered of each, those that are called in colour.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB.
    marks : the outputs.
    most : of frames that shall have one height, the marks that need most room.
    """
    frame = Image.fromarray(image)
    font = font_of(max(12, min(frame.size) / 26))
    height = sum(font.getmetrics()) + 2 * PAD
    widths = [round(font.getlength(mark.text)) + 2 * PAD for mark in marks]
    places = _in_lines(widths, height, frame.width)
    room = _in_lines([round(font.getlength(mark.text)) + 2 * PAD for mark in most], height, frame.width)
    top = max(y for _, y in places + room) + height
    picture = Image.new("RGB", (frame.width, top + frame.height), STRIP)
    picture.paste(frame, (0, top))
    pen = ImageDraw.Draw(picture)
    for mark, width, (x, y) in zip(marks, widths, places, strict=True):
        ground = mark.color if mark.called else STRIP
        pen.rectangle((x, y, x + width - 1, y + height - 1), fill=ground)
        pen.text((x + PAD, y + PAD), mark.text, font=font, fill=letters(ground))
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


def _dot(pen: ImageDraw.ImageDraw, points: np.ndarray, box: Box, size: tuple[int, int]) -> None:
    """A dot at every point that is in the picture, small enough for the face that they are of."""
    radius = max(1, (box[2] - box[0]) / DOTS)
    for x, y in points[((points >= 0) & (points < size)).all(axis=1)] - 0.5:  # the pen counts from middles of pixels
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=POINT)


def _write(pen: ImageDraw.ImageDraw, mark: Mark, box: Box, size: tuple[int, int], font) -> None:
    """A text on a ground of its colour, above the box or, without room there, inside its top."""
    _, top, right, bottom = pen.textbbox((0, 0), mark.text, font=font)
    width, height = right + 2 * PAD, bottom - top + 2 * PAD
    x = max(0, min(box[0], size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    pen.rectangle((x, y, x + width, y + height), fill=mark.color)
    pen.text((x + PAD, y + PAD - top), mark.text, font=font, fill=letters(mark.color))
