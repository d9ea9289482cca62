"""The 68 iBUG landmarks and MTCNN's five as vertices of the subdivided head."""

from __future__ import annotations

import numpy as np

# Where each landmark of the picture's right half lies on the base mesh (x, y in centimetres), by iBUG number.
RIGHT = {
    16: (7.3, -0.3), 15: (7.15, -2.3), 14: (6.85, -4.1), 13: (6.3, -5.9), 12: (5.5, -7.4),
    11: (4.5, -8.75), 10: (3.25, -9.85), 9: (1.75, -10.6),
    22: (1.1, 1.4), 23: (2.0, 1.85), 24: (3.1, 2.05), 25: (4.2, 1.95), 26: (5.15, 1.35),
    34: (0.65, -4.65), 35: (1.3, -4.45),
    42: (1.65, -0.12), 43: (2.6, 0.36), 44: (3.7, 0.42), 45: (4.42, 0.05), 46: (3.7, -0.4), 47: (2.6, -0.38),
    52: (0.78, -5.95), 53: (1.75, -6.22), 54: (2.52, -6.76), 55: (1.6, -7.5), 56: (0.8, -7.82),
    63: (0.95, -6.66), 64: (2.3, -6.74), 65: (0.95, -6.8),
}  # fmt: skip
MIDDLE = {8: (0, -10.9), 27: (0, 0.3), 28: (0, -1.1), 29: (0, -2.4), 30: (0, -3.6), 33: (0, -4.8),
          51: (0, -6.1), 57: (0, -7.88), 62: (0, -6.68), 66: (0, -6.8)}  # fmt: skip
MIRROR = {
    16: 0, 15: 1, 14: 2, 13: 3, 12: 4, 11: 5, 10: 6, 9: 7, 22: 21, 23: 20, 24: 19, 25: 18, 26: 17, 34: 32, 35: 31,
    42: 39, 43: 38, 44: 37, 45: 36, 46: 41, 47: 40, 52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67,
}  # fmt: skip


def landmark_vertices(rest: np.ndarray) -> np.ndarray:
    """Vertices of the 68 landmarks, int (68,): for each, the foremost of those near its place on the base mesh."""
    targets = dict(MIDDLE) | RIGHT | {MIRROR[k]: (-x, y) for k, (x, y) in RIGHT.items()}
    return np.array([_pick(rest, *targets[k]) for k in range(68)])


def _pick(rest: np.ndarray, x: float, y: float) -> int:
    distance = np.hypot(rest[:, 0] - x, rest[:, 1] - y)
    score = distance - 0.06 * np.clip(rest[:, 2], -12, 4)
    return int(np.argmin(score))


def five_points(points: np.ndarray) -> np.ndarray:
    """MTCNN's five of the 68 (…, 68, 2): image-left eye, image-right eye, nose tip, left and right mouth corner."""
    left, right = points[..., 36:42, :].mean(-2), points[..., 42:48, :].mean(-2)
    return np.stack([left, right, points[..., 30, :], points[..., 48, :], points[..., 54, :]], axis=-2)
