"""What runs a trained network: torch, from a teacher's or student's folder, or ONNX Runtime, from an exported file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts import cards
from pipeline.artifacts.store import Artifact
from pipeline.serving import onnx_file

EXPORTED = onnx_file.SUFFIX  # how the name of a file ends that can be run


class Engine(Protocol):
    """A network that can be asked, whatever runs it.

    Attributes
    ----------
    card : of the network.
    device : where its inputs lie.
    unflagged : why it cannot tell what is unlike its training inputs, and what to do; empty where it can.
    module : the network, where it is one of torch, for whoever looks into it; else None.
    """

    card: dict[str, Any]
    device: str
    unflagged: str
    module: nn.Module | None

    def read(self, inputs: Tensor | Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        """Raw outputs, float32, shape (B, C), of a batch as ``models.logits`` takes it, and how strange each input is.

        That is 1 at the threshold, float64, shape (B,), or None where it cannot tell.
        """


class TorchEngine:
    """The network of a folder, run by torch.

    Parameters
    ----------
    model : a teacher or a student, or the folder of one.
    device : ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ArtifactError : there is no whole model, or a file of it is damaged or belongs to another one.
    """

    def __init__(self, model: Artifact | Path, device: str):
        network, self.card = models.load_model(model)
        self._domain = models.load_domain(model, network, self.card)
        self.device, self.module = device, network.to(device)
        self.unflagged = "" if self._domain else "It was trained before that was kept. Train it anew: make distill"

    def read(self, inputs: Tensor | Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        """Raw outputs of a batch, and how strange its inputs are, as of ``Engine``."""
        if self._domain is None:
            return models.logits(self.module, inputs).cpu().numpy(), None
        both = models.outputs(self.module, inputs, ("logits", "hidden"))
        return both["logits"].cpu().numpy(), self._domain.score(both["hidden"].cpu().numpy())


def load(model: Artifact | Path, device: str) -> Engine:
    """What runs a model.

    Parameters
    ----------
    model : a teacher or a student, the folder of one, or an exported ONNX file, which runs on the CPU.
    device : of a folder's network.

    Raises
    ------
    ArtifactError : there is no whole model.
    MissingDependencyError : it is an ONNX file, and what runs such is not installed.
    """
    return onnx_file.OnnxEngine(model) if _is_exported(model) else TorchEngine(model, device)


def card_of(model: Path) -> dict[str, Any]:
    """The card of a model, without loading its network.

    Raises
    ------
    ArtifactError, MissingDependencyError : as ``load``.
    """
    return onnx_file.card_of(model) if _is_exported(model) else cards.read(model)


def _is_exported(model: Artifact | Path) -> bool:
    return isinstance(model, Path) and os.path.lexists(model) and not model.is_dir()
