"""Recognise what a task asks in a picture or a folder of pictures, or in files of signals.

Writes ``predictions.csv``: a row per face, frame or window of a signal, with the class and its probability, each label,
the number in its own units, or where the points are in pixels of the picture. Beside it ``annotated/`` has the pictures
with what was recognised, and ``points/`` the points of each face in a ``.pts`` file. What has no face, or cannot be
read, is a row with the reason. A row is on disk as soon as its picture, or all of its subject, is done: whatever ends a
run, what it has predicted is there.
"""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.artifacts.locks import PARTIAL
from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.store import RECORD, Artifact
from pipeline.artifacts.suffixes import escaped
from pipeline.config import NO_TEACHER
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs import prepared

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from pipeline.serving.frames import FramePredictor
    from pipeline.serving.network import Network
    from pipeline.serving.pictures import Found, Picture
    from pipeline.serving.predictor import FacePrediction, Predictor
    from pipeline.tasks import Task

BOX = ("x0", "y0", "x1", "y1")
TABLE = "predictions.csv"
COPIES = "annotated"
POINTS = "points"
# What says nothing of one file: the others would fail as well, and so would the table.
HOPELESS = SURROUNDINGS | {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

log = logging.getLogger(__name__)


class Way(NamedTuple):
    """How files of a kind are predicted.

    Attributes
    ----------
    files : what they are called.
    find : of a source, and a folder that is left out: the files.
    begin : of a model's place, a device, the files and the folder of the results: the network, the columns before what
        it answers, and the rows, as many at once as are done together.
    """

    files: str
    find: Callable[[Path, Path], Found]
    begin: Callable[[Path, str, Found, Path], tuple[Network, tuple[str, ...], Iterator[list[dict[str, Any]]]]]


def run(source: Path, model: Path, out: Path, device: str = "auto", force: bool = False) -> Path:
    """Predict every face of every picture, every frame, or every window of every signal: what the model was trained on.

    Parameters
    ----------
    source : a picture or a file of signals, or a folder of such.
    model : folder of a teacher or a student, waited for while another process is making it, or an exported ONNX file.
    out : folder of the results; made when missing.
    device : cpu, cuda, cuda:N, or auto.
    force : whether the class or the labels of what is unlike the training inputs are written.

    Returns
    -------
    The path of ``predictions.csv``.

    Raises
    ------
    DataError : the source is missing or holds nothing that the model reads, or is among the results.
    ArtifactError : ``model`` is not a trained model.
    MissingDependencyError : it is a file, and what runs such is not installed.
    """
    from tqdm import tqdm

    from pipeline.artifacts import results, uses
    from pipeline.compute import devices
    from pipeline.serving import engines, place

    with uses.using(place.awaited(model, engines.EXPORTED)):
        card = engines.card_of(model)
        prepared.of_card(card, model)
        way = WAYS[card["prepare"]["kind"]]
        found = way.find(source, out)
        _check_apart(source, out)
        if found.others:
            log.info("%d files of %s are no %s by their names", found.others, source, way.files)
        network, columns, parts = way.begin(model, devices.pick(device), found, out)
        network.force = force
    log.info("predict: %s", model)
    answer = network.columns[-1]
    columns = [*columns, *network.columns, "reason"]
    predicted = without = strange = 0
    bar = tqdm(total=len(found.pictures), desc="predict", unit="file", disable=None, leave=False)
    with results.filling(out), results.Table(out / TABLE, columns) as table, bar:
        for rows in parts:
            for row in rows:
                table.add(row)
                predicted += answer in row
                without += answer not in row
                strange += row.get("in_domain") == 0
            bar.update(len({row["file"] for row in rows}))
    words, files = network.task["samples"], len(found.pictures)
    log.info("%d %s in %d %s, %d without a prediction", predicted, words, files, way.files, without)
    if strange:
        log.warning("%d of %d %s are not like the training %s: %s", strange, predicted, words, words, _said(network))
    return out / TABLE


def _said(network: Network) -> str:
    """What of an input that is unlike the training inputs is in the table."""
    if not network.decides:
        return "what is said of them is not to be relied on"
    what = "class is" if network.task["kind"] == "classify" else "labels are"
    return f"their {what} written all the same" if network.force else f"their {what} left out; FORCE=1 writes it"


def _find_pictures(source: Path, out: Path) -> Found:
    from pipeline.serving import pictures

    return pictures.find(source, out)


def _find_signals(source: Path, out: Path) -> Found:
    from pipeline.artifacts.suffixes import SIGNALS
    from pipeline.serving import pictures

    return pictures.find(source, out, SIGNALS, "file of signals")


def _begin_faces(model: Path, device: str, found: Found, out: Path):
    """A row for each face, the annotated copies, and the points where it answers with such."""
    from pipeline.serving.predictor import Predictor

    predictor = Predictor(model, device)
    names = {picture.name for picture in found.pictures}
    parts = (list(_rows(predictor, picture, out, names)) for picture in found.pictures)
    return predictor.network, ("file", "half", "face", *BOX, "detection_probability"), parts


def _begin_frames(model: Path, device: str, found: Found, out: Path):
    """A row for each frame, and the annotated copies."""
    from pipeline.serving.frames import FramePredictor

    predictor = FramePredictor(model, device)
    names = {picture.name for picture in found.pictures}
    parts = ([_frame_row(predictor, picture, out, names)] for picture in found.pictures)
    return predictor.network, ("file",), parts


def _begin_windows(model: Path, device: str, found: Found, out: Path):
    """A row for each window."""
    from pipeline.serving import windows
    from pipeline.serving.network import Network

    network = Network(model, device)
    return network, windows.COLUMNS, windows.rows(network, found)


# By the stage that prepared what a model reads.
WAYS = {
    "align": Way("pictures", _find_pictures, _begin_faces),
    "resize": Way("pictures", _find_pictures, _begin_frames),
    "window": Way("files of signals", _find_signals, _begin_windows),
}


def _check_apart(source: Path, out: Path) -> None:
    """Refuse to predict from results, and to lay copies over the pictures that they are of."""
    places = {(out / COPIES).resolve(), (out / POINTS).resolve()} | ({out.resolve()} if source.is_dir() else set())
    if places & {source.resolve(), *source.resolve().parents}:
        raise DataError(f"INPUT={source} lies among the results, OUT={out}. Choose another folder for these: OUT=")


def newest_student(cache: Path, task: Task, version: int) -> Path | None:
    """The folder of the student that was made last, one with a teacher if there is; None when there is none.

    Parameters
    ----------
    cache : where to look: the cache of one dataset, or the folder of several.
    task : that it must have learned, with the same outputs within the same bounds.
    version : of the stage ``distill``; a student of another version is out of date.
    """
    from pipeline.artifacts import cards  # builds its schemas, which no other command needs

    students = []
    for record in [*cache.glob(f"*student-*/{RECORD}"), *cache.glob(f"*/*student-*/{RECORD}")]:
        if record.parent.name.endswith(PARTIAL):
            continue  # it is being finished at this moment, or whoever did was killed
        try:
            artifact = Artifact.load(record.parent)
            made_by, learned = (artifact.record["stage"], artifact.record["version"]), artifact.config["task"]
            question = (learned["name"], tuple(learned["outputs"]), tuple(learned.get("bounds", ())))
            same = question == (task.name, task.outputs, task.bounds)
            if made_by == ("distill", version) and same:
                prepared.of_card(cards.read(artifact), artifact.path)
                students.append(artifact)
        except ArtifactError:
            continue  # damaged, or prepared by another version: the commands that make it say so
    students.sort(key=lambda student: (student.config["teacher"] != NO_TEACHER, student.record["made"]))
    return students[-1].path if students else None


def _rows(predictor: Predictor, picture: Picture, out: Path, names: set[str]) -> Iterator[dict[str, Any]]:
    """The rows of one picture; its annotated copy and the points of its faces are written on the way."""
    from pipeline.serving.annotate import annotate

    file = {"file": picture.shown}
    if picture.reason:
        yield file | {"reason": picture.reason}
        return
    try:
        image, faces = predictor.faces(picture.path)
    except DataError as error:
        yield file | {"reason": str(error)}
        return
    reason = _copied(annotate(image, faces), picture, out, names)
    if not faces:
        nothing = f"no {predictor.network.task['sample']} found"
        yield file | {"reason": _joined(nothing, reason)}
    for number, face in enumerate(faces, 1):
        pointed = _pointed(face.answer.points, picture, number if len(faces) > 1 else None, out)
        yield file | {"reason": _joined(reason, pointed)} | _prediction(number, face)


def _frame_row(predictor: FramePredictor, picture: Picture, out: Path, names: set[str]) -> dict[str, Any]:
    """The row of one frame; its annotated copy is written on the way."""
    from pipeline.serving.annotate import annotate_frame

    file = {"file": picture.shown}
    if picture.reason:
        return file | {"reason": picture.reason}
    try:
        image, answer = predictor.frame(picture.path)
    except DataError as error:
        return file | {"reason": str(error)}
    drawn = annotate_frame(image, answer.marks)
    return file | {"reason": _copied(drawn, picture, out, names)} | answer.cells


def _copied(drawn: Image, picture: Picture, out: Path, names: set[str]) -> str:
    """Write the annotated copy of a picture. Returns what is to be said of it: why there is none, or its odd name."""
    from pipeline.serving.pictures import copy_name

    content = io.BytesIO()
    try:
        drawn.save(content, "JPEG", quality=92)
    except OSError as error:
        return f"no annotated copy: {error}"
    copy = copy_name(picture.name, names)
    fault = _save(content.getvalue(), out / COPIES / copy, out / f"{COPIES}.draft")
    return _told("annotated copy", copy, fault, copy in (picture.name, f"{picture.name}.jpg"))


def _pointed(points: np.ndarray, picture: Picture, face: int | None, out: Path) -> str:
    """Write the points of a face, if it has any. Returns what is to be said of their file, as of a copy."""
    from pipeline.inputs.datasets import pts
    from pipeline.serving.pictures import points_name

    if not len(points):
        return ""
    name = points_name(picture.name, face)
    fault = _save(pts.text_of(points).encode(), out / POINTS / name, out / f"{POINTS}.draft")
    return _told("points file", name, fault, name.startswith(picture.name))


def _told(what: str, name: str, fault: str, plain: bool) -> str:
    """What is to be said of a file: why there is none, or its name where that is not plain."""
    if fault:
        return f"no {what}: {fault}"
    return "" if plain else f"{what}: {escaped(name)}"


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _save(content: bytes, place: Path, draft: Path) -> str:
    """Write a file beside the table by one rename. Returns why there is none, or nothing.

    Raises
    ------
    OSError : none can be written here.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(place)
    except OSError as error:
        if error.errno in HOPELESS:
            raise
        return error.strerror or str(error)
    return ""


def _prediction(number: int, face: FacePrediction) -> dict[str, Any]:
    detected = {"half": face.half, "face": number, **dict(zip(BOX, face.box, strict=True))}
    return detected | {"detection_probability": float(face.detection)} | face.answer.cells
