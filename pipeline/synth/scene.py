"""One half of a picture: a person, an expression, a pose, a camera, light and a background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.synth import skin
from pipeline.synth.camera import Camera
from pipeline.synth.expressions import Expression
from pipeline.synth.geometry import Bust, build_bust
from pipeline.synth.head import load_head
from pipeline.synth.identity import Identity
from pipeline.synth.landmarks import landmark_vertices
from pipeline.synth.masks import load_masks
from pipeline.synth.raster import Rasteriser, project
from pipeline.synth.setting import Setting, background
from pipeline.synth.shading import shade, tone_map
from pipeline.synth.surface import Look
from pipeline.synth.wrinkles import wrinkle

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Half:
    """A rendered half: uint8 picture (H, W, 3) and the 68 landmarks in its pixels, float (68, 2)."""

    picture: np.ndarray
    landmarks: np.ndarray


@lru_cache(maxsize=1)
def studio() -> Studio:
    """This process's studio."""
    return Studio()


class Studio:
    """Renders halves; holds this process's shape model, window and masks."""

    def __init__(self) -> None:
        self.head = load_head()
        self.raster = Rasteriser()
        self.masks = load_masks(self.head)
        self.landmarks = landmark_vertices(self.head.rest)
        self._painted: tuple[int, np.ndarray] | None = None

    def shoot(self, person: Identity, expression: Expression, setting: Setting, size: tuple[int, int], rng) -> Half:
        """One half of a picture of `size` (height, width)."""
        bust = build_bust(self.head, person, expression, setting.pose, self.masks.around_ears)
        camera = setting.camera((size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
        look = Look(person, self._canvas(person), wrinkle(person, expression), _gaze(bust, camera, setting))
        colour, cover = shade(self.raster, bust, look, self.masks, camera, setting.light)
        backdrop = background(setting, camera.size)
        gain = _exposure(person) * setting.exposure
        linear = (colour * cover[..., None] + backdrop * (1 - cover[..., None])) * gain
        grain = rng.normal(0, 0.006, size + (1,)).astype(np.float32)
        small = _shrink(linear)
        picture = tone_map(small * (1 + grain))
        points = project(camera.place(bust.vertices[self.landmarks]), camera.size, camera.focal) / SUPERSAMPLING
        return Half(picture, points)

    def _canvas(self, person: Identity) -> np.ndarray:
        """The person's painted skin, kept for the other half."""
        if self._painted is None or self._painted[0] != person.seed:
            self._painted = (person.seed, skin.paint(person))
        return self._painted[1]


def _shrink(linear: np.ndarray) -> np.ndarray:
    """Average blocks of SUPERSAMPLING squared pixels; highlights are compressed first so that edges stay smooth."""
    h, w, _ = linear.shape
    compressed = linear / (1 + 0.5 * linear)
    small = compressed.reshape(h // SUPERSAMPLING, SUPERSAMPLING, w // SUPERSAMPLING, SUPERSAMPLING, 3).mean((1, 3))
    return small / (1 - 0.5 * small)


def _exposure(person: Identity) -> float:
    """Photographers open up a little for dark skin."""
    return float(np.clip((0.33 / skin.srgb_to_linear(person.skin_srgb).mean()) ** 0.25, 0.9, 1.4))


def _gaze(bust: Bust, camera: Camera, setting: Setting) -> np.ndarray:
    """Unit vectors (2, 3) from the eyes to a point near the camera."""
    target = camera.eye + np.float32([*setting.gaze_offset, 0])
    towards = target - bust.eye_centres
    # Eyes follow the camera, but not beyond what the lids of a turned head allow.
    forward = bust.rotation[:, 2]
    towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    mixed = 0.85 * towards + 0.15 * forward
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
