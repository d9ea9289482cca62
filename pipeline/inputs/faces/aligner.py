"""The one way from a picture to aligned faces: read a region, find its face, warp it.

``align`` asks for the face of each region of the sample table, ``predict`` for every face of a picture. Both decode,
look and warp by the same lines: the face that ``align`` takes is the same for both, bit for bit on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.faces.boxes import overlap, same_face, side_by_side
from pipeline.inputs.faces.card import Preparation
from pipeline.inputs.faces.geometry import (
    centre_square,
    composed,
    in_shares,
    sample,
    similarity,
    squeezed,
    stretch,
    template,
)
from pipeline.inputs.images import Box, halves, load_reduced

if TYPE_CHECKING:
    from pipeline.inputs.faces.detector import Detection, Detector

Row = tuple[Path | Image.Image, Box]  # a picture, and the region's box in its full-size pixels
Map = Callable[[Callable, Iterable], Iterable]

# Group pictures hold small faces: those beside the main one are looked for down to this share of the shorter side.
OTHERS_MIN_FACE = 0.06
# Below this MTCNN finds more textures than faces: beside the main face such a one does not count.
SURE = 0.9
# A face that was just there is looked for in its box and this share of its sides around it, no smaller than this share
# of what is looked at.
AROUND, STILL = 0.5, 0.35


def layout(rows: int, size: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """The columns of ``inputs.h5`` but for the sample ids: shape and dtype by name.

    ``look`` is 1 for a face found at the first look, 2 or more at a finer one, 0 if none was found. Then ``detected``
    is 0, ``probability`` 0, boxes and landmarks are NaN, and the face is the region's centre. Where nobody looks
    (``ALIGN=none``, or boxes are given) ``detected`` is 1, the box is the region's or the one given, ``look`` is 0,
    probability and landmarks are NaN. ``warp`` leads from the picture's pixels to the face, see ``AlignedFace``.
    """
    return {
        "rgb": ((rows, size, size, 3), np.uint8),
        "detected": ((rows,), np.uint8),
        "look": ((rows,), np.uint8),
        "probability": ((rows,), np.float32),
        "boxes": ((rows, 4), np.float32),
        "landmarks": ((rows, 5, 2), np.float32),
        "warp": ((rows, 2, 3), np.float64),
    }


@dataclass(frozen=True)
class AlignedFace:
    """One face as the networks read it, and where it was found.

    Parameters
    ----------
    rgb : uint8, shape (size, size, 3).
    detected : whether it is a face; else ``rgb`` is the centre of a region without one.
    look : 1 for the first look, 2 … for finer ones, 0 where none was found or nobody looked.
    probability : MTCNN's that it is a face; 0 where none was found, NaN where nobody looked.
    box : float64 (x0, y0, x1, y1), full-size pixels of the picture; NaN without a face.
    landmarks : float64, shape (5, 2), full-size pixels of the picture; NaN without a face or where nobody looked.
    warp : float64, shape (2, 3), from full-size pixels of the picture to the face, whose edges are at -0.5 and 0.5.
    half : ``left``, ``right`` or ``full``: the region of the picture.
    """

    rgb: np.ndarray
    detected: bool
    look: int
    probability: float
    box: np.ndarray
    landmarks: np.ndarray
    warp: np.ndarray
    half: str = ""


@dataclass(frozen=True)
class Region:
    """Part of a picture, full-size pixels per pixel of it, and its corner's place in the full-size picture."""

    image: Image.Image
    scale: float
    corner: np.ndarray

    def of_picture(self, matrix: np.ndarray) -> np.ndarray:
        """A map from this part's pixels as one from the full-size picture's, both of shape (2, 3)."""
        return composed(matrix, np.column_stack([np.eye(2) / self.scale, -self.corner / self.scale]))


class FaceAligner:
    """Makes faces of one size from pictures.

    Parameters
    ----------
    preparation : the settings, from a config or from a network's card.
    device : where faces are looked for: ``cpu``, ``cuda`` or ``cuda:N``. Where nobody looks no detector is loaded.
    map : how reading and warping go over several rows; a thread pool's ``map`` beside a GPU.
    """

    def __init__(self, preparation: Preparation, device: str = "cpu", map: Map = map):
        self._preparation = preparation
        self._size, self._margin = preparation.face_size, preparation.margin
        self._map = map
        self._read = lru_cache(maxsize=2)(load_reduced)  # the halves of a picture follow each other
        self._device = device
        self._cpu = device == "cpu"
        self._looks = preparation.align != "none"

    @cached_property
    def _detector(self) -> Detector:
        from pipeline.inputs.faces.detector import Detector  # imports torch

        return Detector(self._device, self._preparation.min_face, self._preparation.fine_min_face_px, self._map)

    def align(self, rows: Sequence[Row], batch: int = 1, boxes: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Align the faces of some rows: of each region the most probable one, or the one in a box that is given.

        Parameters
        ----------
        rows : pictures and boxes.
        batch : rows that the network sees at once.
        boxes : float, shape (rows, 4), where each face is, full-size pixels of its picture, NaN where it has none; by
            default it is looked for.

        Returns
        -------
        The columns of ``layout``.

        Raises
        ------
        DataError : a picture cannot be read any more, or has become smaller than its region.
        """
        columns = {name: np.zeros(shape, dtype) for name, (shape, dtype) in layout(len(rows), self._size).items()}
        with self._at_work():
            for start in range(0, len(rows), batch):
                some = slice(start, start + batch)
                faces = self._main(rows[some]) if boxes is None else self._given(rows[some], boxes[some])
                for i, face in enumerate(faces, start):
                    columns["rgb"][i] = face.rgb
                    columns["detected"][i] = face.detected
                    columns["look"][i] = face.look
                    columns["probability"][i] = face.probability
                    columns["boxes"][i] = face.box
                    columns["landmarks"][i] = face.landmarks
                    columns["warp"][i] = face.warp
        return columns

    def faces(self, path: Path) -> tuple[np.ndarray, list[AlignedFace]]:
        """A picture and every face of it, by halves and from left to right.

        The picture is cut as the index cuts it: at its divider, or, without one, where two faces of like size stand
        side by side. In each part the main face is the very one that ``align`` takes. Smaller ones, down to
        ``OTHERS_MIN_FACE``, are looked for once more and count when they are ``SURE``; where such are found and the
        main one is not sure and not found again, it is left out.

        Returns
        -------
        image : uint8, shape (height, width, 3), at full size.
        faces : empty when there is none.

        Raises
        ------
        DataError : the picture cannot be read.
        """
        with self._at_work():
            image = np.asarray(self._read(path, 1)[0])
            faces = self._every(path, halves(image))
            sure = [face.box for face in faces if face.probability >= SURE]
            if {face.half for face in faces} == {"full"} and side_by_side(sure, image.shape[1]):
                faces = self._every(path, halves(image, always=True))
        return image, faces

    def frame(self, image: Image.Image, near: Sequence[Sequence[float]] | None = None) -> list[AlignedFace]:
        """Every face of a frame of a video, as ``faces`` finds those of a picture that is not cut.

        Parameters
        ----------
        image : the frame.
        near : boxes of faces of the frame before, in pixels: nowhere but around these is looked, which is many times
            faster, and at each at most one face is found.
        """
        with self._at_work():
            if near is None or not self._looks:
                return self._every(image, [("full", (0, 0, *image.size))])
            faces: list[AlignedFace] = []
            for box in near:
                face = self._still(image, np.asarray(box, float))
                if face and not any(same_face(face.box, other.box) for other in faces):
                    faces.append(face)
            return sorted(faces, key=lambda face: face.box[0])

    def _still(self, image: Image.Image, box: np.ndarray) -> AlignedFace | None:
        """The face that a frame has around a box, if any; of several the one that overlaps it most."""
        reach = AROUND * max(box[2] - box[0], box[3] - box[1])
        left, top = np.maximum(np.floor(box[:2] - reach), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(box[2:] + reach), image.size).astype(int).tolist()
        if right - left < 12 or bottom - top < 12:
            return None
        region = Region(image.crop((left, top, right, bottom)), 1, np.array([left, top], float))
        ((detections, look),) = self._detector.detect_batch([region.image], 1, STILL)
        cut = [self._cut(region, face, look) for face in detections]
        near = [face for face in cut if overlap(face.box, box) > 0]
        return replace(max(near, key=lambda face: overlap(face.box, box)), half="full") if near else None

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Sums in one order on a CPU; no picture is remembered after the call, for it may change."""
        try:
            if self._looks and self._cpu:
                with one_thread():
                    yield
            else:
                yield
        finally:
            self._read.cache_clear()

    def _every(self, path: Path | Image.Image, regions: Sequence[tuple[str, Box]]) -> list[AlignedFace]:
        """The faces of each region, from left to right."""
        faces: list[AlignedFace] = []
        for half, box in regions:
            (main,) = self._main([(path, box)])
            if main.detected:
                listed = self._beside(main, (path, box))
                faces += [replace(face, half=half) for face in sorted(listed, key=lambda face: face.box[0])]
        return faces

    def _main(self, rows: Sequence[Row]) -> Iterator[AlignedFace]:
        """The most probable face of each row's region; its centre where there is none."""
        if not self._looks:
            yield from self._map(self._whole, rows)
            return
        yield from self._map(lambda item: self._cut(*item), self._find(rows))

    def _given(self, rows: Sequence[Row], boxes: np.ndarray) -> Iterator[AlignedFace]:
        """The face in the box of each row."""
        yield from self._map(lambda item: self._boxed(*item), zip(rows, boxes, strict=True))

    def _beside(self, main: AlignedFace, row: Row) -> list[AlignedFace]:
        """The main face of a region and the others, each aligned from as many pixels as it has.

        A main face that is not sure and that the closer look does not find again, but others, was a texture.
        """
        if not self._looks:
            return [main]
        looks = 1 if main.probability >= SURE else None
        region = self._region(row, self._reduction(row[1], OTHERS_MIN_FACE))
        ((detections, look),) = self._detector.detect_batch([region.image], looks, OTHERS_MIN_FACE)
        sure = [self._cut(region, face, look) for face in detections if face.probability >= SURE]
        others = [face for face in sure if not same_face(face.box, main.box)]
        texture = main.probability < SURE and sure and len(sure) == len(others)
        return others if texture else [main, *others]

    def _find(self, rows: Sequence[Row]) -> list[tuple[Region, Detection | None, int]]:
        """Each row's region, its most probable face and the look that found it."""
        regions = list(self._map(lambda row: self._region(row, self._reduction(row[1])), rows))
        small = [i for i, region in enumerate(regions) if region.scale > 1]
        answers: dict[int, tuple[list[Detection], int]] = dict(
            zip(small, self._detector.detect_batch([regions[i].image for i in small], looks=1), strict=True)
        )
        rest = [i for i in range(len(rows)) if i not in answers or not answers[i][0]]
        for i in small:
            if i in rest:
                regions[i] = self._region(rows[i])
        answers |= dict(zip(rest, self._detector.detect_batch([regions[i].image for i in rest]), strict=True))
        return [(region, next(iter(answers[i][0]), None), answers[i][1]) for i, region in enumerate(regions)]

    def _reduction(self, box: Box, smallest: float | None = None) -> int:
        """How many times smaller a region may be decoded so that nothing is lost.

        Its smallest face, as a share of the shorter side, then still has the resolution of an aligned face; where
        nobody looks, the region has that of the result.
        """
        shorter = min(box[2] - box[0], box[3] - box[1])
        if not self._looks:
            return int(shorter / self._size) or 1
        enough = self._size / (1 + 2 * self._margin) / (smallest or self._preparation.min_face)
        return int(shorter / enough) or 1

    def _region(self, row: Row, most: int = 1) -> Region:
        """A row's pixels, from a picture decoded at most ``most`` times smaller."""
        path, (x0, y0, x1, y1) = row
        picture, scale, (full_width, full_height) = self._decoded(path, most)
        if x1 > full_width or y1 > full_height:
            raise DataError(
                f"{path} has {full_width} x {full_height} pixels, its region reaches to {x1} x {y1}: it was changed "
                "since it was indexed. Run the command again."
            )
        width, height = picture.size
        # Inwards, so that no pixel mixes in what is beyond the region.
        left, top = int(np.ceil(x0 / scale)), int(np.ceil(y0 / scale))
        right, bottom = min(int(x1 / scale), width), min(int(y1 / scale), height)
        return Region(picture.crop((left, top, right, bottom)), scale, np.array([left, top]) * scale)

    def _decoded(self, path: Path | Image.Image, most: int) -> tuple[Image.Image, float, tuple[int, int]]:
        if isinstance(path, Image.Image):
            return path, 1, path.size
        try:
            return self._read(path, most)
        except DataError as error:
            raise DataError(
                f"{path} could be read when it was indexed and cannot now: {error}. "
                "Restore it, or leave it out, and run the command again."
            ) from error

    def _cut(self, region: Region, face: Detection | None, look: int) -> AlignedFace:
        """The face of a region, or the region's centre, with what is known of it in the full-size picture's pixels."""
        if face is None:
            return self._centre(region, look)
        if self._preparation.box == "mtcnn":
            matrix = similarity(face.landmarks, template(self._size, self._margin))
        else:
            matrix = self._about(face.box)
        box = face.box * region.scale + np.tile(region.corner, 2)
        landmarks = face.landmarks * region.scale + region.corner
        return self._drawn(region, matrix, look=look, probability=face.probability, box=box, landmarks=landmarks)

    def _boxed(self, row: Row, box: np.ndarray) -> AlignedFace:
        """The face in a box that is given; the region's centre where there is none."""
        if np.isnan(box).any():
            return self._centre(self._region(row), 0)
        region = self._region(row, int(self._side(box) / self._size) or 1)
        matrix = self._about((box - np.tile(region.corner, 2)) / region.scale)
        return self._drawn(region, matrix, look=0, probability=np.nan, box=box, landmarks=np.full((5, 2), np.nan))

    def _about(self, box: np.ndarray) -> np.ndarray:
        """The map that makes a box, squared about its middle and with the margin, the whole face."""
        middle, zoom = (box[:2] + box[2:]) / 2, self._size / self._side(box)
        return np.column_stack([zoom * np.eye(2), self._size / 2 - zoom * middle])

    def _side(self, box: np.ndarray) -> float:
        """The side of the square about a box, with the margin."""
        return max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * self._margin)

    def _drawn(self, region: Region, matrix: np.ndarray, **found: Any) -> AlignedFace:
        """The face that a map from a region's pixels to the face's makes."""
        warp = region.of_picture(in_shares(matrix, self._size))
        return AlignedFace(sample(region.image, matrix, self._size), True, warp=warp, **found)

    def _centre(self, region: Region, look: int) -> AlignedFace:
        """The largest square around the middle of a region in which no face is."""
        nowhere, (rgb, warp) = np.full((5, 2), np.nan), centre_square(region.image, self._size)
        return AlignedFace(rgb, False, look, 0.0, np.full(4, np.nan), nowhere, region.of_picture(warp))

    def _whole(self, row: Row) -> AlignedFace:
        """A region that is a face already, resized as a whole: of a cropped face nothing may be cut off."""
        region = self._region(row, self._reduction(row[1]))
        nowhere, warp = np.full((5, 2), np.nan), region.of_picture(stretch(region.image))
        return AlignedFace(squeezed(region.image, self._size), True, 0, np.nan, np.array(row[1], float), nowhere, warp)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread, as fits one process for each core; it also keeps sums in one order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _cpu_aligner(preparation: Preparation) -> FaceAligner:
    """One network for each process, kept between blocks."""
    return FaceAligner(preparation)


def align_block(
    block: slice, rows: Sequence[Row], preparation: Preparation, boxes: np.ndarray | None = None
) -> tuple[slice, dict[str, np.ndarray]]:
    """Align one block of rows on one core: the task of a worker process. Returns the block and its columns."""
    return block, _cpu_aligner(preparation).align(rows, boxes=boxes)
