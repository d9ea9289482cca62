"""From a frame to what is asked of it: a trained network applied to new pictures, each prepared as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.artifacts.store import Artifact
from pipeline.errors import ConfigError
from pipeline.inputs.frames import filters, resize
from pipeline.inputs.frames.inspection import HALVES
from pipeline.inputs.images import load
from pipeline.serving.answers import Answer
from pipeline.serving.network import Network

GIVEN = "rgb"  # the modality of a picture


class FramePredictor:
    """A trained network with the preparation of frames before it, both as the network's card says.

    Parameters
    ----------
    model, device : as of ``Network``.

    Attributes
    ----------
    network : the network.

    Raises
    ------
    ArtifactError : as ``Network``.
    ConfigError : it reads what no picture shows.
    MissingDependencyError : its frames were filtered by a package that is not installed.
    """

    def __init__(self, model: Artifact | Path, device: str):
        self.network = Network(model, device)
        if privileged := [name for name in self.network.reads if name != GIVEN]:
            words = " and ".join(f"the {HALVES[name]} ({name})" for name in privileged)
            raise ConfigError(
                f"MODEL={model if isinstance(model, Path) else model.path} reads {words}, which is privileged: a "
                "picture alone does not show it. Choose a student, which reads pictures alone: "
                "MODEL=cache/<dataset>/student-…"
            )
        filters.check(self.network.preparation.filters)

    def frame(self, path: Path) -> tuple[np.ndarray, Answer]:
        """A picture, and what the network says of it.

        Returns
        -------
        image : uint8, shape (height, width, 3), RGB at full size.
        answer : what is said of it.

        Raises
        ------
        DataError : the picture cannot be read.
        """
        image, made = self.prepared(path)
        return image, self.answer(made)

    def prepared(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """A picture, uint8, shape (height, width, 3), and the same as the network reads it, shape (S, S, 3).

        Raises
        ------
        DataError : it cannot be read.
        """
        image = load(path)
        return image, resize.prepared(image, GIVEN, self.network.preparation)

    def answer(self, made: np.ndarray) -> Answer:
        """What the network says of a prepared picture, uint8, shape (S, S, 3)."""
        logits, scores = self.network.read({GIVEN: made[None]})
        (answer,) = self.network.answers(logits, scores=scores)
        return answer
