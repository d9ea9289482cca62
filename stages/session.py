"""One run of a command: its preset, graphs, store and selection of models."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any

import click

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, Node
from pipeline.config import EACH_SUBJECT
from pipeline.errors import ConfigError, DataError
from pipeline.serving_config import PACKAGES
from pipeline.tasks import TASKS
from pipeline.tasks.objective import FEATURES
from stages import housekeeping
from stages import split as splitting
from stages.folds import Folds, count_of
from stages.graph import Graph
from stages.options import MOST_RUNS, configured, listed, selection, store_for

ROLES = ("student", "teacher", "both")  # of the networks that a command puts to work


class Session:
    """One command's preset, graphs, store and selection of models.

    Parameters
    ----------
    stage : of the command.
    values : of its options.
    makes : whether the command may make the index, where that has to say how many folds there are.
    """

    def __init__(self, stage: str, values: dict[str, Any], makes: bool = True):
        self.preset = configured(values, stage)
        splitting.check(self.preset.split)
        self.store = store_for(self.preset, values["cache"])
        memo, index = self.store.root / ".hashes.json", self.preset.index
        raw = RawData.of(self.preset.data, memo, max_files=index.max_files)
        self._makes, self._first = makes, Graph(self.preset, raw, self.store.root / ".weights.json")
        self.selection = selection(self.preset, values)

    @property
    def samples(self) -> Node:
        """The index, known before the folds are."""
        return self._first.samples

    @property
    def inputs(self) -> Node:
        """The prepared inputs, known before the folds are."""
        return self._first.inputs

    @cached_property
    def graph(self) -> Folds:
        """The graphs of all folds.

        Raises
        ------
        ConfigError : they have more students than anybody means.
        DataError : the index has to say how many there are, and is not there.
        """
        cv = self.preset.split.cv
        if self._makes and cv == EACH_SUBJECT:
            self.store.build(self.samples)
        made = Folds(self._first, count_of(cv, self.samples, self.store))
        if (count := len(self.selection) * len(made.graphs)) > MOST_RUNS:
            raise ConfigError(
                f"CV={cv} asks for {count:,} students in {len(made.graphs)} folds, at most {MOST_RUNS:,} go together. "
                "Give fewer folds, or shorten the lists."
            )
        return made

    def wanted(self) -> Node:
        """All that the command's options ask for: the report, or, while no index says who its folds are, the inputs."""
        unknown = self.preset.split.cv == EACH_SUBJECT and not self.store.find(self.samples)
        return self.inputs if unknown else self.graph.report(self.selection)

    @property
    def teachers(self) -> tuple[str, ...]:
        """The selected teachers, at least one.

        Raises
        ------
        ConfigError : only ``none`` is selected.
        """
        if not self.selection.real_teachers:
            raise ConfigError("TEACHER=none is the student without a teacher. Name a teacher: TEACHER=swin")
        return self.selection.real_teachers

    @property
    def first(self) -> Graph:
        """The graph of the first fold, or of the one split."""
        return self.graph.graphs[0]

    def networks(self, role: str) -> list[Node]:
        """The networks of a role in the first fold: one student, the selected teachers, or both."""
        students = [self.first.student_of(self.selection)] if role != ROLES[1] else []
        return students + ([self.first.teacher(name) for name in self.teachers] if role != ROLES[0] else [])

    def label_caches(self) -> list[Node]:
        """The labels of the selected teachers, views and folds, with the features that are asked for."""
        chosen, features = self.selection, self.preset.teacher_labels.features
        wanted = listed("FEATURES", features) if features else ()
        if unknown := set(wanted) - set(FEATURES):
            raise ConfigError(
                f"FEATURES={features} names {', '.join(sorted(unknown))}: there are {', '.join(FEATURES)}."
            )
        wanted = tuple(name for name in FEATURES if name in wanted)
        grid = list(product(self.teachers, chosen.views, chosen.folds))
        return [graph.labels(name, views, folds, wanted) for graph in self.graph.graphs for name, views, folds in grid]

    def build(self, *nodes: Node) -> list[Artifact]:
        """Build the nodes; what cannot be is said before anything long runs.

        Raises
        ------
        ConfigError : timm has no network of a name, or labels of more subjects are asked for than there are.
        DataError : the dataset says nothing of what the task asks, at all or in an outer fold, or a number is outside
            its bounds.
        """
        pending = self.store.pending(*nodes)
        self._check_names(pending)
        self._check_compressible(pending)
        if any(getattr(node.config, "task", None) for node in pending):
            self._check_target()
        self._check_budgets(pending)
        self._check_folds(pending)
        return self.store.build(*nodes)

    def _check_names(self, pending: list[Node]) -> None:
        """Refuse networks that timm does not know, before anything is made."""
        networks = (*self.preset.teacher_networks.values(), *self.preset.student_networks.values())
        families = {network.name for network in networks}
        wanted = (getattr(node.config, "architecture", None) for node in pending)
        names = {architecture.name for architecture in wanted if architecture} - families
        if names:
            from pipeline.models.core import check_name  # imports timm

            for name in sorted(names):
                check_name(name, (*self.preset.teacher_networks, *self.preset.student_networks))

    def _check_compressible(self, pending: list[Node]) -> None:
        """Refuse what cannot be pruned, and say what is not installed, before the networks are trained."""
        nodes = [node for node in pending if node.stage == "compress"]
        if not nodes:
            return
        from pipeline.models import pruning  # imports timm
        from pipeline.serving import onnx_file

        onnx_file.needed(*PACKAGES["int8"])
        task, untrained = self.preset.task, {node.folder_name for node in pending}
        for node in nodes:
            if node.config.prune and node.inputs["model"].folder_name in untrained:
                pruning.check(node.config.trained.architecture, task.numbers, node.config.prune)

    def _check_target(self) -> None:
        """Refuse a task that the dataset says nothing of, or numbers outside its bounds, before inputs are prepared."""
        (samples,) = self.store.build(self.samples)
        task, targets = self.preset.task, samples.summary["targets"]
        if unknown := [name for name in task.targets if name not in targets]:
            others = [f"TASK={name}" for name, other in TASKS.items() if set(other.targets) <= set(targets)]
            raise DataError(
                f"{self.preset.data} says nothing of {', '.join(unknown)}, which TASK={task.name} asks for; it knows "
                f"{', '.join(targets)}. Choose another dataset{', or ' * bool(others)}{' or '.join(others)}"
            )
        if task.bounds:
            from pipeline.inputs import sample_table  # imports numpy and pandas

            sample_table.numbers(sample_table.read(samples, task), task)

    def _check_budgets(self, pending: list[Node]) -> None:
        """Refuse budgets of more subjects than a split has to train on, before teachers are trained."""
        students = [node for node in pending if getattr(node.config, "labelled", 0)]
        for divided in {node.inputs["split"].folder_name: node.inputs["split"] for node in students}.values():
            from pipeline.inputs import budget  # imports numpy

            (made,) = self.store.build(divided)
            for labelled in {node.config.labelled for node in students}:
                budget.count(labelled, made.summary["counts"]["train"]["subjects"])

    def _check_folds(self, pending: list[Node]) -> None:
        """Refuse outer folds that nothing could be tested on, before their teachers are trained.

        Raises
        ------
        DataError : the test or validation part of a fold has no sample that answers the task's question.
        """
        splits = {
            node.inputs["split"].folder_name: node.inputs["split"] for node in pending if node.stage == "evaluate"
        }
        if not self.preset.split.crossed or not splits:
            return
        from pipeline.artifacts import arrays  # imports numpy and pandas
        from pipeline.evaluation import predictions
        from pipeline.inputs import sample_table

        task, cv = self.preset.task, self.preset.split.cv
        samples, *made = self.store.build(self.samples, *splits.values())
        table = sample_table.read(samples, task)
        for split in made:
            parts = predictions.samples_table(table, arrays.read_table(split.file("split.csv")), None, task)["part"]
            if empty := {"test", "val"} - set(parts):
                raise DataError(
                    f"CV={cv}: the {' and the '.join(sorted(empty))} part of {split.slug} have no {task.sample} that "
                    f"answers what TASK={task.name} asks. Give fewer folds, so that each has people who do: CV=5"
                )

    def make(self, *nodes: Node) -> list[Artifact]:
        """Build the nodes and print where their artifacts are."""
        artifacts = self.build(*nodes)
        for artifact in artifacts:
            click.echo(housekeeping.shown(artifact.path))
        return artifacts
