"""Which boxes are one face, and which two make a side-by-side picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Intersection over union: more than neighbours that touch, less than two looks at one face.
SAME = 0.4


def same_face(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes (x0, y0, x1, y1) are of one face: they share ``SAME`` of what they cover together."""
    return overlap(one, other) >= SAME


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """What two boxes share of what they cover together, 0 to 1; 0 of boxes without an area."""
    return float(overlaps(one[None], other[None])[0, 0])


def overlaps(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, float64, shapes (N, 4) and (M, 4): shape (N, M); 0 of those without an area."""
    ones, others = ones[:, None], others[None]
    sides = np.minimum(ones[..., 2:], others[..., 2:]) - np.maximum(ones[..., :2], others[..., :2])
    shared = np.maximum(sides, 0).prod(-1)
    areas = [np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(-1) for boxes in (ones, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def side_by_side(boxes: Sequence[np.ndarray], width: int) -> bool:
    """Whether a picture without a divider holds one face in each half, of like size and at like height.

    Parameters
    ----------
    boxes : of its faces, (x0, y0, x1, y1) in pixels.
    width : the picture's.
    """
    if len(boxes) != 2:
        return False
    left, right = sorted(boxes, key=lambda box: box[0])
    heights = left[3] - left[1], right[3] - right[1]
    apart = left[2] <= 0.52 * width and right[0] >= 0.48 * width
    level = abs((left[1] + left[3]) - (right[1] + right[3])) / 2 <= 0.5 * min(heights)
    return bool(apart and level and max(heights) <= 1.5 * min(heights))
