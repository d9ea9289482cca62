"""Recognise what a task asks in a picture or a folder of pictures.

Writes ``predictions.csv``, a row per face, and ``annotated/``, the pictures with boxes and classes. A picture without a
face, or one that cannot be read, is a row with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import cards
from pipeline.artifacts.store import RECORD, Artifact
from pipeline.artifacts.suffixes import PICTURES
from pipeline.config import NO_TEACHER
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs.faces.card import Preparation

if TYPE_CHECKING:
    from pipeline.serving.predictor import FacePrediction, Predictor

BOX = ("x0", "y0", "x1", "y1")

log = logging.getLogger(__name__)


def run(source: Path, model: Path, out: Path, device: str = "auto") -> Path:
    """Predict every face of every picture.

    Parameters
    ----------
    source : a picture, or a folder of pictures.
    model : folder of a teacher or a student.
    out : folder of the results; made when missing.
    device : cpu, cuda, cuda:N, or auto.

    Returns
    -------
    The path of ``predictions.csv``.

    Raises
    ------
    DataError : the source is missing or holds no picture.
    ArtifactError : ``model`` is not a trained model.
    """
    import pandas as pd
    from tqdm import tqdm

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.serving.predictor import Predictor

    pictures = find_pictures(source, out)
    predictor = Predictor(model, devices.pick(device))
    log.info("predict: %s", model)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for path in tqdm(pictures, desc="predict", unit="picture", disable=None, leave=False):
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        rows.extend(_picture(predictor, path, name, out))
    probabilities = [f"prob_{output}" for output in predictor.outputs]
    columns = ["file", "half", "face", *BOX, "detection_probability", "class", *probabilities, "reason"]
    table = pd.DataFrame(rows, columns=columns).astype({name: "Int64" for name in ("face", *BOX)})
    arrays.write_table(out / "predictions.csv", table)
    count, words = table["class"].notna().sum(), predictor.task["samples"]
    log.info("%d %s in %d pictures, %d without a prediction", count, words, len(pictures), len(table) - count)
    return out / "predictions.csv"


def newest_student(cache: Path, task: str, version: int) -> Path | None:
    """The folder of the student that was made last, one with a teacher if there is; None when there is none.

    Parameters
    ----------
    cache : where to look: the cache of one dataset, or the folder of several.
    task : the name of the task that it must have learned.
    version : of the stage ``distill``; a student of another version is out of date.
    """
    students = []
    for record in [*cache.glob(f"*student-*/{RECORD}"), *cache.glob(f"*/*student-*/{RECORD}")]:
        try:
            artifact = Artifact.load(record.parent)
            made_by = artifact.record["stage"], artifact.record["version"]
            if made_by == ("distill", version) and artifact.config["task"]["name"] == task:
                Preparation.of_card(cards.read(artifact), artifact.path)
                students.append(artifact)
        except ArtifactError:
            continue  # damaged, or prepared by another version: the commands that make it say so
    students.sort(key=lambda student: (student.config["teacher"] != NO_TEACHER, student.record["made"]))
    return students[-1].path if students else None


def find_pictures(source: Path, out: Path) -> list[Path]:
    """The picture itself, or the pictures in a folder and below it, by name; earlier results are left out."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"There is no picture or folder {source}. Give one: make predict INPUT=/path/to/it")
    results = out.resolve()
    files = sorted(path for path in source.rglob("*") if path.is_file() and results not in path.resolve().parents)
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if not pictures:
        raise DataError(
            f"{source} holds {len(files)} files, none of them a picture ({', '.join(sorted(PICTURES))}). "
            "Give another folder: make predict INPUT=/path/to/it"
        )
    if len(files) > len(pictures):
        log.info("%d files of %s are no pictures by their names", len(files) - len(pictures), source)
    return pictures


def _picture(predictor: Predictor, path: Path, name: str, out: Path) -> Iterator[dict[str, Any]]:
    """The rows of one picture; its annotated copy is written on the way."""
    from pipeline.serving.annotate import annotate

    try:
        image, faces = predictor.faces(path)
    except DataError as error:
        yield {"file": name, "reason": str(error)}
        return
    copy = out / "annotated" / (name if path.suffix.lower() in (".jpg", ".jpeg") else f"{name}.jpg")
    copy.parent.mkdir(parents=True, exist_ok=True)
    annotate(image, faces).save(copy, "JPEG", quality=92)
    if not faces:
        yield {"file": name, "reason": f"no {predictor.task['sample']} found"}
    for number, face in enumerate(faces, 1):
        yield _row(name, number, face, predictor.outputs)


def _row(name: str, number: int, face: FacePrediction, outputs: list[str]) -> dict[str, Any]:
    box = dict(zip(BOX, face.box, strict=True))
    detected = {"file": name, "half": face.half, "face": number, **box, "detection_probability": face.detection}
    probabilities = {f"prob_{output}": value for output, value in zip(outputs, face.probabilities, strict=True)}
    return detected | {"class": face.label} | probabilities
