"""A teacher's answers as they are kept, and as a student in training asks for them.

``labels.h5`` holds the answer for every aligned face. Where a teacher labels several views, or gives features, a
student learns from ``views.h5``: row ``v * M + i`` is view ``v`` of the i-th of the M training faces, in the order in
which they stand in ``labels.h5``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline import models
from pipeline.artifacts.arrays import Columns
from pipeline.artifacts.store import Artifact
from pipeline.config import Architecture, ViewsConfig
from pipeline.distillation.ensemble import ALL_FOLDS, TeacherEnsemble
from pipeline.errors import ArtifactError
from pipeline.inputs.views.image import Drawn, Plan
from pipeline.tasks.objective import FEATURES

FACES, VIEWS = "labels.h5", "views.h5"


def plan_of(config: ViewsConfig) -> Plan:
    """The views that a config asks a teacher for; with one view it is the face itself."""
    return Plan(config.view_seed, config.views, config.mix, augment=config.views > 1)


@dataclass(frozen=True)
class LabelStore:
    """What a teacher said.

    Attributes
    ----------
    faces : ``labels.h5``: logits float32 (N, C), hard uint16 (N,), fold int8 (N,), training uint8 (N,), sample_id.
    views : ``views.h5``: logits float32 (V * M, C), hard uint16 (V * M,), features float16; None where the answer for
        the face itself is the only one.
    """

    faces: Columns
    views: Columns | None

    @classmethod
    def load(cls, folder: Path, fingerprint: str, several: bool) -> LabelStore:
        """The files in a folder; ``several``: whether there must be a file of views."""
        opened = Columns(folder / VIEWS, "views", fingerprint) if several else None
        return cls(Columns(folder / FACES, "labels", fingerprint), opened)

    @classmethod
    def of(cls, labels: Artifact) -> LabelStore:
        """The files of a ``teacher_labels`` artifact."""
        return cls.load(labels.path, labels.fingerprint, several=VIEWS in labels.record["files"])

    @property
    def attrs(self) -> dict[str, Any]:
        """Who answered, for what, and how."""
        return self.faces.attrs

    def json(self, name: str) -> Any:
        """An attribute that is a list."""
        return self.faces.json(name)

    @property
    def training(self) -> np.ndarray:
        """The rows of the M training faces in ``faces``, int64."""
        return np.flatnonzero(self.faces["training"])

    @property
    def learned(self) -> Columns:
        """The file from which a student learns."""
        return self.views or self.faces


class CachedTargets:
    """LabelStore from a cache, as ``classification.TargetProvider``.

    Parameters
    ----------
    answers : of the teacher.
    sample_ids : of the training faces, in the order in which they are asked for.
    kinds : what is wanted: hard, logits, hidden, map.
    device : where the answers go.

    Raises
    ------
    ArtifactError : a face was not labelled, or a kind was not kept.
    """

    def __init__(self, answers: LabelStore, sample_ids: Sequence[str], kinds: Sequence[str], device: str):
        columns, rows = answers.learned, answers.faces.rows(list(sample_ids))
        lacking = [kind for kind in kinds if kind not in columns]
        if lacking:
            raise ArtifactError(
                f"{columns.path} has no {' and no '.join(lacking)}, which this loss learns from. "
                f"Let the teacher give them: {command(answers.attrs)} FEATURES={','.join(lacking)}"
            )
        self._stride = 0
        if answers.views:
            training = answers.training
            places = np.searchsorted(training, rows).clip(max=len(training) - 1)
            if (training[places] != rows).any():
                raise ArtifactError(
                    f"{columns.path} has views of {len(training)} faces, and not of all that are to be learned: "
                    "it was made for another split."
                )
            rows, self._stride = places, len(training)
        self._rows, self._views, self._device = rows, answers.attrs["views"], device
        self._columns = {kind: columns[kind] for kind in kinds}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each kind of answer for one view."""
        return {kind: values.shape[1:] for kind, values in self._columns.items()}

    def __call__(self, index: np.ndarray, view: int, images: Tensor, drawn: Drawn) -> dict[str, Tensor]:
        """What was kept for a view of some training faces."""
        rows = self._rows[index] + self._stride * (view % self._views)
        return {kind: _tensor(values[rows]).to(self._device) for kind, values in self._columns.items()}


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.int64) if values.dtype.kind == "u" else values)


class OnlineTargets:
    """LabelStore of a teacher that is asked in every step, as ``classification.TargetProvider``."""

    def __init__(self, ensemble: TeacherEnsemble, kinds: Sequence[str]):
        self._panel, self._kinds = ensemble, tuple(kinds)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each kind of answer for one view."""
        side = self._panel.spec.size
        nothing = torch.zeros((1, side, side, 3), dtype=torch.uint8, device=self._panel.device)
        return {name: tuple(value.shape[1:]) for name, value in self(np.zeros(1, int), 0, nothing, Drawn()).items()}

    def __call__(self, index: np.ndarray, view: int, images: Tensor, drawn: Drawn) -> dict[str, Tensor]:
        """What the teacher says of the very views that the student sees."""
        answers = self._panel.ask(images, drawn, np.full(len(index), ALL_FOLDS), features_among(self._kinds))
        return {kind: _kept(kind, answers) for kind in self._kinds}


def features_among(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds of answers that are features."""
    return tuple(kind for kind in kinds if kind in FEATURES)


def _kept(kind: str, answers: Mapping[str, Tensor]) -> Tensor:
    """One kind of answer as the cache keeps it, so that a student learns the same from both."""
    if kind == "hard":
        return answers["logits"].argmax(1)
    return answers[kind].half() if kind in FEATURES else answers[kind]


def open_checked(
    labels: Artifact,
    *,
    classes: Sequence[str],
    faces: Artifact,
    wanted: ViewsConfig | None = None,
    teachers: Sequence[str] = (),
) -> LabelStore:
    """A teacher's answers, after a look at what they were made for.

    Parameters
    ----------
    labels : of the ``teacher_labels`` stage.
    classes : of the task they are wanted for.
    faces : that they must answer for.
    wanted : the views, their seed and the number of teachers; None where only the faces themselves count.
    teachers : fingerprints of the teachers that must have answered; by default those that the labels' record names.

    Raises
    ------
    ArtifactError : they were made for other classes, faces, views or pixels, or by another teacher.
    """
    for name in labels.record["files"]:
        labels.file(name)  # raises where the content is not what was recorded
    answers = LabelStore.of(labels)
    recorded = [fingerprint for name, fingerprint in labels.record["inputs"].items() if name.startswith("teacher")]
    reads = models.input_spec(Architecture(answers.attrs["teacher"]))
    expected: dict[str, Any] = {
        "classes": list(classes),
        "faces": faces.fingerprint,
        "teachers": list(teachers) or recorded,
        "mean": list(reads.mean),
        "std": list(reads.std),
    }
    if wanted:
        expected |= {"views": wanted.views, "folds": wanted.folds}
    if wanted and wanted.views > 1:
        expected |= {"view_seed": wanted.view_seed, "mix": wanted.mix}
    for name, value in expected.items():
        found = answers.json(name) if isinstance(value, list) else answers.attrs[name]
        if found != value:
            raise ArtifactError(
                f"{labels.path.name} was made for {name} {found}, wanted is {value}. "
                f"Make labels for it: {command(answers.attrs, wanted)}"
            )
    return answers


def command(attrs: Mapping[str, Any], wanted: ViewsConfig | None = None) -> str:
    """What makes labels like these, or with the views that are wanted."""
    chosen = attrs if wanted is None else vars(wanted)
    text = f"make teacher-labels TEACHER={attrs['name']} VIEWS={chosen['views']}"
    for name, default in (("view_seed", 0), ("mix", "none"), ("folds", 0)):
        text += f" {name.upper()}={chosen[name]}" if chosen[name] != default else ""
    return text
