"""From rows of the sample table to aligned faces: read the region, find its face, warp it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.faces.detector import Detection, Detector
from pipeline.inputs.faces.geometry import centre_crop, warp
from pipeline.inputs.images import Box, load_reduced

Row = tuple[str, Box]  # a picture's path relative to the dataset's folder, and the region's box
Map = Callable[[Callable, Iterable], Iterable]


def layout(rows: int, size: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """The columns of ``inputs.h5`` but for the sample ids: shape and dtype by name.

    ``look`` is 1 for a face found at the first look, 2 or more at a finer one, 0 if none was found. Then ``detected``
    is 0, ``probability`` 0, boxes and landmarks are NaN, and the image is the region's centre.
    """
    return {
        "rgb": ((rows, size, size, 3), np.uint8),
        "detected": ((rows,), np.uint8),
        "look": ((rows,), np.uint8),
        "probability": ((rows,), np.float32),
        "boxes": ((rows, 4), np.float32),
        "landmarks": ((rows, 5, 2), np.float32),
    }


@dataclass(frozen=True)
class Region:
    """Part of a picture, full-size pixels per pixel of it, and its corner's place in the full-size picture."""

    image: Image.Image
    scale: float
    corner: np.ndarray


class Aligner:
    """Aligns the faces of one dataset.

    Parameters
    ----------
    detector : finds the faces.
    folder : the dataset's.
    size, margin : as in ``geometry.template``.
    map : how reading and warping go over several rows; a thread pool's ``map`` beside a GPU.
    """

    def __init__(self, detector: Detector, folder: Path, size: int, margin: float, map: Map = map):
        self._detector = detector
        self._folder = folder
        self._size = size
        self._margin = margin
        self._map = map
        self._read = lru_cache(maxsize=1)(self._load)  # the halves of a picture follow each other
        # In a region of this shorter side, the first look's smallest face has the resolution of an aligned face.
        self._enough = size / (1 + 2 * margin) / detector.min_face

    def align(self, rows: Sequence[Row], batch: int = 1) -> dict[str, np.ndarray]:
        """Align the faces of some rows: of each region the most probable one.

        Parameters
        ----------
        rows : files and boxes.
        batch : rows that the network sees at once.

        Returns
        -------
        The columns of ``layout``.

        Raises
        ------
        DataError : a picture cannot be read any more, or has become smaller than its region.
        """
        columns = {name: np.zeros(shape, dtype) for name, (shape, dtype) in layout(len(rows), self._size).items()}
        for start in range(0, len(rows), batch):
            part = range(start, min(start + batch, len(rows)))
            found = self._find([rows[i] for i in part])
            faces = self._map(lambda item: self._cut(item[0], item[1]), found)
            for i, (region, face, look), image in zip(part, found, faces, strict=True):
                columns["rgb"][i] = image
                _fill(columns, i, region, face, look)
        return columns

    def _find(self, rows: Sequence[Row]) -> list[tuple[Region, Detection | None, int]]:
        """Each row's region, its most probable face and the look that found it."""
        regions = list(self._map(self._region, rows))
        small = [i for i, region in enumerate(regions) if region.scale > 1]
        found: dict[int, tuple[list[Detection], int]] = dict(
            zip(small, self._detector.detect_batch([regions[i].image for i in small], looks=1), strict=True)
        )
        rest = [i for i in range(len(rows)) if i not in found or not found[i][0]]
        for i in small:
            if i in rest:
                regions[i] = self._region(rows[i], most=1)
        found |= dict(zip(rest, self._detector.detect_batch([regions[i].image for i in rest]), strict=True))
        return [(region, next(iter(found[i][0]), None), found[i][1]) for i, region in enumerate(regions)]

    def _region(self, row: Row, most: int | None = None) -> Region:
        """A row's pixels, from a picture decoded at most ``most`` times smaller, or as small as loses nothing."""
        file, (x0, y0, x1, y1) = row
        if most is None:
            most = int(min(x1 - x0, y1 - y0) / self._enough) or 1
        picture, scale = self._read(file, most)
        width, height = picture.size
        if x1 > np.ceil(width * scale) or y1 > np.ceil(height * scale):
            raise DataError(
                f"{self._folder / file} has {width * scale:.0f} x {height * scale:.0f} pixels, its region reaches to "
                f"{x1} x {y1}: it was changed since it was indexed. Run the command again."
            )
        # Inwards, so that no pixel mixes in what is beyond the region.
        left, top = int(np.ceil(x0 / scale)), int(np.ceil(y0 / scale))
        right, bottom = min(int(x1 / scale), width), min(int(y1 / scale), height)
        return Region(picture.crop((left, top, right, bottom)), scale, np.array([left, top]) * scale)

    def _load(self, file: str, most: int) -> tuple[Image.Image, float]:
        try:
            return load_reduced(self._folder / file, most)
        except DataError as error:
            raise DataError(
                f"{self._folder / file} could be read when it was indexed and cannot now: {error}. "
                "Restore it, or leave it out, and run the command again."
            ) from error

    def _cut(self, region: Region, face: Detection | None) -> np.ndarray:
        if face is None:
            return centre_crop(region.image, self._size)
        return warp(region.image, face.landmarks, self._size, self._margin)


def _fill(columns: dict[str, np.ndarray], i: int, region: Region, face: Detection | None, look: int) -> None:
    """Write what is known of one face, in pixels of the full-size picture."""
    columns["look"][i] = look
    columns["detected"][i] = face is not None
    columns["probability"][i] = face.probability if face else 0
    columns["boxes"][i] = face.box * region.scale + np.tile(region.corner, 2) if face else np.nan
    columns["landmarks"][i] = face.landmarks * region.scale + region.corner if face else np.nan


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread, as fits one process for each core; it also keeps sums in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _cpu_detector(min_face: float, fine_min_face_px: int) -> Detector:
    """One network for each process, kept between blocks."""
    return Detector("cpu", min_face, fine_min_face_px)


def align_block(
    block: slice, rows: Sequence[Row], folder: Path, size: int, margin: float, min_face: float, fine_min_face_px: int
) -> tuple[slice, dict[str, np.ndarray]]:
    """Align one block of rows on one core: the task of a worker process. Returns the block and its columns."""
    with one_thread():
        aligner = Aligner(_cpu_detector(min_face, fine_min_face_px), folder, size, margin)
        return block, aligner.align(rows)
