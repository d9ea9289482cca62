"""Fractal noise that wraps, look-ups in it and in maps, and the mixing of colours: what outdoor scenes are made of."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pipeline.synth.skin import smooth_step

__all__ = ["blended", "box", "fractal", "looked_up", "smooth_step"]


def fractal(rng: np.random.Generator, side: int, roughness: float) -> np.ndarray:
    """Noise whose amplitude falls with frequency, float32 (side, side), mean 0 and deviation 1; it wraps.

    Parameters
    ----------
    roughness : exponent of the fall; 1 is grainy, 2 is hills.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    values = np.fft.irfft2(spectrum * frequency**-roughness, (side, side))
    return (values / values.std()).astype(np.float32)


def looked_up(values: np.ndarray, x: np.ndarray, y: np.ndarray, wrap: bool = False) -> np.ndarray:
    """Bilinear look-up at columns `x` and rows `y`, of their shape; beyond the edge its values, or those of a tile."""
    mode = "grid-wrap" if wrap else "nearest"
    return ndimage.map_coordinates(values, (y, x), order=1, mode=mode)


def blended(under: np.ndarray, over: np.ndarray | tuple[float, ...], share: np.ndarray) -> np.ndarray:
    """Colours (..., 3) with others over them, which cover `share` (...)."""
    return under + (np.float32(over) - under) * np.float32(share)[..., None]


def box(values: np.ndarray) -> np.ndarray:
    """Means over squares of two by two: rows and columns are halved."""
    return (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4
