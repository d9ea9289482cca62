"""A teacher's labels as they are kept: raw outputs, hard labels and features, with who gave them, for what, and how.

``labels.h5`` holds them for every sample. Where a teacher labels several views, or gives features, a student learns
from ``views.h5``: row ``v * M + i`` is view ``v`` of the i-th of the M training samples, in the order in which they
stand in ``labels.h5``. Reading and checking labels imports no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.columns import Columns
from pipeline.artifacts.store import Artifact
from pipeline.config import PLAIN, LabelsConfig, ViewsConfig
from pipeline.errors import ArtifactError
from pipeline.inputs.views.plan import Plan, broken_look
from pipeline.tasks import DEFAULT

# What says which views there are, besides their number, and what it is where labels do not say it.
DRAWN = {"view_seed": 0, "mix": "none", "mix_probability": 1.0, "views_strength": PLAIN}
LABELS, VIEWS = "labels.h5", "views.h5"


def plan_of(config: LabelsConfig) -> Plan:
    """The views that a config asks a teacher for; with one view it is the face itself."""
    return Plan(
        config.view_seed,
        config.views,
        config.mix,
        config.views > 1,
        config.mix_probability,
        broken_look(config.views_strength, config.task.prepare),
    )


@dataclass(frozen=True)
class LabelStore:
    """What a teacher said of every sample.

    Attributes
    ----------
    samples : ``labels.h5``: logits float32 (N, C), hard as the kind of the task has them, (N,) or (N, C), fold int8
        (N,), training uint8 (N,), sample_id.
    views : ``views.h5``: logits float32 (V * M, C), hard likewise, features float16; None where the label of
        the sample itself is the only one.
    """

    samples: Columns
    views: Columns | None

    @classmethod
    def load(cls, folder: Path, fingerprint: str, several: bool) -> LabelStore:
        """The files in the folder of work; ``several``: whether there must be a file of views."""
        return cls._open(folder / LABELS, folder / VIEWS if several else None, fingerprint)

    @classmethod
    def of(cls, labels: Artifact) -> LabelStore:
        """The files of a ``teacher_labels`` artifact."""
        views = labels.file(VIEWS) if VIEWS in labels.record["files"] else None
        return cls._open(labels.file(LABELS), views, labels.fingerprint)

    @classmethod
    def _open(cls, labels: Path, views: Path | None, fingerprint: str) -> LabelStore:
        opened = None if views is None else Columns(views, "views", fingerprint)
        return cls(Columns(labels, "labels", fingerprint), opened)

    @property
    def attrs(self) -> dict[str, Any]:
        """Who answered, for what, and how."""
        return self.samples.attrs

    def json(self, name: str) -> Any:
        """An attribute that is a list."""
        return self.samples.json(name)

    @property
    def training(self) -> np.ndarray:
        """The rows of the M training samples in ``samples``, int64."""
        return np.flatnonzero(self.samples["training"][:])

    @property
    def learned(self) -> Columns:
        """The file from which a student learns."""
        return self.views or self.samples


def open_checked(
    labels: Artifact,
    *,
    outputs: Sequence[str],
    inputs: Artifact,
    wanted: ViewsConfig | None = None,
    teachers: Sequence[str] = (),
) -> LabelStore:
    """A teacher's labels, after a look at what they were made for.

    Parameters
    ----------
    labels : of the ``teacher_labels`` stage.
    outputs : names of the outputs that are wanted.
    inputs : the prepared inputs that they must be of.
    wanted : the views, their seed and the number of teachers; None where only the samples themselves count.
    teachers : fingerprints of the teachers that must have labelled; by default those that the labels' record names.

    Raises
    ------
    ArtifactError : they were made for other outputs, inputs or views, by another teacher, or by one that read its
        inputs otherwise.
    """
    store = LabelStore.of(labels)
    recorded = [fingerprint for name, fingerprint in labels.record["inputs"].items() if name.startswith("teacher")]
    expected: dict[str, Any] = {
        "outputs": list(outputs),
        "inputs": inputs.fingerprint,
        "teachers": list(teachers) or recorded,
        "reads": labels.summary["reads"],
    }
    if wanted:
        expected |= {"views": wanted.views, "folds": wanted.folds}
    if wanted and wanted.views > 1:
        expected |= {name: getattr(wanted, name) for name in DRAWN}
    for name, value in expected.items():
        made = store.json(name) if isinstance(value, (list, dict)) else store.attrs.get(name, DRAWN.get(name))
        if made != value:
            raise ArtifactError(
                f"{labels.path.name} was made for {name} {made}, wanted is {value}. "
                f"Make labels for it: {command(store.attrs, wanted)}"
            )
    return store


def command(attrs: Mapping[str, Any], wanted: ViewsConfig | None = None) -> str:
    """What makes labels like these, or with the views that are wanted."""
    chosen = attrs if wanted is None else vars(wanted)
    task = f"TASK={attrs['task']} " if attrs["task"] != DEFAULT else ""
    text = f"make teacher-labels {task}TEACHER={attrs['name']} VIEWS={chosen['views']}"
    for name, default in (*DRAWN.items(), ("folds", 0)):
        value = chosen.get(name, default)
        text += f" {name.upper()}={value}" if value != default else ""
    return text
