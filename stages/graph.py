"""The graph of artifacts: which node reads which, for one preset over one dataset.

What a stage reads and makes, it says itself (``INPUTS``, ``OUTPUT``, ``CONFIG``, ``VERSION``). Building a node here
costs a hash; nothing runs until ``ArtifactStore.build`` is given it.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import stages
from pipeline.artifacts.hash_memo import HashMemo
from pipeline.artifacts.names import bounded
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Node
from pipeline.config import (
    NO_TEACHER,
    PLAIN,
    Architecture,
    DistillConfig,
    PretrainConfig,
    TeacherConfig,
    TrainingConfig,
    ViewsConfig,
    of_views,
    role_and_network,
    weights_file,
)
from pipeline.errors import ConfigError, WeightsError
from pipeline.presets import Preset
from pipeline.serving_config import lacking, relearning
from pipeline.tasks import DEFAULT
from pipeline.tasks.objective import (
    canonical,
    check_kind,
    check_roles,
    check_truth_loss,
    features,
    roles,
)

GUIDE = "resnet"  # the family that is pretrained first and leads the others
# Labels that differ in these have some in common.
GROWS = ("views", "features", "view_seed", "mix", "mix_probability", "views_strength")


@cache
def all_stages() -> dict[str, ModuleType]:
    """The stage modules by name: every file beside this one that says which config it takes."""
    names = [module.name for module in pkgutil.iter_modules(stages.__path__)]
    modules = {name: importlib.import_module(f"stages.{name}") for name in names if name not in stages.BESIDE}
    return {name: module for name, module in modules.items() if hasattr(module, "CONFIG")}


@cache
def upstream(stage: str) -> tuple[str, ...]:
    """The stages whose artifacts a stage needs; each stands before all that it needs itself."""
    needed: dict[str, None] = {}
    for maker, module in all_stages().items():
        if maker != stage and module.OUTPUT in all_stages()[stage].INPUTS:
            needed |= dict.fromkeys((maker, *upstream(maker)))
    return tuple(sorted(needed, key=lambda name: -len(upstream(name))))


@dataclass(frozen=True)
class Recipe:
    """How a student is made, its seed apart; ``teacher`` may name several, joined by plus signs."""

    student: str
    teacher: str
    loss: str = "hard"
    views: int = 1
    folds: int = 0
    labelled: float = 0.0


@dataclass(frozen=True)
class Selection:
    """A grid of students; ``none`` among the teachers is the baseline, for which loss and folds mean nothing."""

    teachers: tuple[str, ...]
    students: tuple[str, ...]
    seeds: tuple[int, ...]
    losses: tuple[str, ...] = ("hard",)
    views: tuple[int, ...] = (1,)
    folds: tuple[int, ...] = (0,)
    labelled: tuple[float, ...] = (0.0,)

    def __len__(self) -> int:
        """The students that the lists ask for, equal ones counted as often as they are asked for."""
        return math.prod(map(len, vars(self).values()))

    @property
    def real_teachers(self) -> tuple[str, ...]:
        """Every teacher that is named, alone or among several, each once."""
        names = [name for text in self.teachers if text != NO_TEACHER for name in roles(text).values()]
        return tuple(dict.fromkeys(names))

    def recipes(self, epochs: int, truth_loss: str) -> list[Recipe]:
        """Every recipe once.

        Parameters
        ----------
        truth_loss : of students without a teacher.
        epochs : of a student; without a teacher, more views than epochs are as good as new views in every epoch.
        """
        recipes: dict[Recipe, None] = {}
        for student, teacher, loss, views, folds, labelled in product(
            self.students, self.teachers, self.losses, self.views, self.folds, self.labelled
        ):
            if teacher == NO_TEACHER:
                own = views if views < epochs else 1
                recipes[Recipe(student, teacher, canonical(truth_loss), own, labelled=labelled)] = None
            else:
                recipes[Recipe(student, teacher, canonical(loss), views, folds, labelled)] = None
        return list(recipes)


class Graph:
    """Nodes by what they are, over one split; of cross-validation `stages.folds.Folds` holds a graph for each fold.

    Parameters
    ----------
    preset : the task, the configs of all stages and the members of the families.
    raw : the dataset.
    memo : JSON file that remembers hashes of weight files.
    modules : the stages by name; by default all that there are.
    like : the graph of another fold, with which it shares the index and the inputs.
    """

    def __init__(
        self,
        preset: Preset,
        raw: RawData,
        memo: Path | None = None,
        modules: Mapping[str, ModuleType] | None = None,
        like: Graph | None = None,
    ):
        self.preset, self.raw, self._modules = preset, raw, modules or all_stages()
        self._memo = like._memo if like else HashMemo(memo)
        # One object per node: fingerprints are then computed once.
        self.teacher, self.labels, self.student = cache(self._teacher), cache(self._labels), cache(self._student)
        self._shared: dict[str, Node | RawData] = {"raw": raw}
        self.samples = like.samples if like else self._node("index", "samples")
        self._shared["samples"] = self.samples
        self.inputs = like.inputs if like else self._node(preset.task.prepare, "inputs")
        self.split = self._node("split", f"split{preset.split.suffix}")
        self._shared |= {"inputs": self.inputs, "split": self.split}

    def of_fold(self, fold: int) -> Graph:
        """The graph of another outer fold."""
        preset = self.preset.changed({"split": {"fold": fold}})
        return Graph(preset, self.raw, modules=self._modules, like=self)

    def _node(
        self, stage: str, slug: str, config: Any = None, grows: tuple[str, ...] = (), **inputs: Node | RawData
    ) -> Node:
        """A node of a stage, with what all nodes share of the stage's inputs, and with inputs of its own."""
        module = self._modules[stage]
        shared = {name: self._shared[name] for name in module.INPUTS if name in self._shared}
        return Node(
            stage, slug, module.VERSION, config or getattr(self.preset, stage), shared | inputs, module.run, grows
        )

    def _teacher(self, name: str, folds: int = 0, fold: int = 0) -> Node:
        config = self.preset.train_teacher
        network = self._network(self.preset.teacher(name), name, config)
        check_truth_loss(config.truth_loss, self.preset.task.kind)
        learns = self.preset.learns.get(role_and_network(name)[0], "true")
        config = replace(config, teacher=name, folds=folds, fold=fold, learns=learns, architecture=network)
        if learns == "true":  # no shape is modelled
            config = replace(config, shape_share=TeacherConfig.shape_share, procrustes=TeacherConfig.procrustes)
        _check_strength(config)
        slug = self._slug("teacher", name, *_strength(config), f"f{folds}-{fold}" if folds else "")
        return self._node("train_teacher", slug, config)

    def teachers(self, name: str, folds: int = 0) -> dict[str, Node]:
        """The teacher, or the ``folds`` cross-fitted ones, by the names that the labels' record gives them."""
        if not folds:
            return {"teacher": self.teacher(name)}
        return {f"teacher_{fold}": self.teacher(name, folds, fold) for fold in range(folds)}

    def _labels(self, teacher: str, views: int = 1, folds: int = 0, wanted: tuple[str, ...] = ()) -> Node:
        config = replace(
            self.preset.teacher_labels, teacher=teacher, views=views, folds=folds, features=",".join(wanted)
        )
        if views == 1:  # the sample itself: nothing is drawn
            config = replace(config, view_seed=0, mix="none", mix_probability=1.0, views_strength=PLAIN)
        slug = self._slug("labels", teacher, *_drawn(config), *wanted)
        return self._node("teacher_labels", slug, config, GROWS, **self.teachers(teacher, folds))

    def _student(self, recipe: Recipe, seed: int) -> Node:
        config = self.preset.distill
        taught = recipe.teacher != NO_TEACHER
        config = replace(
            config,
            **vars(recipe) | {"labelled": float(recipe.labelled)},
            seed=seed,
            online=config.online and taught,
            architecture=self._network(self.preset.student(recipe.student), recipe.student, config),
        )
        _check(config)
        check_kind(recipe.loss, self.preset.task.kind)
        check_truth_loss(config.truth_loss, self.preset.task.kind)
        method = [recipe.loss] if taught else []
        method += _drawn(config) + ["online"] * config.online
        method += [f"n{recipe.labelled:g}"] if recipe.labelled else []
        slug = self._slug("student", recipe.student, recipe.teacher, *method, f"s{seed}")
        return self._node("distill", slug, config, **(self._taught_by(recipe, config.online) if taught else {}))

    def _taught_by(self, recipe: Recipe, online: bool) -> dict[str, Node]:
        """For each role the teacher's labels, or the teacher itself, by the names that the student's record gives."""
        by_role = roles(recipe.teacher)
        check_roles(recipe.loss, tuple(by_role))
        if online:
            return {f"teacher_{role}": self.teacher(name) for role, name in by_role.items()}
        return {
            f"labels_{role}": self.labels(name, recipe.views, recipe.folds, features(recipe.loss, role))
            for role, name in by_role.items()
        }

    def _network(self, network: Architecture, name: str, config: TrainingConfig) -> Architecture:
        """A network with the command line's weights and input size.

        Raises
        ------
        ConfigError : a size of pictures is given where none are read.
        WeightsError : the weights are a file that is not there.
        """
        task = self.preset.task
        if config.image_size and "rgb" not in (*task.teacher_inputs, *task.student_inputs):
            raise ConfigError(
                f"IMAGE_SIZE={config.image_size} is of pictures, and TASK={task.name} reads "
                f"{', '.join(task.student_inputs)}. Leave IMAGE_SIZE out"
            )
        weights, size = config.weights or network.weights, config.image_size or network.image_size
        network = replace(network, weights=weights, image_size=size)
        file = weights_file(network)
        if file is None:
            return network
        if not file.is_file():
            raise WeightsError(
                f"There are no weights at {file} for {name}. Give a safetensors file, WEIGHTS=hub (timm's pretrained "
                "weights) or WEIGHTS=random."
            )
        digest = self._memo.hash(file)
        self._memo.save()
        return replace(network, digest=digest)

    def _slug(self, *parts: str, end: str = "") -> str:
        """A readable name; other tasks than the first say which they are, and folds of cross-validation which."""
        task = [] if self.preset.task.name == DEFAULT else [self.preset.task.name]
        return bounded("-".join(_plain(part) for part in (*task, *parts) if part) + (end or self.preset.split.suffix))

    def evaluation(self, model: Node) -> Node:
        """The evaluation of a teacher or student; agreement and a teacher's own outputs come from the label caches."""
        labels = {f"labels_{role}": node for role, node in self.labels_of(model).items()}
        return self._node("evaluate", f"evaluation-{model.slug}", model=model, **labels)

    def explanation(self, model: Node) -> Node | None:
        """The heat maps of a teacher or student; None where none are asked for, or the task's answers have none."""
        if not (self.preset.task.explained and self.preset.explain_tests.explained):
            return None
        return self._node("explain_tests", f"explanation-{model.slug}", model=model)

    def labels_of(self, model: Node) -> dict[str, Node]:
        """By role, the labels that a student learned from, or those that a teacher gave itself."""
        if model.config.teacher == NO_TEACHER:
            return {}
        cached = {name.partition("_")[2]: node for name, node in model.inputs.items() if name.startswith("labels_")}
        return cached or {role: self.labels(name) for role, name in roles(model.config.teacher).items()}

    def compressed(self, model: Node) -> Node:
        """The compressed forms of a teacher or student; pruned, it learns again from its labels."""
        config, labels = self.preset.compress, {}
        if not (config.int8 or config.prune):
            raise ConfigError("INT8=0 PRUNE=0 leaves nothing to be done. For a file in float32: make export")
        if config.prune:
            relearns = relearning(model.config, config)
            labels = {f"labels_{role}": node for role, node in self._relearned(model, relearns).items()}
            config = replace(config, trained=relearns)
        else:  # nothing is trained
            config = replace(config, finetune_epochs=0, finetune_rate=0.0)
        return self._node("compress", f"compressed-{model.slug}", config, model=model, **labels)

    def _relearned(self, model: Node, config: DistillConfig) -> dict[str, Node]:
        """By role, the cached labels that a pruned network learns from, with the features that its loss reads."""
        if config.teacher == NO_TEACHER:
            return {}
        cached = self.labels_of(model)
        if all(name in model.inputs for name in (f"labels_{role}" for role in cached)):
            return cached
        return {
            role: self.labels(name, 1, 0, features(config.loss, role)) for role, name in roles(config.teacher).items()
        }

    def benchmark(self, model: Node) -> Node:
        """What the compressed forms of a model are worth beside it."""
        read = {"model": model, "evaluation": self.evaluation(model), "compressed": self.compressed(model)}
        return self._node("benchmark", f"benchmark-{model.slug}", **read)

    def student_of(self, selection: Selection) -> Node:
        """The first selected student with a teacher, or the first of all."""
        students = self.runs(selection)
        return next((node for node in students if node.config.teacher != NO_TEACHER), students[0])

    def runs(self, selection: Selection) -> list[Node]:
        """Every selected student; seed by seed, so that what is there of an unfinished grid is balanced."""
        recipes = selection.recipes(self.preset.distill.epochs, self.preset.distill.truth_loss)
        return [self.student(recipe, seed) for seed in selection.seeds for recipe in recipes]

    def models(self, selection: Selection) -> list[Node]:
        """Every selected teacher and student."""
        return [self.teacher(name) for name in selection.real_teachers] + self.runs(selection)

    def caches(self, selection: Selection) -> list[Node]:
        """The label caches that the selected models need; those with most in them first, the others copy from them."""
        caches = {node.folder_name: node for model in self.models(selection) for node in self.labels_of(model).values()}
        return sorted(caches.values(), key=lambda node: (-len(node.config.features), -node.config.views))

    def evaluations(self, selection: Selection) -> list[Node]:
        """The evaluation of every selected model."""
        return [self.evaluation(model) for model in self.models(selection)]

    def reported(self, selection: Selection) -> dict[str, Node]:
        """What a report reads of this split: every selected model and the labels that they learned from."""
        inputs = {node.slug: node for node in self.caches(selection)}
        for model in self.models(selection):
            inputs |= {f"model-{model.slug}": model, f"evaluation-{model.slug}": self.evaluation(model)}
            if explanation := self.explanation(model):
                inputs[f"explanation-{model.slug}"] = explanation
        return inputs

    def report(self, selection: Selection, also: Sequence[Graph] = ()) -> Node:
        """The report over every selected model and the labels that they learned from.

        Parameters
        ----------
        also : the graphs of the other outer folds, whose models are tested on other subjects.
        """
        inputs = self.reported(selection)
        for other in also:
            inputs |= {other.split.slug: other.split, **other.reported(selection)}
        config = self.preset.report
        if config.benchmark:
            missing = lacking(self.preset.compress)
            config = replace(config, lacking=", ".join(missing))  # it says so then, and is another report
            if not missing:
                student = self.student_of(selection)
                inputs |= {f"benchmark-{student.slug}": self.benchmark(student)}
        return self._node("report", self._slug("report", end=self.preset.split.study), config, **inputs)

    def pretrained(self, family: str, networks: dict[str, Architecture], config: PretrainConfig) -> Node:
        """A member of a family, pretrained from random weights; a ResNet leads the transformers."""
        network = of_views(networks[family], config.views_strength)
        architecture = replace(network, weights="random", trained="all")
        guide = {} if family == GUIDE else {"guide": self.pretrained(GUIDE, networks, config)}
        config = replace(config, architecture=architecture)
        return self._node("pretrain", f"pretrained-{architecture.label}", config, **guide)


def _check(config: DistillConfig) -> None:
    """Refuse what no label, or no cached one, can be right for."""
    if config.mix != "none" and config.task.kind == "points":
        raise ConfigError(f"MIX={config.mix}: two faces in one picture have no points of one face. Leave MIX out.")
    _check_strength(config)
    if config.teacher == NO_TEACHER:
        return
    if config.mix != "none" and config.views == 1 and not config.online:
        raise ConfigError(
            f"MIX={config.mix} makes inputs that VIEWS=1, one label for each sample, says nothing of. "
            f"Let the teacher label mixed views: VIEWS={config.epochs}"
        )
    if config.views > 1 and not config.augment:
        raise ConfigError(f"AUGMENT=false trains on the input itself, VIEWS={config.views} are others. Give VIEWS=1")
    if config.online and config.folds:
        raise ConfigError(f"ONLINE=1 asks one teacher in every step, FOLDS={config.folds} has several. Leave one out.")


def _check_strength(config: TrainingConfig) -> None:
    """Refuse to break the look of what has none, or of no views.

    Raises
    ------
    ConfigError : the task reads no photographs, or its networks learn from the inputs themselves.
    """
    if config.views_strength == PLAIN:
        return
    task, asked = config.task, f"VIEWS_STRENGTH={config.views_strength}"
    if "rgb" not in (*task.teacher_inputs, *task.student_inputs):
        raise ConfigError(
            f"{asked} breaks the look of pictures, and TASK={task.name} reads {', '.join(task.student_inputs)}. "
            "Leave VIEWS_STRENGTH out"
        )
    if not config.augment:
        raise ConfigError(f"AUGMENT=false trains on the input itself, {asked} is of views. Give VIEWS_STRENGTH={PLAIN}")


def _strength(config: TrainingConfig | ViewsConfig) -> list[str]:
    """The part of a slug that says that views are no plain ones."""
    return [] if config.views_strength == PLAIN else [config.views_strength]


def _drawn(config: ViewsConfig) -> list[str]:
    """The parts of a slug that say which views were drawn and by how many teachers they were labelled."""
    views = [f"v{config.views}"] if config.views > 1 else []
    mix = [config.mix] if config.mix != "none" else []
    return views + mix + _strength(config) + ([f"f{config.folds}"] if config.folds else [])


def _plain(part: str) -> str:
    return "".join(c if c.isalnum() or c == "-" else "_" for c in part).lower()
