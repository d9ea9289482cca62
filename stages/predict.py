"""Recognise the facial expression of pain in a picture or a folder of pictures.

Writes ``predictions.csv``, a row per face, and ``annotated/``, the pictures with boxes and classes. A picture without a
face, or one that cannot be read, is a row with the reason.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config import PredictConfig
    from pipeline.serving.predictor import FacePrediction, Predictor

log = logging.getLogger(__name__)

PICTURES = frozenset(
    [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"]
)
COLUMNS = ["file", "half", "face", "x0", "y0", "x1", "y1", "detection_probability", "class", "prob_pain", "reason"]


def run(config: PredictConfig, model: Path, out: Path) -> Path:
    """Predict every face of every picture.

    Parameters
    ----------
    model : folder of a teacher or a student.
    out : folder of the results; made when missing.

    Returns
    -------
    The path of ``predictions.csv``.

    Raises
    ------
    DataError : the input is missing or holds no picture.
    ArtifactError : ``model`` is not a trained model.
    """
    import pandas as pd
    from tqdm import tqdm

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.serving.predictor import Predictor

    source = Path(config.input)
    pictures = find_pictures(source, out)
    predictor = Predictor(model, devices.pick(config.device))
    log.info("predict: %s", model)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for path in tqdm(pictures, desc="predict", unit="picture", disable=None, leave=False):
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        rows.extend(_picture(predictor, path, name, out))
    table = pd.DataFrame(rows, columns=COLUMNS).astype({name: "Int64" for name in ("face", "x0", "y0", "x1", "y1")})
    arrays.write_table(out / "predictions.csv", table)
    faces = table["class"].notna()
    log.info("%d faces in %d pictures, %d without a prediction", faces.sum(), len(pictures), (~faces).sum())
    return out / "predictions.csv"


def find_pictures(source: Path, out: Path) -> list[Path]:
    """The picture itself, or the pictures in a folder and below it, by name; earlier results are left out."""
    from pipeline.errors import DataError

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
    from pipeline.errors import DataError
    from pipeline.inputs.images import load
    from pipeline.serving.predictor import annotate

    try:
        image = load(path)
    except DataError as error:
        yield {"file": name, "reason": str(error)}
        return
    faces = predictor.faces(image)
    copy = out / "annotated" / (name if path.suffix.lower() in (".jpg", ".jpeg") else f"{name}.jpg")
    copy.parent.mkdir(parents=True, exist_ok=True)
    annotate(image, faces, predictor.classes).save(copy, "JPEG", quality=92)
    if not faces:
        yield {"file": name, "reason": "no face found"}
    for number, face in enumerate(faces, 1):
        yield _row(name, number, face)


def _row(name: str, number: int, face: FacePrediction) -> dict[str, Any]:
    box = dict(zip(("x0", "y0", "x1", "y1"), face.box, strict=True))
    detected = {"file": name, "half": face.half, "face": number, **box, "detection_probability": face.detection}
    return detected | {"class": face.label, "prob_pain": face.probability}
