"""From a frame to what is asked of it: a trained network applied to new pictures, each prepared as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.artifacts.store import Artifact
from pipeline.errors import ConfigError
from pipeline.inputs.frames import filters, resize
from pipeline.inputs.frames.inspection import HALVES
from pipeline.inputs.images import load
from pipeline.serving import streams
from pipeline.serving.answers import Answer
from pipeline.serving.network import Network
from pipeline.serving.spending import spent_on
from pipeline.serving.streams import Result

GIVEN = "rgb"  # the modality of a picture


class FramePredictor:
    """A trained network with the preparation of frames before it, both as the network's card says.

    Parameters
    ----------
    model, device : as of ``Network``.

    Attributes
    ----------
    network : the network.
    spent_s : seconds by what they were spent on: ``resize`` (and filtering) and ``network``.

    Raises
    ------
    ArtifactError : as ``Network``.
    ConfigError : it reads what no picture shows.
    MissingDependencyError : its frames were filtered by a package that is not installed.
    """

    def __init__(self, model: Artifact | Path | str, device: str = "cpu"):
        self.network = Network(Path(model) if isinstance(model, str) else model, device)
        self.spent_s: Counter[str] = Counter()
        if privileged := [name for name in self.network.reads if name != GIVEN]:
            words = " and ".join(f"the {HALVES[name]} ({name})" for name in privileged)
            raise ConfigError(
                f"MODEL={model.path if isinstance(model, Artifact) else model} reads {words}, which is privileged: a "
                "picture alone does not show it. Choose a student, which reads pictures alone: "
                "MODEL=cache/<dataset>/student-…"
            )
        filters.check(self.network.preparation.filters)

    def __call__(self, picture: Path | str | np.ndarray | Image.Image) -> Result:
        """What the network says of a picture: a file, or pixels, uint8, shape (height, width, 3), RGB.

        Raises
        ------
        DataError : it cannot be read.
        """
        image = streams.pixels(picture)
        name = "" if isinstance(picture, (np.ndarray, Image.Image)) else str(picture)
        return Result(name, image, answer=self.look(image))

    def stream(self, source: Path | str | int, stride: int = 1, start: float = 0, end: float = 0) -> Iterator[Result]:
        """A result for each picture and frame, as of ``streams.results``."""
        return streams.results(source, self, lambda: self, stride, start, end)

    def look(self, image: np.ndarray) -> Answer:
        """What the network says of a frame, uint8, shape (height, width, 3), RGB."""
        with spent_on("resize", self.spent_s):
            made = resize.prepared(image, GIVEN, self.network.preparation)
        with spent_on("network", self.spent_s):
            return self.answer(made)

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
