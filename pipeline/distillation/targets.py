"""What a student in training is told of its teachers: from their caches, or from the teachers themselves.

Targets are keyed ``role/what``: ``teacher/logits``, or, with several teachers, ``swin/hard``, ``resnet/hard``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.artifacts.columns import Column
from pipeline.artifacts.hdf5 import remedy
from pipeline.distillation.ensemble import ALL_FOLDS, TeacherEnsemble
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.labels import LabelStore, command
from pipeline.errors import ArtifactError
from pipeline.inputs import batches
from pipeline.inputs.batches import Batch
from pipeline.tasks.objective import FEATURES


class TargetProvider(Protocol):
    """Gives what one teacher says of the views of a batch: its cache, or the teacher itself."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each kind of target for one view."""

    def __call__(self, batch: Batch, view: int) -> dict[str, Tensor]:
        """Targets of one view of some training samples, on the device."""


class CachedTargets:
    """Targets from a cache.

    Parameters
    ----------
    labels : of the teacher.
    sample_ids : of the training samples, in the order in which batches number them.
    kinds : what is wanted: hard, logits, hidden, map.
    device : where the targets go.

    Raises
    ------
    ArtifactError : a sample was not labelled, or a kind was not kept.
    """

    def __init__(self, labels: LabelStore, sample_ids: Sequence[str], kinds: Sequence[str], device: str):
        columns, rows = labels.learned, labels.samples.rows(list(sample_ids))
        lacking = [kind for kind in kinds if kind not in columns]
        if lacking:
            raise ArtifactError(
                f"{columns.path} has no {' and no '.join(lacking)}, which this loss learns from. "
                f"Let the teacher give them: {command(labels.attrs)} FEATURES={','.join(lacking)}"
            )
        self._stride = 0
        if labels.views:
            training = labels.training
            if len(columns["logits"]) != labels.attrs["views"] * len(training):
                raise ArtifactError(
                    f"{columns.path} has {len(columns['logits'])} rows, expected {labels.attrs['views']} views of "
                    f"{len(training)} training samples. {remedy(columns.path)}"
                )
            places = np.searchsorted(training, rows).clip(max=len(training) - 1)
            if (training[places] != rows).any():
                raise ArtifactError(
                    f"{columns.path} has views of {len(training)} samples, and not of all that are to be learned: "
                    "it was made for another split."
                )
            rows, self._stride = places, len(training)
        self._rows, self._views, self._device = rows, labels.attrs["views"], device
        self._columns: dict[str, Column] = {kind: columns[kind] for kind in kinds}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each kind of target for one view."""
        return {kind: values.shape[1:] for kind, values in self._columns.items()}

    def __call__(self, batch: Batch, view: int) -> dict[str, Tensor]:
        """What was kept for a view of some training samples."""
        rows = self._rows[batch.index] + self._stride * (view % self._views)
        return {kind: _tensor(values[rows]).to(self._device) for kind, values in self._columns.items()}


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.int64) if values.dtype.kind == "u" else values)


class OnlineTargets:
    """Targets of a teacher that is asked in every step about the very views that the student sees.

    Parameters
    ----------
    ensemble : of one teacher.
    kinds : what is wanted: hard, logits, hidden, map.
    asked : the kind of the task.
    """

    def __init__(self, ensemble: TeacherEnsemble, kinds: Sequence[str], asked: str = "classify"):
        self._ensemble, self._kinds, self._harden = ensemble, tuple(kinds), KINDS[asked].harden

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each kind of target for one view."""
        nothing = batches.blank(self._ensemble.specs, self._ensemble.device)
        return {kind: tuple(value.shape[1:]) for kind, value in self(nothing, 0).items()}

    def __call__(self, batch: Batch, view: int) -> dict[str, Tensor]:
        """What the teacher says of the batch."""
        fold = np.full(len(batch.index), ALL_FOLDS)
        outputs = self._ensemble.predict(batch, fold, [kind for kind in self._kinds if kind in FEATURES])
        return {kind: self._kept(kind, outputs) for kind in self._kinds}

    def _kept(self, kind: str, outputs: Mapping[str, Tensor]) -> Tensor:
        """One kind of output as the cache keeps it, so that a student learns the same from both."""
        if kind == "hard":
            return _tensor(self._harden(outputs["logits"].cpu().numpy())).to(self._ensemble.device)
        return outputs[kind].half() if kind in FEATURES else outputs[kind]


class TargetsByRole:
    """The targets of all teachers of a student.

    Parameters
    ----------
    providers : by role.
    """

    def __init__(self, providers: Mapping[str, TargetProvider]):
        self._providers = providers

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each target for one view, by ``role/what``."""
        return {f"{role}/{what}": s for role, one in self._providers.items() for what, s in one.shapes().items()}

    def __call__(self, batch: Batch, view: int) -> dict[str, Tensor]:
        """Targets of one view of some training samples, by ``role/what``."""
        return {f"{role}/{what}": t for role, one in self._providers.items() for what, t in one(batch, view).items()}
