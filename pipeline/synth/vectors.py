"""Arithmetic on rows of vectors."""

from __future__ import annotations

import numpy as np


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products of the rows."""
    return np.einsum("...k,...k->...", a, b)


def unit(v: np.ndarray) -> np.ndarray:
    """The rows scaled to length one."""
    return v / np.maximum(np.sqrt(dot(v, v)), 1e-9)[..., None]
