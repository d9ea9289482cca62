"""Small noise textures that wrap, for everything too fine to be geometry."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

SIZE = 512
# Seed and blur in pixels of each texture.
TEXTURES = {
    "skin": (1, 3.0),
    "lips": (2, 1.2),
    "roots": (3, 1.0),
    "weave": (4, 1.0),
    "iris": (5, 1.5),
    "lashes": (6, 1.5),
    "strands": (7, 0.8),
    "curls": (8, 3.0),
    "locks": (9, 4.0),
}


def texture(name: str, u: np.ndarray, v: np.ndarray | float) -> np.ndarray:
    """Noise of zero mean and unit deviation at texture coordinates in pixels, which wrap; float32 (P,)."""
    return _tile(name)[_wrapped(u), _wrapped(v)]


def _wrapped(coordinate) -> np.ndarray:
    return np.asarray(coordinate).astype(np.int64) % SIZE


@lru_cache(maxsize=len(TEXTURES))
def _tile(name: str) -> np.ndarray:
    seed, blur = TEXTURES[name]
    rough = np.random.default_rng((77, seed)).standard_normal((SIZE, SIZE)).astype(np.float32)
    soft = ndimage.gaussian_filter(rough, blur, mode="wrap")
    return (soft / soft.std()).astype(np.float32)
