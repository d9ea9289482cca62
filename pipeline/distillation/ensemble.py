"""Who labels a sample: one teacher, or, cross-fitted, the one of several that has not seen its subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.compute import devices
from pipeline.errors import ArtifactError
from pipeline.inputs import batches
from pipeline.inputs.batches import Batch

ALL_FOLDS = -1  # the mean of all teachers
SAME = ("architecture", "classes", "inputs")  # what teachers that label together must have in common


@dataclass(frozen=True)
class TeacherEnsemble:
    """The teachers of one set of labels, in evaluation mode on one device.

    Attributes
    ----------
    teachers : one network, or one for each fold.
    cards : their cards.
    specs : by modality, what they read.
    precision : of the forward pass.
    """

    teachers: tuple[nn.Module, ...]
    cards: tuple[dict, ...]
    specs: Mapping[str, Any]
    device: str
    precision: str

    @classmethod
    def load(cls, teachers: Sequence[Artifact], device: str, precision: str) -> TeacherEnsemble:
        """Read the teachers.

        Raises
        ------
        ArtifactError : one is no longer what its record says, or they do not answer the same question of the same
            inputs.
        """
        loaded = [models.load_model(teacher) for teacher in teachers]
        cards = tuple(card for _, card in loaded)
        for teacher, card in zip(teachers, cards, strict=True):
            for name in SAME:
                if card[name] != cards[0][name]:
                    raise ArtifactError(
                        f"{teacher.path.name} has {name} {card[name]}, {teachers[0].path.name} has {cards[0][name]}: "
                        "they cannot label together. Train both anew: make teacher"
                    )
        networks = tuple(network.to(device) for network, _ in loaded)
        return cls(networks, cards, batches.specs(cards[0]), device, precision)

    def predict(self, batch: Batch, fold: np.ndarray, features: Sequence[str] = ()) -> dict[str, Tensor]:
        """Raw outputs for one view of each sample.

        Parameters
        ----------
        batch : of B views.
        fold : int, shape (B,), the fold whose teacher labels; ``ALL_FOLDS``: the mean of all.
        features : of ``hidden`` and ``map``, to give besides the logits.

        Returns
        -------
        float32 tensors on the device: ``logits`` (B, C) and the features.
        """
        inputs, kinds = batch.make(self.specs), ("logits", *features)
        if len(self.teachers) == 1:
            return self._outputs(0, inputs, kinds)
        outputs: dict[str, Tensor] = {}
        for number in np.unique(fold):
            rows = torch.from_numpy(np.flatnonzero(fold == number)).to(self.device)
            asked = range(len(self.teachers)) if number == ALL_FOLDS else [int(number)]
            each = [self._outputs(n, _rows(inputs, rows), kinds) for n in asked]
            for kind in kinds:
                mean = torch.stack([answer[kind] for answer in each]).mean(0)
                whole = outputs.setdefault(kind, mean.new_empty((len(fold), *mean.shape[1:])))
                whole[rows] = mean
        return outputs

    def _outputs(self, number: int, inputs: Tensor | dict[str, Tensor], kinds: Sequence[str]) -> dict[str, Tensor]:
        with devices.autocast(self.device, self.precision):
            return models.outputs(self.teachers[number], inputs, kinds)


def _rows(inputs: Tensor | dict[str, Tensor], rows: Tensor) -> Tensor | dict[str, Tensor]:
    return {name: t[rows] for name, t in inputs.items()} if isinstance(inputs, dict) else inputs[rows]
