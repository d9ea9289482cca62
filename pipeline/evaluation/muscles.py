"""How much of a heat map lies on the parts of a face whose muscles moved.

Where they are is known from 68 points, which of them moved from action units (Ekman and Friesen 1978): both have to be
true, as they are of rendered faces, or coded by people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull, QhullError

from pipeline.tasks.schemes import POINTS_68

POINTS = "points68"  # the set of points, by its name in ``points.h5``
MUSCLES = {"brow": (1, 2, 4), "eyes": (5, 6, 7, 43), "nose": (9, 10), "mouth": (12, 15, 17, 20, 25, 26, 27)}
LEAST_UNIT = 1.0  # of intensity from 0 to 5: a trace, level A
LEAST_OF = {43: 0.5}  # closed eyes are often coded 0 or 1
MARGIN = 0.1  # about the points of a part, in distances of the outer corners of the eyes
AROUND = 8  # directions in which a point is widened by the margin
SIDE = 32  # cells of a face's side in which parts and maps are laid on each other
COLUMNS = (*MUSCLES, *(f"area_{part}" for part in MUSCLES), "moved", "area_moved")  # of ``shares``
COLUMN = re.compile(r"au0*(\d{1,2})", re.IGNORECASE)

# The points of each part, those of one hull together: the brows with what is between them, each eye by itself.
HULLS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "brow": (POINTS_68.regions["brows"],),
    "eyes": POINTS_68.pupils,
    "nose": (POINTS_68.regions["nose"],),
    "mouth": (POINTS_68.regions["mouth"],),
}


def moved(samples: pd.DataFrame) -> dict[str, np.ndarray] | None:
    """The parts of each face whose muscles moved, by name, bool, shape (N,); None where no action units are known.

    Parameters
    ----------
    samples : with columns ``au04`` or ``au4`` and so on, intensities from 0 to 5; empty is not moved.
    """
    columns = {int(match[1]): name for name in samples if (match := COLUMN.fullmatch(name))}
    if not any(unit in columns for units in MUSCLES.values() for unit in units):
        return None
    values = {
        unit: pd.to_numeric(samples[name], errors="coerce").to_numpy() >= LEAST_OF.get(unit, LEAST_UNIT)
        for unit, name in columns.items()
    }
    nothing = np.zeros(len(samples), bool)
    return {part: np.any([values.get(unit, nothing) for unit in units], axis=0) for part, units in MUSCLES.items()}


def parts(points: np.ndarray, side: int = SIDE) -> dict[str, np.ndarray]:
    """Where the parts of faces are: the hulls of their points and a margin about them.

    Parameters
    ----------
    points : float, shape (N, 68, 2), x, y in shares of the face's side from its middle; NaN where they are not known.

    Returns
    -------
    By part bool, shape (N, side, side), rows from the top: cells whose middle is inside; none where points are missing.
    """
    middles = (np.arange(side) + 0.5) / side - 0.5
    cells = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    return {
        part: np.array([_inside(face, hulls, cells) for face in points]).reshape(-1, side, side)
        for part, hulls in HULLS.items()
    }


def _inside(face: np.ndarray, hulls: Sequence[Sequence[int]], cells: np.ndarray) -> np.ndarray:
    if not np.isfinite(face).all():
        return np.zeros(len(cells), bool)
    left, right = POINTS_68.corners
    turns = 2 * np.pi * np.arange(AROUND) / AROUND
    ring = MARGIN * np.linalg.norm(face[right] - face[left]) * np.column_stack([np.cos(turns), np.sin(turns)])
    wide = [(face[list(hull), None] + ring).reshape(-1, 2) for hull in hulls]
    return np.any([_in_hull(cells, points) for points in wide], axis=0)


def _in_hull(cells: np.ndarray, points: np.ndarray) -> np.ndarray:
    try:
        planes = ConvexHull(points).equations  # (edges, 3): a normal that leads outwards, and how far the edge is
    except QhullError:  # all points are one
        return np.zeros(len(cells), bool)
    return (cells @ planes[:, :2].T + planes[:, 2] <= 0).all(axis=1)


def pooled(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps on a coarser grid, each cell the sum of what lies in it: float64, shape (N, side, side).

    Parameters
    ----------
    maps : float, shape (N, S, S), S at least ``side``.
    """
    size = maps.shape[1]
    edges = np.arange(side + 1) * size / side
    low, high = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(size) + 1)
    held = np.clip(high - low, 0, None)  # (side, S): how much of each row is in each of the coarser ones
    return np.einsum("im,nmk,jk->nij", held, maps.astype(np.float64), held, optimize=True)


def shares(maps: np.ndarray, points: np.ndarray, samples: pd.DataFrame) -> pd.DataFrame:
    """How much of each map lies on the parts of the face, and how much of the face they cover.

    Parameters
    ----------
    maps : float, shape (N, S, S), each of the sum 1.
    points : as of ``parts``.
    samples : as of ``moved``, N rows.

    Returns
    -------
    By part its share of the map, and ``area_<part>`` its share of the face; then ``moved`` and ``area_moved`` of all
    parts together whose muscles moved, NaN where none did or nothing is known of it. Parts may overlap.
    """
    return measured(maps, points, samples)[1]


def measured(maps: np.ndarray, points: np.ndarray, samples: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Where muscles moved, as of ``moving``, and how much of each map lies where, as of ``shares``."""
    coarse, where = pooled(maps, SIDE), parts(points)
    known, union = np.isfinite(points).all(axis=(1, 2)), moving(where, samples)
    table = {part: _share(coarse, inside, known) for part, inside in where.items()}
    table |= {f"area_{part}": _area(inside, known) for part, inside in where.items()}
    any_moved = union.any(axis=(1, 2))
    table |= {"moved": _share(coarse, union, any_moved), "area_moved": _area(union, any_moved)}
    return union, pd.DataFrame(table)


def moving(where: Mapping[str, np.ndarray], samples: pd.DataFrame) -> np.ndarray:
    """Where the muscles of faces moved: all parts together of which some did, bool, shape (N, side, side).

    Parameters
    ----------
    where : as ``parts`` gives them.
    samples : as of ``moved``.
    """
    which = moved(samples) or {part: np.zeros(len(samples), bool) for part in where}
    return np.any([inside & which[part][:, None, None] for part, inside in where.items()], axis=0)


def _share(maps: np.ndarray, inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known, (maps * inside).sum(axis=(1, 2)), np.nan)


def _area(inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known, inside.mean(axis=(1, 2)), np.nan)
