"""Finding faces and their five landmarks with MTCNN.

Source: Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
arXiv:1604.02878, in facenet-pytorch's implementation with its weights. Two departures:

- Looks go from coarse to fine and stop at the first that finds a face, each on a copy reduced to what its smallest face
  needs. Most of the cascade's time goes into faces far smaller than those that a picture of one person holds.
- Landmarks are refined. The cascade's last network is very sensitive to the crop it sees: the same face at another size
  moves its answer by several percent of the distance between the eyes. It is therefore asked again, in crops that
  its own landmarks place upright, mirrored too and in the end at two sizes, until the answer reproduces itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image
from torch.nn.functional import avg_pool2d, grid_sample

from pipeline.inputs.faces.geometry import (
    Picture,
    as_image,
    invert,
    sample,
    similarity,
    transform,
)

# A face of this many pixels is enough to be found; the landmarks are refined on the image itself.
SEARCHED_FACE_PX = 32

# Between levels of the pyramid, and how sure each network of the cascade must be. The first look is the easy case and
# has fewer levels and candidates than MTCNN's own values give, which search for what it missed.
FIRST_LOOK = 0.6, [0.7, 0.7, 0.7]
LATER_LOOKS = 0.709, [0.6, 0.7, 0.7]

# The finest look is not below this share of the longer side: the time grows with the square of its inverse.
FINEST_SHARE = 1 / 200

# Where the last network expects the landmarks in its input, as shares of its side.
EXPECTED = np.array([[0.31, 0.36], [0.69, 0.36], [0.5, 0.58], [0.34, 0.75], [0.66, 0.75]])
INPUT_PX = 48

# The sizes of the crops of each round; each is seen mirrored too. The first round only places the second.
ROUNDS = ((1.0,), (0.9, 1.1))
MIRRORED = [1, 0, 2, 4, 3]

# The pixels' middles in the input, twice as dense: each is the mean of four samples. Rows of (x, y, 1).
_middles = ((np.arange(2 * INPUT_PX) + 0.5) / (2 * INPUT_PX)).astype(np.float32)
INPUT_GRID = np.stack([*np.meshgrid(_middles, _middles), np.ones((2 * INPUT_PX,) * 2, np.float32)], -1).reshape(-1, 3)

# The refinement's working copy is an upright square with this many times the input's extent, at twice its resolution.
PATCH_REACH = 1.5
PATCH_PX = 144

# Refined landmarks further than this (in distances between the eyes) from the found ones are another thing.
FARTHEST = 0.5

Map = Callable[[Callable, Iterable], Iterable]


@dataclass(frozen=True)
class Detection:
    """One face: ``box`` (x0, y0, x1, y1) and ``landmarks`` (5, 2), float64 pixels of the image; ``probability``."""

    box: np.ndarray
    probability: float
    landmarks: np.ndarray


class Detector:
    """MTCNN on one device.

    Parameters
    ----------
    device : ``cpu``, ``cuda`` or ``cuda:N``.
    min_face : the first look's smallest face, as a share of the image's shorter side.
    fine_min_face_px : the last look's smallest face in pixels; each look between halves the size.
    map : how the parts that run on the CPU go over several images; a thread pool's ``map`` if the network is elsewhere.
    """

    def __init__(self, device: str, min_face: float, fine_min_face_px: int, map: Map = map):
        self.min_face = min_face
        self.fine_min_face_px = fine_min_face_px
        self._device = torch.device(device)
        self._map = map
        self._network = MTCNN(select_largest=False, device=self._device).eval()
        # Crops are many times faster on a CPU when the channels lie together; whole pictures are not.
        for network in (self._network.rnet, self._network.onet):
            network.to(memory_format=torch.channels_last)

    def detect(self, image: Picture) -> list[Detection]:
        """The faces of one image, the most probable first; empty when no look finds one.

        Parameters
        ----------
        image : the picture.
        """
        return self.detect_batch([image])[0][0]

    def detect_batch(
        self, pictures: Sequence[Picture], looks: int | None = None, min_face: float | None = None
    ) -> list[tuple[list[Detection], int]]:
        """The faces of several pictures of any size, and which look found them.

        Parameters
        ----------
        pictures : to look at.
        looks : how many looks to take at most; all if None.
        min_face : the first look's smallest face; the detector's if None.

        Returns
        -------
        For each picture its faces, the most probable first, and 1 for the first look, 2 for the second …, 0 for none.
        """
        images = [as_image(picture) for picture in pictures]
        sizes = [self._looks(image, min_face or self.min_face)[:looks] for image in images]
        found: list[tuple[list[Detection], int]] = [([], 0)] * len(images)
        for number in range(max(map(len, sizes), default=0)):
            smallest = {i: s[number] for i, s in enumerate(sizes) if number < len(s) and not found[i][0]}
            self._network.factor, self._network.thresholds = LATER_LOOKS if number else FIRST_LOOK
            for i, detections in self._look(images, smallest):
                found[i] = (detections, number + 1 if detections else 0)
        return found

    def _looks(self, image: Image.Image, min_face: float) -> list[float]:
        """The smallest faces of the looks in pixels, falling."""
        shorter, longer = sorted(image.size)
        last = max(self.fine_min_face_px, longer * FINEST_SHARE)
        looks = [min_face * shorter]
        while looks[-1] / 2 > last:
            looks.append(looks[-1] / 2)
        if looks[-1] > last:
            looks.append(last)
        return [look for look in looks if 12 <= look <= shorter] or [12.0] * (shorter >= 12)

    def _look(self, images: Sequence[Image.Image], smallest: dict[int, float]):
        """Look once at some images: those whose copies have one size and one pyramid go together."""
        copies = dict(zip(smallest, self._map(lambda i: _reduce(images[i], smallest[i]), smallest), strict=True))
        together: dict[tuple, list[int]] = {}
        for i, (copy, factor) in copies.items():
            together.setdefault((copy.shape, smallest[i] / factor), []).append(i)
        for (_, face), members in together.items():
            batch = np.stack([copies[i][0] for i in members])
            for i, candidates in zip(members, self._cascade(batch, face), strict=True):
                yield i, self._refined(images[i], candidates, copies[i][1])

    def _cascade(self, batch: np.ndarray, smallest: float) -> list[list[tuple[np.ndarray, float, np.ndarray]]]:
        """MTCNN itself: boxes, probabilities and landmarks for each image of a batch (B, H, W, 3)."""
        self._network.min_face_size = smallest
        try:
            with torch.inference_mode():
                # Planar floats: the pooling that resizes candidates is slow on interleaved ones.
                planar = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float().contiguous()
                answers = self._network.detect(planar.permute(0, 2, 3, 1), landmarks=True)
        except (RuntimeError, IndexError) as error:
            # facenet-pytorch cannot take a candidate that lies outside the picture as a whole.
            if "expected a non-empty list" not in str(error) and "shape of the mask" not in str(error):
                raise
            return [[]] if len(batch) == 1 else [self._cascade(image[None], smallest)[0] for image in batch]
        faces = []
        for boxes, probabilities, landmarks in zip(*answers, strict=True):  # object arrays, None without a face
            rows = () if boxes is None else zip(boxes, probabilities, landmarks, strict=True)
            faces.append([(np.asarray(box, float), float(p), np.asarray(five, float)) for box, p, five in rows])
        return faces

    def _refined(self, image: Image.Image, candidates: list, scale: int) -> list[Detection]:
        detections = [
            Detection(box * scale, probability, self._refine(image, landmarks * scale))
            for box, probability, landmarks in candidates
            if _is_face(landmarks)
        ]
        return sorted(detections, key=lambda face: (-face.probability, *face.box))

    def _refine(self, image: Image.Image, landmarks: np.ndarray) -> np.ndarray:
        """Landmarks that the last network confirms when they place its input, or the given ones."""
        to_patch = similarity(landmarks, 0.5 + (EXPECTED - 0.5) / PATCH_REACH) * PATCH_PX
        patch = torch.tensor(sample(image, to_patch, PATCH_PX, rough=True)).to(self._device)
        patch = (patch.permute(2, 0, 1)[None].float() - 127.5) / 128  # (1, 3, PATCH_PX, PATCH_PX)
        inside = transform(to_patch, landmarks)
        for zooms in ROUNDS:
            inside = self._ask(patch, inside, zooms)
        refined = transform(invert(to_patch), inside)
        eyes = np.linalg.norm(landmarks[1] - landmarks[0])
        moved = np.linalg.norm(refined - landmarks, axis=1).mean()
        return refined if _is_face(refined) and moved <= FARTHEST * eyes else landmarks

    def _ask(self, patch: torch.Tensor, landmarks: np.ndarray, zooms: Sequence[float]) -> np.ndarray:
        """The last network's landmarks in a patch, averaged over crops at some sizes and their mirror images."""
        upright = similarity(EXPECTED, landmarks)  # from shares of the input's side to pixels of the patch
        crops = [upright @ _zoomed(zoom, side) for side in (1, -1) for zoom in zooms]
        # From pixels of the patch to the coordinates of grid_sample, which reach from -1 to 1.
        maps = np.stack([(crop * 2 / PATCH_PX - [(0, 0, 1), (0, 0, 1)]).T for crop in crops])  # (views, 3, 2)
        grid = torch.from_numpy(INPUT_GRID @ maps.astype(np.float32)).to(self._device)
        with torch.inference_mode():
            views = grid_sample(
                patch.expand(len(crops), -1, -1, -1),
                grid.unflatten(1, (2 * INPUT_PX, 2 * INPUT_PX)),
                padding_mode="border",
                align_corners=False,
            )
            inputs = avg_pool2d(views, 2).contiguous(memory_format=torch.channels_last)
            answers = self._network.onet(inputs)[1].cpu().numpy().astype(float)
        points = answers.reshape(-1, 2, 5).swapaxes(1, 2)  # (views, 5, 2)
        points[len(zooms) :] = points[len(zooms) :, MIRRORED]
        return np.mean([transform(crop, five) for crop, five in zip(crops, points, strict=True)], axis=0)


def _reduce(image: Image.Image, smallest: float) -> tuple[np.ndarray, int]:
    """A copy in which the smallest face still has ``SEARCHED_FACE_PX``, and the whole factor it was reduced by."""
    factor = max(1, int(smallest / SEARCHED_FACE_PX))
    return np.asarray(image.reduce(factor)), factor


def _zoomed(zoom: float, side: int) -> np.ndarray:
    """The map of the unit square to a larger or smaller one around its middle, mirrored where ``side`` is -1."""
    return np.array([[side * zoom, 0, 0.5 - side * zoom / 2], [0, zoom, 0.5 - zoom / 2], [0, 0, 1]])


def _is_face(landmarks: np.ndarray) -> bool:
    """Whether landmarks are finite and the eyes apart: nothing else can be placed."""
    return bool(np.isfinite(landmarks).all() and np.linalg.norm(landmarks[1] - landmarks[0]) >= 1)
