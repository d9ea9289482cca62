"""The colours of what is drawn: one a class, a scale for numbers, and what is read on each."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

# One colour a class, in turn; each is dark enough for white letters and told from its neighbours without red or green.
PALETTE = ("#0069a8", "#c14f0b", "#00805e", "#9d4a80", "#7d6300", "#6e6e6e", "#3f3fa0", "#8c2d2d")
# From the lowest number to the highest, evenly: viridis (Smith and van der Walt 2015), which grows lighter all the way.
SCALE = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
POINT = "#00d5ff"  # no skin, lip or brow is cyan
STRANGE = "#a0a0a0"  # of what is not like the training inputs
STRIP = "#303030"  # behind what is not called
CONTRAST = 4.5  # the least of letters (WCAG 2)


def of_class(number: int) -> str:
    """The colour of a class by its number."""
    return PALETTE[number % len(PALETTE)]


def on_scale(share: float) -> str:
    """The colour of a number by its share of the way from the lowest, 0, to the highest, 1."""
    red, green, blue = (int(level) for level in np.rint(along_scale(np.array(share))))
    return f"#{red:02x}{green:02x}{blue:02x}"


def along_scale(shares: np.ndarray) -> np.ndarray:
    """The same of shares of any shape: red, green and blue from 0 to 255, float64, along a last axis."""
    anchors = np.array([ImageColor.getrgb(color) for color in SCALE])
    places = np.linspace(0, 1, len(SCALE))
    return np.stack([np.interp(shares, places, column) for column in anchors.T], axis=-1)


def contrast_with_white(color: str) -> float:
    """How much white letters stand out from a ground, 1 to 21 (WCAG 2)."""
    levels = np.array(ImageColor.getrgb(color)) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return 1.05 / float(linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def letters(ground: str) -> str:
    """The colour of letters on a ground: white, or black where white would not be read."""
    return "white" if contrast_with_white(ground) >= CONTRAST else "black"
