"""From a picture to its faces with their class: a trained network applied to pictures it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from pipeline import models
from pipeline.errors import ArtifactError
from pipeline.evaluation.predictions import POSITIVE
from pipeline.inputs.faces.detector import Detection, Detector, warp
from pipeline.inputs.images import Box, halves
from pipeline.inputs.views import image as views

# Group pictures hold small faces: look at once for all down to this share of the shorter side.
MIN_FACE = 0.06
# Below this MTCNN finds more textures than faces: such a one counts only where there is no other.
SURE = 0.9
COLORS = ((0, 105, 168), (193, 79, 11))  # no pain, pain


@dataclass(frozen=True)
class FacePrediction:
    """One face of a picture.

    Parameters
    ----------
    half : ``left`` or ``right`` of a side-by-side picture, else ``full``.
    box : x0, y0, x1, y1 in pixels of the picture.
    detection : MTCNN's probability that it is a face.
    probability : of pain.
    label : name of the more probable class.
    """

    half: str
    box: Box
    detection: float
    probability: float
    label: str


class Predictor:
    """A trained network with the face detector before it.

    Parameters
    ----------
    model : folder of a teacher or a student.
    device : ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ArtifactError : the folder holds no whole model, or its card lacks the alignment.
    """

    def __init__(self, model: Path, device: str):
        network, self._card = models.load_model(model)
        self._device = device
        self._network = network.to(device)
        if "alignment" not in self._card:
            raise ArtifactError(
                f"{model} does not say how its faces were aligned: model.json lacks alignment. Give the folder of a "
                "teacher or a student from the cache: make predict MODEL=cache/…/student-…"
            )
        self._spec = models.InputSpec(**self._card["input"])
        self._detector = Detector(device, min_face=MIN_FACE)

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self._card["classes"]

    def faces(self, image: np.ndarray) -> list[FacePrediction]:
        """All faces of a picture, from left to right in each half; empty when there is none.

        Parameters
        ----------
        image : uint8, shape (height, width, 3), RGB.
        """
        placed = [
            (half, region, face) for half, region, detections in self._detect(image) for face in _trusted(detections)
        ]
        chances = self._chances(image, [(region, face) for _, region, face in placed])
        return [
            FacePrediction(
                half=half,
                box=_in_picture(face.box, region, image.shape),
                detection=face.probability,
                probability=float(chance[POSITIVE]),
                label=self.classes[int(chance.argmax())],
            )
            for (half, region, face), chance in zip(placed, chances, strict=True)
        ]

    def _detect(self, image: np.ndarray) -> list[tuple[str, Box, list[Detection]]]:
        """The regions of a picture and the faces in each, in the region's pixels."""
        regions = halves(image)
        found = [self._detector.detect(_cut(image, box)) for _, box in regions]
        if len(regions) == 1 and side_by_side(found[0], image.shape[1]):
            regions = halves(image, always=True)
            found = [self._detector.detect(_cut(image, box)) for _, box in regions]
        return [(half, box, faces) for (half, box), faces in zip(regions, found, strict=True)]

    def _chances(self, image: np.ndarray, faces: list[tuple[Box, Detection]]) -> np.ndarray:
        """Probabilities of the classes, shape (faces, C)."""
        size, margin = self._card["alignment"]["face_size"], self._card["alignment"]["margin"]
        if not faces:
            return np.empty((0, len(self.classes)))
        aligned = np.stack([warp(_cut(image, region), face.landmarks, size, margin) for region, face in faces])
        batch = views.normalise(torch.from_numpy(aligned).to(self._device), self._spec)
        return models.logits(self._network, batch).double().softmax(dim=1).cpu().numpy()


def side_by_side(faces: list[Detection], width: int) -> bool:
    """Whether a picture without a divider holds one face in each half, of like size and at like height."""
    sure = [face for face in faces if face.probability >= SURE]
    if len(sure) != 2:
        return False
    left, right = sorted((face.box for face in sure), key=lambda box: box[0])
    heights = left[3] - left[1], right[3] - right[1]
    apart = left[2] <= 0.52 * width and right[0] >= 0.48 * width
    level = abs((left[1] + left[3]) - (right[1] + right[3])) / 2 <= 0.5 * min(heights)
    return bool(apart and level and max(heights) <= 1.5 * min(heights))


def annotate(image: np.ndarray, faces: list[FacePrediction], classes: list[str]) -> Image.Image:
    """The picture with every face's box and, on it, the class and the probability of pain."""
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 200))
    font = ImageFont.load_default(size=max(12, min(picture.size) / 26))
    for face in faces:
        color = COLORS[classes.index(face.label)]
        text = f"{face.label.replace('_', ' ')}  p(pain) {face.probability:.2f}"
        pen.rectangle(face.box, outline=color, width=line)
        _write(pen, text, face.box, picture.size, font, color)
    return picture


def _write(pen: ImageDraw.ImageDraw, text: str, box: Box, size: tuple[int, int], font, color) -> None:
    """Text on a ground of the box's colour, above the box or, without room there, inside its top."""
    pad = 4
    _, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right + 2 * pad, bottom - top + 2 * pad
    x = max(0, min(box[0], size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    pen.rectangle((x, y, x + width, y + height), fill=color)
    pen.text((x + pad, y + pad - top), text, font=font, fill="white")


def _trusted(faces: list[Detection]) -> list[Detection]:
    """The faces that are sure, from left to right; without any, the most probable one."""
    sure = [face for face in faces if face.probability >= SURE]
    return sorted(sure or faces[:1], key=lambda face: face.box[0])


def _cut(image: np.ndarray, box: Box) -> np.ndarray:
    return image[box[1] : box[3], box[0] : box[2]]


def _in_picture(box: np.ndarray, region: Box, shape: tuple[int, ...]) -> Box:
    """A box in pixels of its region as whole pixels of the picture, cut at the picture's edges."""
    x, y = region[:2]
    corners = np.round(box + [x, y, x, y]).astype(int)
    width, height = shape[1], shape[0]
    x0, y0, x1, y1 = np.clip(corners, 0, [width, height, width, height])
    return int(x0), int(y0), int(x1), int(y1)
