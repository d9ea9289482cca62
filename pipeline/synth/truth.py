"""What is true of a rendered face, as a row of truth.csv, and its picture on disk: the same for every form of set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.synth.expressions import ACTION_UNITS, Expression
from pipeline.synth.geometry import Pose
from pipeline.synth.identity import Identity
from pipeline.synth.landmarks import five_points

PHENOTYPE_COLUMNS = ("gender", "age", "weight", "muscle", "african", "asian", "caucasian")


def person_columns(person: Identity) -> dict:
    """Who is shown."""
    return {
        "gender": person.gender,
        "age_group": person.age_group,
        "age": person.age,
        "ethnicity": person.ethnicity,
    }


def phenotype_columns(person: Identity) -> dict:
    """The shape model's parameters of the person."""
    return {f"phenotype_{name}": round(person.phenotype[name], 3) for name in PHENOTYPE_COLUMNS}


def face_columns(face: Expression, pose: Pose, points: np.ndarray, decimals: int) -> dict:
    """What the face does and where it is.

    Parameters
    ----------
    face : the expression shown; action units 0-5, on the stronger side.
    pose : the head against the camera, degrees.
    points : the 68 landmarks in pixels of the whole picture, float (68, 2).
    decimals : of the landmarks.
    """
    row: dict = {f"au{unit:02d}": face.units[unit] for unit in ACTION_UNITS}
    row |= {"asymmetry": face.asymmetry, "pspi": round(face.pspi, 3)}
    row |= {f"{name}_deg": round(getattr(pose, name), 2) for name in ("yaw", "pitch", "roll")}
    for prefix, group in (("l5", five_points(points)), ("l68", points)):
        for number, (x, y) in enumerate(group):
            row |= {
                f"{prefix}_{number}_x": round(float(x), decimals),
                f"{prefix}_{number}_y": round(float(y), decimals),
            }
    return row


def save_picture(picture: np.ndarray, path: Path, quality: int) -> None:
    """Write a JPEG in one step, so that a picture that is there is complete; its folder is made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    Image.fromarray(picture).save(partial, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    partial.replace(path)
