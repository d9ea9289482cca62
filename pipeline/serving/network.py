"""A trained network with its card, as whoever predicts with it uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.inputs import batches, prepared
from pipeline.inputs.faces.card import STAGE as FACES
from pipeline.inputs.views.plan import Drawn
from pipeline.serving import engines
from pipeline.serving.answers import KINDS, Answer


class Network:
    """What a network answers to inputs that are prepared as its card says.

    Parameters
    ----------
    model : a teacher or a student, the folder of one, or an exported ONNX file.
    device : ``cpu``, ``cuda`` or ``cuda:N``; a file runs on the CPU.

    Attributes
    ----------
    preparation : how its inputs are made.
    task : what it is asked: the fields of a ``Task``.
    names : of the numbers that it answers with: of classes, labels and numbers the outputs, of points ``p0_x`` ….
    reads : the modalities of its inputs.
    columns : of a table of predictions: what is said of one input.

    Raises
    ------
    ArtifactError : there is no whole model, a file is damaged or another model's, its card does not say what it is
        asked or what it reads, or it answers with points and does not read faces.
    MissingDependencyError : it is a file, and what runs such is not installed.
    """

    def __init__(self, model: Artifact | Path, device: str):
        self._engine = engines.load(model, device)
        card = self._engine.card
        folder = model.path if isinstance(model, Artifact) else model
        self.preparation = prepared.of_card(card, folder)
        if "task" not in card:
            raise ArtifactError(f"{folder} does not say its task: model.json lacks task. Train it anew: make distill")
        self.task: dict[str, Any] = card["task"]
        if self.task["kind"] not in KINDS:
            raise ArtifactError(
                f"{folder} answers a task of kind {self.task['kind']}; `predict` tells {', '.join(KINDS)}. Choose "
                "another model: MODEL="
            )
        self._kind = KINDS[self.task["kind"]]
        stage = card["prepare"]["kind"]
        if self._kind.located and stage != FACES:
            raise ArtifactError(
                f"{folder} answers with points, of what `make {stage}` prepared; where they are in a picture is known "
                f"of faces alone, of `make {FACES}`. Choose another model: MODEL="
            )
        self.names: list[str] = card["classes"]
        self.columns = tuple(self._kind.cells(self.names, np.zeros(len(self.names))))
        self._specs = batches.specs(card)
        self.reads = tuple(self._specs)

    def logits(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The raw outputs of the network, float32, shape (N, C).

        Parameters
        ----------
        inputs : by modality, as the columns of ``inputs.h5`` hold them, rows first.
        """
        rows = len(next(iter(inputs.values())))
        if not rows:
            return np.empty((0, len(self.names)), np.float32)
        raw = {name: torch.from_numpy(values).to(self._engine.device) for name, values in inputs.items()}
        batch = batches.Batch(np.arange(rows), Drawn(), raw)
        return self._engine.logits(batch.make(self._specs))

    def answers(self, logits: np.ndarray, warps: np.ndarray | None = None) -> list[Answer]:
        """What raw outputs say of each input.

        Parameters
        ----------
        logits : float32, shape (N, C).
        warps : of faces, float64, shape (N, 2, 3): from the picture's pixels to each, as of ``AlignedFace``.
        """
        bounds = self.task["bounds"]
        values = self._kind.values(logits.astype(np.float64), bounds, warps)
        return [self._kind.answer(self.names, row, bounds) for row in values]
