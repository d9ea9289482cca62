"""The curve below an annotated video: the last seconds of what is answered of its faces or frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from pipeline.serving import colors
from pipeline.serving.annotate import PAD, font_of
from pipeline.serving.answers import shown

if TYPE_CHECKING:
    from pipeline.serving.network import Network

SECONDS = 10.0  # from the left edge to the right
SHARE = 5  # heights of the panel in the height of the picture
LEAST_HEIGHT = 48
GROUND, RULE, LETTERS = "white", "#d0d0d0", "#202020"
Entry = tuple[float, int, dict[str, float]]  # time, number of the face, numbers by column


@dataclass(frozen=True)
class Curve:
    """What is drawn: one column, a line for each face; or several of the first face or the frame, a line for each.

    Parameters
    ----------
    columns : of the table.
    names : of what they hold.
    bounds : the lowest and the highest value.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    bounds: tuple[float, float]


def of_network(network: Network) -> Curve | None:
    """The positive class, the number, or, of classes without a positive one and of labels, all; None of points."""
    task, kind, names = network.task, network.task["kind"], tuple(network.names)
    if kind == "points":
        return None
    if kind == "regress":
        low, high = task["bounds"]
        return Curve((f"value_{names[0]}",), names[:1], (low, high))
    if kind == "classify" and task.get("positive") in names:
        names = (task["positive"],)
    elif kind == "classify" and len(names) == 2:
        names = names[-1:]
    return Curve(tuple(f"prob_{name}" for name in names), names, (0.0, 1.0))


def below(picture: Image.Image, curve: Curve, entries: Iterable[Entry], now_s: float) -> Image.Image:
    """The picture with the panel below it; both have even heights, as video encoders want."""
    height = max(LEAST_HEIGHT, picture.height // SHARE)
    height += (picture.height + height) % 2
    whole = Image.new("RGB", (picture.width, picture.height + height), GROUND)
    whole.paste(picture, (0, 0))
    whole.paste(panel(curve, entries, now_s, (picture.width, height)), (0, picture.height))
    return whole


def panel(curve: Curve, entries: Iterable[Entry], now_s: float, size: tuple[int, int]) -> Image.Image:
    """The lines of the last seconds, the present at the right edge."""
    image = Image.new("RGB", size, GROUND)
    pen = ImageDraw.Draw(image)
    width, height = size
    for share in (0.0, 0.5, 1.0):
        y = (1 - share) * (height - 1)
        pen.line((0, y, width, y), fill=RULE)
    lines = _lines(curve, [entry for entry in entries if entry[0] > now_s - SECONDS])
    low, high = curve.bounds
    for color, points in lines:
        times, values = np.array(points).T
        xs = (width - 1) * (1 - (now_s - times) / SECONDS)
        ys = (height - 1) * (1 - np.clip((values - low) / (high - low), 0, 1))
        places = list(zip(xs.tolist(), ys.tolist(), strict=True))
        if len(places) > 1:
            pen.line(places, fill=color, width=2)
        x, y = places[-1]
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=color)
    font = font_of(max(10, height / 5))
    clock = f"{now_s:.2f} s"
    pen.text((width - PAD, 1), clock, font=font, fill=LETTERS, anchor="ra")
    left, room = PAD, width - 2 * PAD - font.getlength(clock)
    for number, name in enumerate(curve.names):
        words = shown(name)
        if left + font.getlength(words) > room:
            break
        pen.text((left, 1), words, font=font, fill=colors.of_class(number) if len(curve.names) > 1 else LETTERS)
        left += font.getlength(f"{words}  ")
    return image


def _lines(curve: Curve, entries: Sequence[Entry]) -> list[tuple[str, list[tuple[float, float]]]]:
    """Colours and points, (time, value)."""
    faces = sorted({face for _, face, _ in entries})
    if len(curve.columns) > 1:
        faces = faces[:1]
    drawn = [(column, face) for face in faces for column in curve.columns]
    several = len(curve.columns) > 1
    return [
        (
            colors.of_class(curve.columns.index(column) if several else face - 1),
            [(time, numbers[column]) for time, number, numbers in entries if number == face],
        )
        for column, face in drawn
    ]
