"""Filters of frames: each takes and gives uint8 of shape (height, width, channels).

``stretch``, ``clahe`` and ``median`` see a frame at its full size, ``minmax`` what it was resized to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.errors import MissingDependencyError
from pipeline.inputs.frames.card import LAST

CLIP = 2.0  # bins of a tile's histogram are cut at so many times the mean bin, as OpenCV counts
TILES = 8  # along each side
BINS = 256
THRESHOLD = 3.0  # robust deviations from the median at which a pixel is replaced
ROBUST = 1.4826  # median absolute deviation → standard deviation of a normal distribution
INSTALL = "FILTERS=clahe needs the package scikit-image: pip install -e '.[filters]' -c constraints.txt"

Filter = Callable[[np.ndarray], np.ndarray]


def stretch(frame: np.ndarray) -> np.ndarray:
    """Each channel spread over 0..255; one of a single value stays."""
    return _spread(frame, axis=(0, 1))


def minmax(frame: np.ndarray) -> np.ndarray:
    """All channels together spread over 0..255; a frame of a single value stays."""
    return _spread(frame, axis=(0, 1, 2))


def _spread(frame: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    low, high = (edge(frame, axis=axis, keepdims=True).astype(np.float32) for edge in (np.min, np.max))
    spread = np.round((frame - low) * (255 / np.maximum(high - low, 1)))
    return np.where(high > low, spread, frame).astype(np.uint8)


def clahe(frame: np.ndarray) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation of the lightness: L of LAB, or the grey itself.

    Source: Zuiderveld 1994, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV; by scikit-image,
    which spreads the lightness over its whole range before and after, as OpenCV does not.

    Raises
    ------
    MissingDependencyError : scikit-image is not installed.
    """
    try:
        from skimage import color
    except ImportError as error:
        raise MissingDependencyError(INSTALL) from error
    if frame.shape[2] == 1:
        return _rounded(255 * _equalised(frame[:, :, 0] / 255))[:, :, None]
    lab = color.rgb2lab(frame)
    lab[:, :, 0] = 100 * _equalised(np.clip(lab[:, :, 0] / 100, 0, 1))
    return _rounded(255 * np.clip(color.lab2rgb(lab), 0, 1))


def _equalised(light: np.ndarray) -> np.ndarray:
    """Lightness in 0..1, shape (height, width), equalised; of a single value it stays."""
    from skimage.exposure import equalize_adapthist

    if np.ptp(light) == 0:
        return light
    tile = [-(-side // TILES) for side in light.shape]
    return equalize_adapthist(light, tile, CLIP / BINS, BINS)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values).astype(np.uint8)


def median(frame: np.ndarray) -> np.ndarray:
    """Each pixel that is no likely one of its 3 x 3 neighbourhood replaced by the median there, channel by channel.

    That is where ``|x - median| > THRESHOLD * ROBUST * MAD``, the MAD being that of the neighbourhood. Beyond the edge
    lies the edge itself.
    """
    made = [_adaptive_median(frame[:, :, channel]) for channel in range(frame.shape[2])]
    return np.stack(made, axis=2)


def _adaptive_median(channel: np.ndarray) -> np.ndarray:
    height, width = channel.shape
    padded = np.pad(channel.astype(np.int16), 1, mode="edge")
    around = np.stack([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])  # (9, H, W)
    middle = np.partition(around, 4, axis=0)[4]
    mad = np.partition(np.abs(around - middle), 4, axis=0)[4]
    unlikely = np.abs(channel - middle) > THRESHOLD * ROBUST * mad
    return np.where(unlikely, middle, channel).astype(np.uint8)


STEPS: dict[str, Filter] = {"stretch": stretch, "clahe": clahe, "median": median, "minmax": minmax}


def check(names: Sequence[str]) -> None:
    """Refuse filters whose package is not here, before any frame is read.

    Raises
    ------
    MissingDependencyError : as the filter says.
    """
    for name in names:
        STEPS[name](np.zeros((TILES, TILES, 1), np.uint8))


def before(names: Sequence[str]) -> list[Filter]:
    """The steps that see a frame at its full size."""
    return [STEPS[name] for name in names if name != LAST]


def after(names: Sequence[str]) -> list[Filter]:
    """The steps that see it resized."""
    return [STEPS[name] for name in names if name == LAST]
