"""Labels and students that one or several processes make over fake artifacts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.artifacts.store import Node
from pipeline.config import LabelsConfig
from pipeline.tasks import PAIN
from stages import distill, teacher_labels, train_teacher
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE

ODD = 11  # rows of a batch that two processes cannot halve
RELATIONAL = "hard:1,rkd:1,contrastive:1"  # losses of single samples, and of all pairs of a batch
EPOCHS = 6


def labels(fakes: Fakes, nproc: int = 1) -> Node:
    """Labels with features for two views."""
    teacher = replace(SMOKE.train_teacher, teacher="swin", architecture=NETWORKS["swin"], epochs=1)
    node = Node("train_teacher", "teacher-swin", train_teacher.VERSION, teacher, fakes.data, train_teacher.run)
    config = LabelsConfig(task=PAIN, teacher="swin", views=2, features="hidden", batch_size=16, nproc=nproc)
    inputs = {**fakes.data, "teacher": node}
    return Node("teacher_labels", "labels-swin", teacher_labels.VERSION, config, inputs, teacher_labels.run)


def student(fakes: Fakes, nproc: int) -> Node:
    """A student that learns from them."""
    changes = {"loss": RELATIONAL, "nproc": nproc, "epochs": EPOCHS, "checkpoint_s": 0}
    shared = {"teacher": "swin", "views": 2, "batch_size": ODD, "class_weights": "balanced"}
    config = replace(SMOKE.distill, architecture=NETWORKS["deit"], **shared, **changes)
    inputs = {**fakes.data, "labels_teacher": labels(fakes)}
    return Node("distill", "student", distill.VERSION, config, inputs, distill.run)


def opened(root: Path) -> Fakes:
    """The fakes that lie in a folder, or are to be made there."""
    return Fakes(root, subjects=40, size=64)
