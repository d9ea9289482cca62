"""A trained network with its card, as whoever predicts with it uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.inputs import batches, prepared
from pipeline.inputs.views.plan import Drawn


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

    Raises
    ------
    ArtifactError : there is no whole model, a file is damaged or another model's, or its card does not say what it is
        asked or what it reads.
    """

    def __init__(self, model: Artifact | Path, device: str):
        network, card = models.load_model(model)
        folder = model.path if isinstance(model, Artifact) else model
        self.preparation = prepared.of_card(card, folder)
        if "task" not in card:
            raise ArtifactError(f"{folder} does not say its task: model.json lacks task. Train it anew: make distill")
        self.task: dict[str, Any] = card["task"]
        self.outputs: list[str] = card["classes"]
        self._specs = batches.specs(card)
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


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Of the classes, float64, shape (N, C)."""
    return torch.from_numpy(logits).double().softmax(dim=1).numpy()
