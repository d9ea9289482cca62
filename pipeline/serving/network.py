"""A trained network with its card, as whoever predicts with it uses it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
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
from pipeline.serving.answers import KINDS, STRANGENESS, Answer

log = logging.getLogger(__name__)


class Network:
    """What a network answers to inputs that are prepared as its card says.

    Parameters
    ----------
    model : a teacher or a student, the folder of one, or an exported ONNX file.
    device : ``cpu``, ``cuda`` or ``cuda:N``; a file runs on the CPU.

    Attributes
    ----------
    card : what it says of itself.
    module : the network of torch, in evaluation mode; None of a file.
    device : where its inputs lie.
    specs : by modality, what it reads.
    preparation : how its inputs are made.
    task : what it is asked: the fields of a ``Task``.
    names : of the numbers that it answers with: of classes, labels and numbers the outputs, of points ``p0_x`` ….
    reads : the modalities of its inputs.
    columns : of a table of predictions: what is said of one input.
    force : whether a class or labels are called of an input that is unlike them.

    Raises
    ------
    ArtifactError : there is no whole model, a file is damaged or another model's, its card does not say what it is
        asked or what it reads, or it answers with points and does not read faces.
    MissingDependencyError : it is a file, and what runs such is not installed.
    """

    def __init__(self, model: Artifact | Path, device: str):
        self._engine = engines.load(model, device)
        self.module, self.device, card = self._engine.module, self._engine.device, self._engine.card
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
        self.card, self.specs = card, batches.specs(card)
        self._pictured = all(batches.MODALITIES[name].pictured for name in self.specs)
        told = self._kind.cells(self.names, np.zeros(len(self.names)))
        self.columns = (*told, *STRANGENESS) if self._pictured else tuple(told)
        self.force = False
        if self._pictured and self._engine.unflagged:
            log.warning(
                "%s does not know what its training %s looked like: nothing is said of those that are unlike them. %s",
                *(folder, self.task["samples"], self._engine.unflagged),
            )
        self.reads = tuple(self.specs)

    def logits(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The raw outputs of the network, float32, shape (N, C).

        Parameters
        ----------
        inputs : by modality, as the columns of ``inputs.h5`` hold them, rows first.
        """
        return self.read(inputs)[0]

    def read(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """The raw outputs of the network, and how strange each input is to it.

        Parameters
        ----------
        inputs : by modality, as the columns of ``inputs.h5`` hold them, rows first.

        Returns
        -------
        logits : float32, shape (N, C).
        scores : float64, shape (N,), 1 at the threshold; None where the network does not know its domain.
        """
        rows = len(next(iter(inputs.values())))
        if not rows:
            return np.empty((0, len(self.names)), np.float32), None
        return self._engine.read(self.tensors(inputs))

    def tensors(self, inputs: Mapping[str, np.ndarray]) -> torch.Tensor | dict[str, torch.Tensor]:
        """Inputs, as ``read`` takes them, as the network itself reads them, on its device."""
        raw = {name: torch.from_numpy(values).to(self._engine.device) for name, values in inputs.items()}
        return batches.Batch(np.arange(len(next(iter(raw.values())))), Drawn(), raw).make(self.specs)

    def answers(
        self, logits: np.ndarray, warps: np.ndarray | None = None, scores: np.ndarray | None = None
    ) -> list[Answer]:
        """What raw outputs say of each input.

        Parameters
        ----------
        logits : float32, shape (N, C).
        warps : of faces, float64, shape (N, 2, 3): from the picture's pixels to each, as of ``AlignedFace``.
        scores : how strange each input is, from ``read``.
        """
        bounds = self.task["bounds"]
        values = self._kind.values(logits.astype(np.float64), bounds, warps)
        answers = [self._kind.answer(self.names, row, bounds) for row in values]
        if not self._pictured:
            return answers
        return [self._judged(answer, score) for answer, score in zip(answers, _each(scores, len(values)), strict=True)]

    def _judged(self, answer: Answer, score: float | None) -> Answer:
        """An answer with the cells that say how strange its input is, and flagged where it is strange."""
        familiar = None if score is None else int(score <= 1)
        if familiar == 0:
            notice = f"not like the training {self.task['samples']}"
            answer = self._kind.flagged(self.names, answer, notice, self.force)
        cells = answer.cells | dict(zip(STRANGENESS, (score, familiar), strict=True))
        return replace(answer, cells=cells)

    @property
    def decides(self) -> bool:
        """Whether its answers call a class or labels, which are left out where an input is strange."""
        return bool(self._kind.decided(self.names))


def _each(scores: np.ndarray | None, count: int) -> list[float | None]:
    return [None] * count if scores is None else scores.tolist()
