"""Whether the halves of a pair of frames can be used, and together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.inputs.datasets.frames import of_half
from pipeline.inputs.images import Box, load
from pipeline.inputs.likeness import Likeness, likeness

COLUMNS = ("x0", "y0", "x1", "y1")
MIN_SIDE_PX = 24
MOST_SKEW = 0.02  # of two aspect ratios, relative
HALVES = {"rgb": "RGB frame", "ir": "IR frame"}  # by modality; the file itself is the first


def inspect(
    path: Path, companions: Mapping[str, Path], compared: bool = False
) -> tuple[dict[str, Box] | str, Likeness | None]:
    """The box of a pair's RGB frame, or the reason why the pair cannot be used; and what it is compared by.

    Parameters
    ----------
    path : the RGB frame. Both halves are decoded whole, so that a truncated file is found.
    companions : the other half, by its modality.
    compared : whether it is compared with the pairs of other sources, by its RGB frame.
    """
    frames: dict[str, np.ndarray] = {}
    for modality, file in {"rgb": path, **companions}.items():
        try:
            frames[modality] = load(file)
        except DataError as error:
            return of_half(HALVES[modality], str(error)), None
    if fault := _fault(frames):
        return fault, None
    height, width = frames["rgb"].shape[:2]
    return {"full": (0, 0, width, height)}, likeness(frames["rgb"]) if compared else None


def _fault(frames: Mapping[str, np.ndarray]) -> str:
    """Why decoded frames are no pair; empty if they are one."""
    sizes = {modality: frame.shape[1::-1] for modality, frame in frames.items()}
    shown = {modality: f"{HALVES[modality]}, {width} x {height} pixels" for modality, (width, height) in sizes.items()}
    for modality, size in sizes.items():
        if min(size) < MIN_SIDE_PX:
            return f"too small: {shown[modality]}, each needs {MIN_SIDE_PX} x {MIN_SIDE_PX}"
    aspects = [width / height for width, height in sizes.values()]
    if max(aspects) > (1 + MOST_SKEW) * min(aspects):
        return f"other aspect: {'; '.join(shown.values())}: they do not show the same scene"
    return ""
