"""The presets: everything one run needs, for each task. ``demo``: the shipped data, small networks, minutes on two
cores; ``paper``: the exact networks and schedules of the publications; ``smoke``: seconds, for tests.

The values here are those of every task; what a task changes of them stands in its own file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from pipeline.config import (
    DEMO_SETS,
    SHIPPED,
    AlignConfig,
    Architecture,
    DistillConfig,
    EvaluateConfig,
    ExplainTestsConfig,
    IndexConfig,
    LabelsConfig,
    ReportConfig,
    ResizeConfig,
    SplitConfig,
    TeacherConfig,
    WindowConfig,
    role_and_network,
)
from pipeline.serving_config import BenchmarkConfig, CompressConfig
from pipeline.tasks import PAIN, Task


@dataclass(frozen=True)
class Preset:
    """Data, the networks behind family names, and the config of each stage, under the stage's name.

    Parameters
    ----------
    learns : by role of a teacher, whether it learns the ``true`` answers or ``soft`` ones; of any other the true ones.
        A role is a family, or stands before a timm model: ``tolerant=resnet18``.
    """

    name: str
    task: Task = PAIN
    data: str = ""
    teacher_networks: Mapping[str, Architecture] = field(default_factory=dict)
    student_networks: Mapping[str, Architecture] = field(default_factory=dict)
    learns: Mapping[str, str] = field(default_factory=dict)
    index: IndexConfig = field(default_factory=IndexConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    resize: ResizeConfig = field(default_factory=ResizeConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    train_teacher: TeacherConfig = field(default_factory=TeacherConfig)
    teacher_labels: LabelsConfig = field(default_factory=LabelsConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    compress: CompressConfig = field(default_factory=CompressConfig)
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    explain_tests: ExplainTestsConfig = field(default_factory=ExplainTestsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    teachers: tuple[str, ...] = ("resnet", "swin")
    students: tuple[str, ...] = ("deit",)
    losses: tuple[str, ...] = ("hard",)
    views: tuple[int, ...] = (1,)
    folds: tuple[int, ...] = (0,)
    labelled: tuple[float, ...] = (0.0,)
    seeds: tuple[int, ...] = (0, 1, 2)

    def teacher(self, name: str) -> Architecture:
        """The teacher behind a family's name, or exactly the timm model of that name with its hub weights."""
        return self.teacher_networks.get(name) or Architecture(role_and_network(name)[1])

    def student(self, name: str) -> Architecture:
        """The student behind a family's name, or exactly the timm model of that name with its hub weights."""
        return self.student_networks.get(name) or Architecture(name)

    def changed(self, changes: Mapping[str, Any]) -> Preset:
        """With other values: of a field, or, for a stage, of some fields of its config."""
        values = {
            name: replace(getattr(self, name), **value) if is_dataclass(getattr(self, name)) else value
            for name, value in changes.items()
        }
        return replace(self, **values)


PAPER = Preset(
    name="paper",
    teacher_networks={
        "resnet": Architecture("resnet50", image_size=224, trained="head"),
        "swin": Architecture("swin_base_patch4_window7_224", image_size=224),
    },
    student_networks={"deit": Architecture("deit_base_distilled_patch16_224", image_size=256)},
)

DEMO_SCHEDULE = {
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 3e-4,
    "step_size": 2,
    "class_weights": "balanced",
    "precision": "auto",
}
DEMO = Preset(
    name="demo",
    teacher_networks={"resnet": replace(SHIPPED["resnet"], trained="head"), "swin": SHIPPED["swin"]},
    student_networks={"deit": SHIPPED["deit"]},
    train_teacher=TeacherConfig(**DEMO_SCHEDULE),
    teacher_labels=LabelsConfig(precision="auto"),
    distill=DistillConfig(**DEMO_SCHEDULE),
    evaluate=EvaluateConfig(precision="auto"),
    report=ReportConfig(benchmark=True),
    views=(1, DEMO_SCHEDULE["epochs"]),
)

# Seconds instead of minutes and weights that are random by choice: this preset tests the machinery, it learns nothing.
SMOKE_SCHEDULE = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "step_size": 1}
SMOKE_NETWORKS = {
    "resnet": Architecture("test_resnet", image_size=64, weights="random", trained="head"),
    "swin": Architecture(
        "swin_tiny_patch4_window7_224",
        options=(("embed_dim", 24), ("depths", (1, 1)), ("num_heads", (2, 4))),
        image_size=56,
        weights="random",
    ),
    "deit": Architecture(
        "deit_tiny_distilled_patch16_224",
        options=(("embed_dim", 48), ("depth", 2), ("num_heads", 3)),
        image_size=64,
        weights="random",
    ),
}
SMOKE = Preset(
    name="smoke",
    teacher_networks={name: SMOKE_NETWORKS[name] for name in ("resnet", "swin")},
    student_networks={"deit": SMOKE_NETWORKS["deit"]},
    train_teacher=TeacherConfig(**SMOKE_SCHEDULE),
    distill=DistillConfig(**SMOKE_SCHEDULE),
    evaluate=EvaluateConfig(replicates=200),
    explain_tests=ExplainTestsConfig(explained=0),
    report=ReportConfig(replicates=200, examples=4),
    seeds=(0,),
)

COMMON = {preset.name: preset for preset in (DEMO, PAPER, SMOKE)}
PRESETS = tuple(COMMON)
STUDIED = "demo"  # over the shipped set, as its task says
NEEDS_DATA = "paper"  # its networks are meant for a real dataset


def preset(task: Task, name: str, shipped: bool = True) -> Preset:
    """A preset of a task: the common one, changed as the task says.

    Parameters
    ----------
    shipped : whether it is for the task's own demo set, of which ``demo`` knows what it can tell within minutes.
    """
    data = "" if name == NEEDS_DATA else os.fspath(DEMO_SETS / task.demo)
    changed = replace(COMMON[name], task=task, data=data).changed(task.presets.get(name, {}))
    changed = changed.changed(task.study) if shipped and name == STUDIED else changed
    asked = {f.name: {"task": task} for f in fields(Preset) if hasattr(getattr(changed, f.name), "task")}
    return changed.changed(asked)
