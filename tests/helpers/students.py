"""Teachers, labels and students of the smoke preset over fake artifacts, as nodes to be built."""

from __future__ import annotations

from dataclasses import replace

from pipeline.artifacts.store import Node
from pipeline.config import LabelsConfig
from pipeline.distillation.labels import DRAWN
from pipeline.tasks import PAIN, objective
from stages import distill, teacher_labels, train_teacher
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE


def teacher_node(fakes: Fakes, family: str = "swin") -> Node:
    """A teacher trained for one epoch."""
    config = replace(SMOKE.train_teacher, teacher=family, architecture=NETWORKS[family], epochs=1)
    return Node("train_teacher", f"teacher-{family}", 1, config, fakes.data, train_teacher.run)


def labels(fakes: Fakes, family: str = "swin", **changes) -> Node:
    """The labels of a teacher."""
    config = LabelsConfig(task=PAIN, teacher=family, **changes)
    inputs = {**fakes.data, "teacher": teacher_node(fakes, family)}
    return Node("teacher_labels", f"labels-{family}", 1, config, inputs, teacher_labels.run)


def student(fakes: Fakes, teacher: str = "swin", **changes) -> Node:
    """A student of a teacher, of several joined by plus signs, or of none; from caches or, online, from themselves."""
    config = replace(SMOKE.distill, teacher=teacher, architecture=NETWORKS["deit"], **changes)
    if teacher == "none":
        answers, config = {}, replace(config, loss="label")
    elif config.online:
        answers = {f"teacher_{role}": teacher_node(fakes, name) for role, name in objective.roles(teacher).items()}
    else:
        drawn = {name: getattr(config, name) for name in ("views", *DRAWN) if config.views > 1}
        answers = {
            f"labels_{role}": labels(fakes, name, features=",".join(objective.features(config.loss, role)), **drawn)
            for role, name in objective.roles(teacher).items()
        }
    return Node(
        "distill",
        f"student-{teacher.replace('+', '_')}",
        distill.VERSION,
        config,
        {**fakes.data, **answers},
        distill.run,
    )
