"""A predictor of faces that looks at nothing: a bright square is a face, and how bright it is what is said of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pipeline.serving.answers import KINDS
from pipeline.serving.predictor import FacePrediction

NAMES = ["no_pain", "pain"]
SIDE = 16  # of a square


class Squares:
    """Finds bright squares on a dark ground, from left to right."""

    def __init__(self):
        kind = KINDS["classify"]
        self.spent_s = {}
        self.looks = []  # whether each went over the whole frame
        self.network = SimpleNamespace(
            names=NAMES,
            task={"kind": "classify", "positive": "pain", "bounds": [], "sample": "face", "samples": "faces"},
            columns=tuple(kind.cells(NAMES, np.zeros(2))),
            answers=lambda logits, warps=None: [kind.answer(NAMES, row, ()) for row in kind.values(logits, (), warps)],
        )

    def look(self, image, near=None):
        self.looks.append(near is None)
        bright = (image[..., 0] > 100).any(0)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bright.astype(int), [0]])))
        faces = []
        for left, right in edges.reshape(-1, 2).tolist():
            rows = np.flatnonzero((image[:, left:right, 0] > 100).any(1))
            box = (left, int(rows[0]), right, int(rows[-1]) + 1)
            level = float(image[box[1] : box[3], left:right].mean()) / 255
            (answer,) = self.network.answers(np.array([[0.0, 4 * level]]))
            faces.append(FacePrediction("full", box, 0.9, answer))
        return faces


def square(left, top, level=200, size=(48, 96)):
    """A frame with one square; with none where ``left`` is None."""
    frame = np.zeros((*size, 3), np.uint8)
    if left is not None:
        frame[top : top + SIDE, left : left + SIDE] = level
    return frame
