"""What a student learns from the artifacts of its stage: samples, their truth, and what its teachers say of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact
from pipeline.compute import devices
from pipeline.config import NO_TEACHER, DistillConfig
from pipeline.distillation.ensemble import TeacherEnsemble
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.labels import open_checked
from pipeline.distillation.targets import CachedTargets, OnlineTargets, TargetsByRole
from pipeline.inputs import budget, prepared, sample_table
from pipeline.inputs.batches import Samples
from pipeline.inputs.views.plan import Plan
from pipeline.tasks.objective import required_targets
from pipeline.training.supervised import Lesson, join


def of_student(
    config: DistillConfig,
    samples: Artifact,
    inputs: Artifact,
    split: Artifact,
    teachers: Mapping[str, Artifact],
    reads: tuple[str, ...] = (),
) -> tuple[Lesson, dict[str, int]]:
    """The lesson of a student, and of how many subjects and samples it knows the true labels.

    Parameters
    ----------
    teachers : for each role ``labels_<role>``, its cached labels, or ``teacher_<role>``, the teacher itself, to be
        asked in every step; none for the baseline.
    reads : the modalities that the network reads; by default those of the task's students.

    Raises
    ------
    ArtifactError : labels are damaged, lack a sample, or were made for other outputs, inputs, views or teachers.
    ConfigError : labels of more subjects are asked for than there are.
    DataError : a part is empty, or a class is missing from the labels that are known of the training part.
    """
    table = sample_table.read(samples, config.task, inputs)
    assigned = arrays.read_table(split.file("split.csv"))
    columns, reads = arrays.open_inputs(inputs), reads or config.task.student_inputs
    online = config.task.teacher_inputs if config.online else ()  # a teacher in the loop reads what it always reads
    train, val = (
        join(table, assigned, columns, part, config.task, (*reads, *also))
        for part, also in (("train", online), ("val", ()))
    )
    by_role = _targets(config, inputs, teachers, train)
    learned, known = _labelled(config, train, assigned)
    lesson = Lesson(
        config.task,
        learned,
        val,
        Plan(config.view_seed, config.views, config.mix, config.augment, config.mix_probability),
        config.loss,
        config.temperature,
        by_role,
        tuple(_by_role(teachers)),
        epoch=len(train),
        constants=config.constants,
        scales=prepared.entry(inputs).get("scales"),
        seen=train,
    )
    return lesson, known


def _labelled(config: DistillConfig, train: Samples, assigned: pd.DataFrame) -> tuple[Samples, dict[str, int]]:
    """The training samples as far as the student knows their labels, and how many subjects and samples those are.

    Without a teacher there is nothing to learn from the others: they are left out.
    """
    kind = KINDS[config.task.kind]
    subjects = assigned.set_index("sample_id")["subject_id"].loc[train.sample_ids].astype(str).to_numpy()
    known = budget.known(subjects, kind.strata(train.truth), config.labelled, config.seed)
    counts = {"labelled_subjects": len(set(subjects[known])), "labelled_samples": int(known.sum())}
    if known.all():
        return train, counts
    partial = dataclasses.replace(train, truth=kind.hide(train.truth, known))
    kind.check(partial.truth, config.task)
    return partial.at(np.flatnonzero(known)) if config.teacher == NO_TEACHER else partial, counts


def _by_role(teachers: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """Labels or teachers by the role that their name ends with."""
    return {name.partition("_")[2]: artifact for name, artifact in teachers.items()}


def _targets(
    config: DistillConfig, inputs: Artifact, teachers: Mapping[str, Artifact], train: Samples
) -> TargetsByRole | None:
    """What each teacher says of the training samples; None without a teacher."""
    device, providers = devices.pick(config.device), {}
    for role, artifact in _by_role(teachers).items():
        kinds = required_targets(config.loss, role)
        if config.online:
            ensemble = TeacherEnsemble.load([artifact], device, config.precision)
            providers[role] = OnlineTargets(ensemble, kinds, config.task.kind)
        else:
            store = open_checked(artifact, outputs=config.task.numbers, inputs=inputs, wanted=config)
            providers[role] = CachedTargets(store, train.sample_ids, kinds, device)
    return TargetsByRole(providers) if providers else None
