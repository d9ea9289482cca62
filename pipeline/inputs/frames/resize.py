"""The one way from a frame to what networks read: decode, filter, resize as a whole.

``resize`` makes the frames of a dataset, ``predict`` those that nobody has seen. Both do it by the same lines: the
frame that a network was trained on is the one that is predicted, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.frames import filters
from pipeline.inputs.frames.card import Preparation
from pipeline.inputs.frames.inspection import HALVES
from pipeline.inputs.images import Box, load

CHANNELS = {"rgb": 3, "ir": 1}
LEAST_STD = 1e-3  # of a modality in which nothing varies
FEW = 64  # frames: of fewer, starting another process would take longer than it saves

Row = tuple[Mapping[str, Path], Box]  # by modality a file, and the region of its first in pixels


def layout(rows: int, size: int, modalities: Sequence[str]) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The columns of ``inputs.h5`` but for the sample ids: shape and dtype by name."""
    return {name: ((rows, size, size, CHANNELS[name]), np.uint8) for name in modalities}


def prepared(image: np.ndarray, modality: str, preparation: Preparation, box: Box | None = None) -> np.ndarray:
    """One frame as networks read it.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB, also of an infrared frame, which becomes its luma.
    modality : ``rgb`` or ``ir``.
    box : the region that is shown, in pixels; by default all.

    Returns
    -------
    uint8, shape (S, S, channels of the modality).
    """
    if box is not None:
        image = image[box[1] : box[3], box[0] : box[2]]
    if CHANNELS[modality] == 1:
        image = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
    for step in filters.before(preparation.filters):
        image = step(image)
    image = _resized(image, preparation.frame_size)
    for step in filters.after(preparation.filters):
        image = step(image)
    return image


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """A picture at size x size: Pillow's bilinear filter widens with the reduction, so that nothing aliases."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.array(picture).reshape(size, size, -1)  # of its own: a picture's memory cannot be written


def block_of(block: slice, rows: Sequence[Row], preparation: Preparation) -> tuple[slice, dict[str, np.ndarray]]:
    """A block of an indexed dataset, for whichever process takes it.

    Raises
    ------
    DataError : a frame that was indexed cannot be read any more.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for files, box in rows:
        for modality, path in files.items():
            own = box if modality == next(iter(files)) else None
            columns.setdefault(modality, []).append(prepared(_indexed(path, modality), modality, preparation, own))
    return block, {modality: np.stack(made) for modality, made in columns.items()}


def _indexed(path: Path, modality: str) -> np.ndarray:
    try:
        return load(path)
    except DataError as error:
        raise DataError(
            f"{path}, the {HALVES[modality]} of a sample, could be read when it was indexed and cannot now: {error}. "
            "Restore it, or leave it out, and run the command again."
        ) from error


class Moments:
    """Sums of a column's pixels and of their squares, channel by channel, exact whatever the order of blocks."""

    def __init__(self) -> None:
        self._count, self._sums, self._squares = 0, np.zeros(1, np.int64), np.zeros(1, np.int64)

    def add(self, frames: np.ndarray) -> None:
        """Count a block, uint8 of shape (n, S, S, C)."""
        pixels = frames.reshape(-1, frames.shape[-1])
        # A histogram of each channel has both sums, and needs no copy of the pixels in another type.
        counts = np.stack([np.bincount(pixels[:, c], minlength=256) for c in range(pixels.shape[1])])  # (C, 256)
        levels = np.arange(256)
        self._count += len(pixels)
        self._sums = self._sums + counts @ levels
        self._squares = self._squares + counts @ levels**2

    def scale(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, in 0..1, the deviation ``LEAST_STD`` at least."""
        mean = self._sums.astype(np.float64) / self._count
        variance = self._squares.astype(np.float64) / self._count - mean**2
        std = np.maximum(np.sqrt(np.maximum(variance, 0)) / 255, LEAST_STD)
        return {"mean": (mean / 255).tolist(), "std": std.tolist()}
