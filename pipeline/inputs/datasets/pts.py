"""``.pts`` files, the points of one face: ``version: 1``, ``n_points: 68``, and between braces a line ``x y`` for each.

Their coordinates count from 1, as MATLAB's do: the centre of the first pixel is at 1. Here it is at 0.5.

Source: Sagonas et al. 2016, "300 Faces In-The-Wild Challenge: Database and Results", IMAVIS 47.
"""

from __future__ import annotations

import re

import numpy as np

from pipeline.artifacts.suffixes import quoted
from pipeline.errors import DataError
from pipeline.fields import read_number

SUFFIX = ".pts"
SHIFT = 0.5  # from a pixel's number, counted from 1, to its centre
_FORM = re.compile(r"\s*(?:version:\s*\S+\s+)?n_points:\s*([0-9]{1,6})\s*\{([^{}]*)\}\s*")


def read(text: str) -> np.ndarray:
    """The points of a file.

    Returns
    -------
    float64, shape (K, 2), pixels, the first of which reaches from 0 to 1.

    Raises
    ------
    DataError : it is no such text, or has another number of points than it says; the message is the reason, as
        ``kind: detail``.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise DataError(
            "unreadable: no list of points, expected version, n_points and between braces a line x y for each"
        )
    words = match[2].split()
    numbers = [read_number(word) for word in words]
    if None in numbers:
        raise DataError(f"unreadable: {quoted(words[numbers.index(None)])} is no coordinate")
    if len(numbers) != 2 * int(match[1]):
        raise DataError(f"unreadable: {len(numbers)} coordinates, expected two for each of {match[1]} points")
    return np.reshape(numbers, (-1, 2)).astype(float) - SHIFT


def text_of(points: np.ndarray) -> str:
    """A file of points.

    Parameters
    ----------
    points : float, shape (K, 2), as ``read`` gives them.
    """
    lines = [f"{x:.3f} {y:.3f}" for x, y in np.asarray(points, float) + SHIFT]
    return "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])
