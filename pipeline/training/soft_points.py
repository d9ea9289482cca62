"""Points that a shape model of the training samples has smoothed, for a teacher that is to learn those."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.distillation.kinds import points
from pipeline.inputs.batches import Samples
from pipeline.inputs.shape_model import ShapeModel
from pipeline.tasks import Task

MODEL, POINTS = "shape_model.npz", "soft_points.csv"
SHOWN = 12  # samples whose points are written before and after


@dataclass(frozen=True)
class SoftPoints:
    """A shape model with the samples that it was fitted on, before and after.

    Parameters
    ----------
    task : of kind ``points``.
    model : of the training samples' shapes.
    train : the training samples with their true points.
    """

    task: Task
    model: ShapeModel
    train: Samples

    @classmethod
    def fit(cls, task: Task, train: Samples, share: float, aligned: bool) -> SoftPoints:
        """Model the shapes of the training samples; ``share`` and ``aligned`` as of ``ShapeModel.fit``."""
        return cls(task, ShapeModel.fit(_shapes(train.truth), share, aligned), train)

    def of(self, samples: Samples) -> Samples:
        """The samples with smoothed points as their truth."""
        return dataclasses.replace(samples, truth=self._smoothed(samples.truth))

    def save(self, folder: Path) -> None:
        """Write the model, and the points of some training samples before and after."""
        self.model.save(folder / MODEL)
        true = self.train.truth[:SHOWN]
        values = {"label_": true, "soft_": self._smoothed(true)}
        columns = {f"{k}{name}": v[:, c] for k, v in values.items() for c, name in enumerate(self.task.numbers)}
        arrays.write_table(folder / POINTS, pd.DataFrame({"sample_id": self.train.sample_ids[:SHOWN], **columns}))

    def facts(self) -> dict[str, Any]:
        """What the record says: components, and how far points are moved, mean over distances between eye corners."""
        moved = points.agreement(self._smoothed(self.train.truth), self.train.truth, self.task)["nme"]
        return {
            "components": len(self.model.variances),
            "share": self.model.share,
            "aligned": self.model.aligned,
            "residual_nme": moved,
        }

    def _smoothed(self, truth: np.ndarray) -> np.ndarray:
        return self.model.smooth(_shapes(truth)).reshape(truth.shape).astype(np.float32)


def _shapes(truth: np.ndarray) -> np.ndarray:
    """Points side by side, (M, 2 K), as shapes, float64 (M, K, 2)."""
    return truth.reshape(len(truth), -1, 2).astype(float)
