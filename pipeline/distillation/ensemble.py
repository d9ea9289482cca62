"""Who answers for a face: one teacher, or, cross-fitted, the one of several that has not seen the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.compute import devices
from pipeline.errors import ArtifactError
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import Drawn, InputSpec

ALL_FOLDS = -1


@dataclass(frozen=True)
class TeacherEnsemble:
    """The teachers of one set of labels, in evaluation mode on one device.

    Attributes
    ----------
    teachers : one network, or one for each fold.
    cards : their cards.
    spec : what they read.
    precision : of the forward pass.
    """

    teachers: tuple[nn.Module, ...]
    cards: tuple[dict, ...]
    spec: InputSpec
    device: str
    precision: str

    @classmethod
    def load(cls, folders: Sequence[Path], device: str, precision: str) -> TeacherEnsemble:
        """Read the teachers from their folders.

        Raises
        ------
        ArtifactError : one is damaged, or they do not answer the same question of the same pixels.
        """
        loaded = [models.load_model(folder) for folder in folders]
        cards = tuple(card for _, card in loaded)
        for folder, card in zip(folders, cards, strict=True):
            for name in ("architecture", "classes", "input"):
                if card[name] != cards[0][name]:
                    raise ArtifactError(
                        f"{folder.name} has {name} {card[name]}, {folders[0].name} has {cards[0][name]}: they cannot "
                        "label together. Train both anew: make teacher"
                    )
        teachers = tuple(network.to(device) for network, _ in loaded)
        return cls(teachers, cards, InputSpec(**cards[0]["input"]), device, precision)

    def ask(self, images: Tensor, drawn: Drawn, who: np.ndarray, features: Sequence[str] = ()) -> dict[str, Tensor]:
        """LabelStore for one view of each face.

        Parameters
        ----------
        images : uint8, shape (B, S, S, 3), partners after them where views are mixed.
        drawn : the B views.
        who : int, shape (B,), the fold whose teacher answers; ``ALL_FOLDS``: the mean of all.
        features : of ``hidden`` and ``map``, to answer besides the logits.

        Returns
        -------
        float32 tensors on the device: ``logits`` (B, C) and the features.
        """
        inputs, kinds = views.make(images, drawn, self.spec), ("logits", *features)
        if len(self.teachers) == 1:
            return self._answers(0, inputs, kinds)
        found: dict[str, Tensor] = {}
        for number in np.unique(who):
            rows = torch.from_numpy(np.flatnonzero(who == number)).to(inputs.device)
            asked = range(len(self.teachers)) if number == ALL_FOLDS else [int(number)]
            said = [self._answers(n, inputs[rows], kinds) for n in asked]
            for kind in kinds:
                mean = torch.stack([answer[kind] for answer in said]).mean(0)
                whole = found.setdefault(kind, mean.new_empty((len(inputs), *mean.shape[1:])))
                whole[rows] = mean
        return found

    def _answers(self, number: int, inputs: Tensor, kinds: Sequence[str]) -> dict[str, Tensor]:
        with devices.autocast(self.device, self.precision):
            return models.answers(self.teachers[number], inputs, kinds)
