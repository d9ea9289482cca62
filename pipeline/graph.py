"""The graph of artifacts: which node reads which, for one preset over one dataset.

Building a node here costs a hash; nothing runs until ``ArtifactStore.build`` is given it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from pipeline.artifacts import Node
from pipeline.config import NO_TEACHER, Architecture, DistillConfig, Preset, PretrainConfig, TeacherConfig, weights_file
from pipeline.errors import WeightsError
from pipeline.raw import HashMemo, RawData

GUIDE = "resnet"  # the family that is pretrained first and leads the others


@dataclass(frozen=True)
class Selection:
    """Which teachers, students and seeds are wanted; ``none`` among the teachers is the baseline."""

    teachers: tuple[str, ...]
    students: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def real_teachers(self) -> tuple[str, ...]:
        """The teachers without ``none``."""
        return tuple(name for name in self.teachers if name != NO_TEACHER)

    def students_of(self) -> Iterator[tuple[str, str, int]]:
        """Every (student, teacher, seed)."""
        for student in self.students:
            for teacher in self.teachers:
                for seed in self.seeds:
                    yield student, teacher, seed


class Graph:
    """Nodes by what they are.

    Parameters
    ----------
    preset : the configs of all stages and the members of the families.
    raw : the dataset.
    stages : the stage modules by name, each with ``VERSION`` and ``run``.
    memo : JSON file that remembers hashes of weight files.
    """

    def __init__(self, preset: Preset, raw: RawData, stages: Mapping[str, ModuleType], memo: Path | None = None):
        self.preset, self.raw, self._stages = preset, raw, stages
        self._memo = HashMemo(memo)
        # One object per node: fingerprints are then computed once.
        self.teacher, self.labels, self.student = cache(self._teacher), cache(self._labels), cache(self._student)
        self.samples = self._node("index", "samples", preset.index, raw=raw)
        self.faces = self._node("align", "faces", preset.align, samples=self.samples)
        self.split = self._node("split", "split", preset.split, samples=self.samples)

    def _node(self, stage: str, slug: str, config, **inputs: Node | RawData) -> Node:
        module = self._stages[stage]
        return Node(stage, slug, module.VERSION, config, inputs, module.run)

    @property
    def _data(self) -> dict[str, Node]:
        return {"samples": self.samples, "split": self.split, "faces": self.faces}  # what is quick may fail first

    def _teacher(self, name: str) -> Node:
        config = self.preset.teacher
        config = replace(config, teacher=name, architecture=self.architecture(name, config))
        return self._node("train_teacher", f"teacher-{_slug(name)}", config, **self._data)

    def _labels(self, teacher: str) -> Node:
        config = replace(self.preset.labels, teacher=teacher)
        return self._node(
            "teacher_labels", f"labels-{_slug(teacher)}", config, **self._data, teacher=self.teacher(teacher)
        )

    def _student(self, name: str, teacher: str, seed: int) -> Node:
        config = self.preset.distill
        config = replace(config, student=name, teacher=teacher, seed=seed, architecture=self.architecture(name, config))
        taught = teacher != NO_TEACHER
        method = f"{_slug(teacher)}-{config.loss}" if taught else NO_TEACHER
        labels = {"labels": self.labels(teacher)} if taught else {}
        return self._node("distill", f"student-{_slug(name)}-{method}-s{seed}", config, **self._data, **labels)

    def architecture(self, name: str, config: TeacherConfig | DistillConfig) -> Architecture:
        """The exact network behind a family's or timm's name, with the command line's weights and input size.

        Raises
        ------
        WeightsError : the weights are a file that is not there.
        """
        found = self.preset.architecture(name)
        found = replace(
            found, weights=config.weights or found.weights, image_size=config.image_size or found.image_size
        )
        file = weights_file(found)
        if file is None:
            return found
        if not file.is_file():
            raise WeightsError(
                f"There are no weights at {file} for {name}. Give a safetensors file, WEIGHTS=hub (timm's pretrained "
                "weights) or WEIGHTS=random."
            )
        digest = self._memo.hash(file)
        self._memo.save()
        return replace(found, digest=digest)

    def evaluation(self, model: Node) -> Node:
        """The evaluation of a teacher or student; agreement and a teacher's own answers come from the label cache."""
        labels = {"labels": self.labels(model.config.teacher)} if model.config.teacher != NO_TEACHER else {}
        return self._node(
            "evaluate", f"evaluation-{model.slug}", self.preset.evaluate, **self._data, model=model, **labels
        )

    def models(self, selection: Selection) -> list[Node]:
        """Every selected teacher and student."""
        teachers = [self.teacher(name) for name in selection.real_teachers]
        return teachers + [self.student(*which) for which in selection.students_of()]

    def evaluations(self, selection: Selection) -> list[Node]:
        """The evaluation of every selected model."""
        return [self.evaluation(model) for model in self.models(selection)]

    def report(self, selection: Selection) -> Node:
        """The report over every selected model."""
        models = self.models(selection)
        inputs = {f"model-{model.slug}": model for model in models}
        inputs |= {node.slug: node for node in map(self.evaluation, models)}
        return self._node("report", "report", self.preset.report, **self._data, **inputs)

    def pretrained(self, family: str, config: PretrainConfig) -> Node:
        """The preset's member of a family, pretrained from random weights; a ResNet leads the transformers."""
        architecture = replace(self.preset.families[family], weights="random", trained="all")
        guide = {} if family == GUIDE else {"guide": self.pretrained(GUIDE, config)}
        return self._node(
            "pretrain",
            f"pretrained-{architecture.label}",
            replace(config, architecture=architecture),
            raw=self.raw,
            samples=self.samples,
            faces=self.faces,
            **guide,
        )


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name).lower()
