"""The rows of a picture, one for each face or one for the whole, and what is written beside the table on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.artifacts import results
from pipeline.artifacts.suffixes import escaped
from pipeline.errors import DataError
from pipeline.inputs.datasets import pts
from pipeline.serving.annotate import annotate, annotate_frame
from pipeline.serving.answers import none_of
from pipeline.serving.pictures import Picture, copy_name, points_name

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from pipeline.serving.frames import FramePredictor
    from pipeline.serving.predictor import Predictor

COPIES = "annotated"
POINTS = "points"
Seen = TypeVar("Seen")


def of_faces(predictor: Predictor, picture: Picture, out: Path, names: set[str], drawn: bool) -> list[dict[str, Any]]:
    """A row for each face of a picture, or one with the reason why there is none.

    Parameters
    ----------
    out : folder of the results, in which the annotated copy and the points of its faces are written.
    names : of all pictures of the run, which copies are named by.
    drawn : whether there is an annotated copy.
    """
    try:
        image, faces = _seen(picture, predictor.faces)
    except DataError as error:
        return [{"file": picture.shown, "reason": str(error)}]
    reason = _copied(annotate(image, faces), picture, out, names) if drawn else ""
    if not faces:
        return [{"file": picture.shown, "reason": _joined(none_of(predictor.network.task), reason)}]
    rows = []
    for number, face in enumerate(faces, 1):
        pointed = _pointed(face.answer.points, picture, number if len(faces) > 1 else None, out)
        place = {"file": picture.shown, "half": face.half, "face": number, **face.where}
        rows.append(place | face.answer.cells | {"reason": _joined(reason, pointed)})
    return rows


def of_frame(
    predictor: FramePredictor, picture: Picture, out: Path, names: set[str], drawn: bool
) -> list[dict[str, Any]]:
    """The row of a picture that is read as a whole; parameters as of ``of_faces``."""
    try:
        image, answer = _seen(picture, predictor.frame)
    except DataError as error:
        return [{"file": picture.shown, "reason": str(error)}]
    reason = _copied(annotate_frame(image, answer.marks), picture, out, names) if drawn else ""
    return [{"file": picture.shown, "reason": reason} | answer.cells]


def _seen(picture: Picture, look: Callable[[Path], Seen]) -> Seen:
    if picture.reason:
        raise DataError(picture.reason)
    return look(picture.path)


def _copied(drawn: Image, picture: Picture, out: Path, names: set[str]) -> str:
    """Write the annotated copy of a picture. Returns what is to be said of it: why there is none, or its odd name."""
    content = io.BytesIO()
    try:
        drawn.save(content, "JPEG", quality=92)
    except OSError as error:
        return f"no annotated copy: {error}"
    copy = copy_name(picture.name, names)
    fault = results.save(content.getvalue(), out / COPIES / copy, out / f"{COPIES}.draft")
    return _told("annotated copy", copy, fault, copy in (picture.name, f"{picture.name}.jpg"))


def _pointed(points: np.ndarray, picture: Picture, face: int | None, out: Path) -> str:
    """Write the points of a face, if it has any. Returns what is to be said of their file, as of a copy."""
    if not len(points):
        return ""
    name = points_name(picture.name, face)
    fault = results.save(pts.text_of(points).encode(), out / POINTS / name, out / f"{POINTS}.draft")
    return _told("points file", name, fault, name.startswith(picture.name))


def _told(what: str, name: str, fault: str, plain: bool) -> str:
    """What is to be said of a file: why there is none, or its name where that is not plain."""
    if fault:
        return f"no {what}: {fault}"
    return "" if plain else f"{what}: {escaped(name)}"


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)
