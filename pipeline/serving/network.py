"""A trained network with its card, as whoever predicts with it uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.inputs import batches, prepared
from pipeline.inputs.views.plan import Drawn

THRESHOLD = 0.5  # probability above which a label is called, as evaluation does


class Kind(NamedTuple):
    """How the answers to a kind of task are told.

    Attributes
    ----------
    probabilities : of logits, float64, shape (N, C): those of the outputs.
    called : of one row of them, shape (C,): the numbers of the outputs that are called.
    cells : of the outputs and those called: columns of a table of predictions and their values.
    """

    probabilities: Callable[[torch.Tensor], torch.Tensor]
    called: Callable[[np.ndarray], np.ndarray]
    cells: Callable[[Sequence[str], Sequence[str]], dict[str, Any]]


KINDS = {
    "classify": Kind(
        lambda logits: logits.softmax(dim=1),
        lambda row: row.argmax(keepdims=True),
        lambda _, called: {"class": called[0]},
    ),
    "multilabel": Kind(
        torch.sigmoid,
        lambda row: np.flatnonzero(row > THRESHOLD),
        lambda outputs, called: {output: int(output in called) for output in outputs},
    ),
}


class Network:
    """What a network answers to inputs that are prepared as its card says.

    Parameters
    ----------
    model : a teacher or a student, or the folder of one.
    device : ``cpu``, ``cuda`` or ``cuda:N``.

    Attributes
    ----------
    preparation : how its inputs are made.
    task : what it is asked: the fields of a ``Task``.
    outputs : their names.
    reads : the modalities of its inputs.
    columns : of a table of predictions: what is called of the outputs, and the probability of each.

    Raises
    ------
    ArtifactError : there is no whole model, a file is damaged or another model's, its card does not say what it is
        asked or what it reads, or what it is asked is no question of classes or labels.
    """

    def __init__(self, model: Artifact | Path, device: str):
        network, card = models.load_model(model)
        folder = model.path if isinstance(model, Artifact) else model
        self.preparation = prepared.of_card(card, folder)
        if "task" not in card:
            raise ArtifactError(f"{folder} does not say its task: model.json lacks task. Train it anew: make distill")
        self.task: dict[str, Any] = card["task"]
        if self.task["kind"] not in KINDS:
            raise ArtifactError(
                f"{folder} answers a task of kind {self.task['kind']}; `predict` tells {' and '.join(KINDS)}. Choose "
                "another model: MODEL="
            )
        self.outputs: list[str] = card["classes"]
        self._kind = KINDS[self.task["kind"]]
        self.columns = tuple(self.cells(np.zeros(len(self.outputs))))
        self._specs = batches.specs(card)
        self.reads = tuple(self._specs)
        self._device = device
        self._network = network.to(device)

    def logits(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the network answers, float32, shape (N, C).

        Parameters
        ----------
        inputs : by modality, as the columns of ``inputs.h5`` hold them, rows first.
        """
        rows = len(next(iter(inputs.values())))
        if not rows:
            return np.empty((0, len(self.outputs)), np.float32)
        raw = {name: torch.from_numpy(values).to(self._device) for name, values in inputs.items()}
        batch = batches.Batch(np.arange(rows), Drawn(), raw)
        return models.logits(self._network, batch.make(self._specs)).cpu().numpy()

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Of the outputs, float64, shape (N, C): of classes, which add up to 1, or of each label by itself."""
        return self._kind.probabilities(torch.from_numpy(logits).double()).numpy()

    def called(self, row: Sequence[float]) -> list[str]:
        """The outputs that are called at these probabilities: the class, or each label above ``THRESHOLD``."""
        return [self.outputs[number] for number in self._kind.called(np.asarray(row))]

    def cells(self, row: Sequence[float]) -> dict[str, Any]:
        """The values of ``columns`` for the probabilities of one input."""
        named = {f"prob_{output}": float(p) for output, p in zip(self.outputs, row, strict=True)}
        return self._kind.cells(self.outputs, self.called(row)) | named
