"""The camera: where it stands and what it sees where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A camera on the z axis, `distance` cm from the head, aimed at `aim`; `focal` and `size` in pixels."""

    distance: float
    aim: np.ndarray
    focal: float
    size: tuple[int, int]

    @property
    def eye(self) -> np.ndarray:
        """Its place in the head frame, float32 (3,)."""
        return (self.aim + np.float32([0, 0, self.distance])).astype(np.float32)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Head frame to camera space."""
        return points - self.eye
