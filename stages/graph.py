"""The graph of artifacts: which node reads which, for one preset over one dataset.

Building a node here costs a hash; nothing runs until ``ArtifactStore.build`` is given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType

from pipeline.artifacts.raw_data import HashMemo, RawData
from pipeline.artifacts.store import Node
from pipeline.config import (
    BASELINE_LOSS,
    NO_TEACHER,
    Architecture,
    DistillConfig,
    Preset,
    PretrainConfig,
    TeacherConfig,
    ViewsConfig,
    weights_file,
)
from pipeline.errors import ConfigError, WeightsError
from pipeline.tasks.objective import canonical, features

GUIDE = "resnet"  # the family that is pretrained first and leads the others
GROWS = ("views", "features", "view_seed", "mix")  # labels that differ in these have answers in common


@dataclass(frozen=True)
class Recipe:
    """How a student is made, its seed apart."""

    student: str
    teacher: str
    loss: str = "hard"
    views: int = 1
    folds: int = 0


@dataclass(frozen=True)
class Selection:
    """A grid of students; ``none`` among the teachers is the baseline, for which loss and folds mean nothing."""

    teachers: tuple[str, ...]
    students: tuple[str, ...]
    seeds: tuple[int, ...]
    losses: tuple[str, ...] = ("hard",)
    views: tuple[int, ...] = (1,)
    folds: tuple[int, ...] = (0,)

    @property
    def real_teachers(self) -> tuple[str, ...]:
        """The teachers without ``none``."""
        return tuple(name for name in self.teachers if name != NO_TEACHER)

    def recipes(self, epochs: int) -> list[Recipe]:
        """Every recipe once.

        Parameters
        ----------
        epochs : of a student; without a teacher, more views than epochs are as good as new views in every epoch.
        """
        found: dict[Recipe, None] = {}
        for student, teacher, loss, views, folds in product(
            self.students, self.teachers, self.losses, self.views, self.folds
        ):
            if teacher == NO_TEACHER:
                found[Recipe(student, teacher, BASELINE_LOSS, views if views < epochs else 1)] = None
            else:
                found[Recipe(student, teacher, canonical(loss), views, folds)] = None
        return list(found)


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

    def _node(self, stage: str, slug: str, config, grows: tuple[str, ...] = (), **inputs: Node | RawData) -> Node:
        module = self._stages[stage]
        return Node(stage, slug, module.VERSION, config, inputs, module.run, grows)

    @property
    def _data(self) -> dict[str, Node]:
        return {"samples": self.samples, "split": self.split, "faces": self.faces}  # what is quick may fail first

    def _teacher(self, name: str, folds: int = 0, fold: int = 0) -> Node:
        config = self.preset.teacher
        config = replace(config, teacher=name, folds=folds, fold=fold, architecture=self.architecture(name, config))
        slug = f"teacher-{_slug(name)}" + (f"-f{folds}-{fold}" if folds else "")
        return self._node("train_teacher", slug, config, **self._data)

    def teachers(self, name: str, folds: int = 0) -> dict[str, Node]:
        """The teacher, or the ``folds`` cross-fitted ones, by the names that the labels' record gives them."""
        if not folds:
            return {"teacher": self.teacher(name)}
        return {f"teacher_{fold}": self.teacher(name, folds, fold) for fold in range(folds)}

    def _labels(self, teacher: str, views: int = 1, folds: int = 0, wanted: tuple[str, ...] = ()) -> Node:
        config = replace(self.preset.labels, teacher=teacher, views=views, folds=folds, features=",".join(wanted))
        if views == 1:  # the face itself: nothing is drawn
            config = replace(config, view_seed=0, mix="none")
        slug = "-".join(["labels", _slug(teacher), *_drawn(config), *wanted])
        teachers = self.teachers(teacher, folds)
        return self._node("teacher_labels", slug, config, GROWS, **self._data, **teachers)

    def _student(self, recipe: Recipe, seed: int) -> Node:
        config = self.preset.distill
        config = replace(
            config,
            **vars(recipe),
            seed=seed,
            online=config.online and recipe.teacher != NO_TEACHER,
            architecture=self.architecture(recipe.student, config),
        )
        _check(config)
        method = [NO_TEACHER, *_drawn(config)]
        answers: dict[str, Node] = {}
        if recipe.teacher != NO_TEACHER:
            method = [
                _slug(recipe.teacher),
                _slug(recipe.loss),
                *_drawn(config),
                *(["online"] if config.online else []),
            ]
            answers = (
                self.teachers(recipe.teacher)
                if config.online
                else {"labels": self.labels(recipe.teacher, recipe.views, recipe.folds, features(recipe.loss))}
            )
        slug = "-".join(["student", _slug(recipe.student), *method, f"s{seed}"])
        return self._node("distill", slug, config, **self._data, **answers)

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
        labels = {"labels": self.labels_of(model)} if model.config.teacher != NO_TEACHER else {}
        return self._node(
            "evaluate", f"evaluation-{model.slug}", self.preset.evaluate, **self._data, model=model, **labels
        )

    def labels_of(self, model: Node) -> Node:
        """The answers that a student learned from, or those of the teacher itself."""
        return model.inputs.get("labels") or self.labels(model.config.teacher)

    def runs(self, selection: Selection) -> list[Node]:
        """Every selected student; seed by seed, so that what is there of an unfinished grid is balanced."""
        recipes = selection.recipes(self.preset.distill.epochs)
        return [self.student(recipe, seed) for seed in selection.seeds for recipe in recipes]

    def models(self, selection: Selection) -> list[Node]:
        """Every selected teacher and student."""
        return [self.teacher(name) for name in selection.real_teachers] + self.runs(selection)

    def caches(self, selection: Selection) -> list[Node]:
        """The label caches that the selected models need; those with most in them first, the others copy from them."""
        models = [model for model in self.models(selection) if model.config.teacher != NO_TEACHER]
        found = {node.folder_name: node for node in map(self.labels_of, models)}
        return sorted(found.values(), key=lambda node: (-len(node.config.features), -node.config.views))

    def evaluations(self, selection: Selection) -> list[Node]:
        """The evaluation of every selected model."""
        return [self.evaluation(model) for model in self.models(selection)]

    def report(self, selection: Selection) -> Node:
        """The report over every selected model and the labels that they learned from."""
        inputs = {node.slug: node for node in self.caches(selection)}
        for model in self.models(selection):
            inputs |= {f"model-{model.slug}": model, f"evaluation-{model.slug}": self.evaluation(model)}
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


def _check(config: DistillConfig) -> None:
    """Refuse what no cached answer can be right for."""
    if config.teacher == NO_TEACHER:
        return
    if config.mix != "none" and config.views == 1 and not config.online:
        raise ConfigError(
            f"MIX={config.mix} makes pictures that VIEWS=1, one answer for each face, says nothing of. "
            f"Let the teacher label mixed views: VIEWS={config.epochs}"
        )
    if config.views > 1 and not config.augment:
        raise ConfigError(f"AUGMENT=false trains on the face itself, VIEWS={config.views} are others. Give VIEWS=1")
    if config.online and config.folds:
        raise ConfigError(f"ONLINE=1 asks one teacher in every step, FOLDS={config.folds} has several. Leave one out.")


def _drawn(config: ViewsConfig) -> list[str]:
    """The parts of a slug that say which views were drawn and by how many teachers they were labelled."""
    views = [f"v{config.views}"] if config.views > 1 else []
    mix = [config.mix] if config.mix != "none" else []
    return views + mix + ([f"f{config.folds}"] if config.folds else [])


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name).lower()
