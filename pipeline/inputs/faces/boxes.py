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
    shared = _area(np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])]))
    together = _area(one) + _area(other) - shared
    return shared / together if together > 0 else 0.0


def _area(box: np.ndarray) -> float:
    width, height = np.maximum(box[2:] - box[:2], 0)
    return float(width * height)


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
