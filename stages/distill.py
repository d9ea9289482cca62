"""Train a student from what its teachers say, or, as the baseline, from the true labels alone.

With cached labels nothing of a teacher is in memory: inputs and labels stream from their files. Online, the teachers
are asked in every step about the very views that the student sees. Writes ``weights.safetensors``,
``domain.safetensors`` (what its training inputs look like to it), ``model.json`` (the network's card),
``MODEL_CARD.md``, ``history.csv`` and ``tensorboard/``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes
from pipeline.config import DistillConfig

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.artifacts.store import Artifact, Work
    from pipeline.distillation.targets import TargetsByRole
    from pipeline.inputs.batches import Samples

VERSION = 7
CONFIG = DistillConfig
INPUTS = ("samples", "split", "inputs", "labels")
OUTPUT = "students"


@in_processes
def run(
    config: DistillConfig, work: Work, samples: Artifact, inputs: Artifact, split: Artifact, **teachers: Artifact
) -> dict[str, Any]:
    """Train the student that the config names.

    Parameters
    ----------
    teachers : for each role ``labels_<role>``, its cached labels, or ``teacher_<role>``, the teacher itself, to be
        asked in every step; none for the baseline.

    Raises
    ------
    ArtifactError : labels are damaged, lack a sample, or were made for other outputs, inputs, views or teachers.
    WeightsError : the initial weights cannot be had.
    ConfigError : labels of more subjects are asked for than there are.
    DataError : a part is empty, or a class is missing from the training part or from the labels that are known of it.
    """
    from pipeline.artifacts import arrays
    from pipeline.compute import distributed
    from pipeline.inputs import prepared, sample_table
    from pipeline.inputs.views.plan import Plan, broken_look
    from pipeline.reporting import runs
    from pipeline.training import supervised

    table = sample_table.read(samples, config.task, inputs)
    assigned = arrays.read_table(split.file("split.csv"))
    columns = arrays.open_inputs(inputs)
    online = config.task.teacher_inputs if config.online else ()  # a teacher in the loop reads what it always reads
    train, val = (
        supervised.join(table, assigned, columns, part, config.task, (*config.task.student_inputs, *also))
        for part, also in (("train", online), ("val", ()))
    )
    by_role = _targets(config, inputs, teachers, train)
    learned, budget = _labelled(config, train, assigned)
    prepare = prepared.entry(inputs)
    strong = broken_look(config.views_strength, config.task.prepare)
    lesson = supervised.Lesson(
        config.task,
        learned,
        val,
        Plan(config.view_seed, config.views, config.mix, config.augment, config.mix_probability, strong),
        config.loss,
        config.temperature,
        by_role,
        tuple(_by_role(teachers)),
        epoch=len(train),
        constants=config.constants,
        scales=prepare.get("scales"),
    )
    origin = {
        "role": "student",
        "name": config.student,
        "teacher": config.teacher,
        "views": config.views,
        "folds": config.folds,
        "mix": config.mix,
        "views_strength": config.views_strength,
        "online": config.online,
        "labelled": config.labelled,
        **budget,
        "temperature": config.temperature,
        "seed": config.seed,
        "learned_from": runs.learned_from(samples),
        "inputs_fingerprint": inputs.fingerprint,
        "prepare": prepare,
        "split_fingerprint": split.fingerprint,
        "labels_fingerprints": {name: one.fingerprint for name, one in teachers.items()},
    }
    summary = supervised.train(config, lesson, work, origin)
    summary["counts"] |= budget
    if distributed.team().chief:
        _write_card(config, work, samples, split, summary)
    return summary


def _write_card(config: DistillConfig, work: Work, samples: Artifact, split: Artifact, summary: dict[str, Any]) -> None:
    """The model card, as far as it is known before the student was tested."""
    from pipeline import config as configuration
    from pipeline.artifacts import arrays, cards
    from pipeline.reporting import modelcard

    facts = modelcard.facts(
        configuration.as_dict(config),
        work.fingerprint,
        samples.summary["dataset"],
        arrays.read_table(split.file("split.csv")),
        summary["best"],
        modelcard.fold_of(split.config),
    )
    (work.path / "MODEL_CARD.md").write_text(modelcard.render(cards.read(work.path), facts), encoding="utf-8")


def _labelled(config: DistillConfig, train: Samples, assigned: pd.DataFrame) -> tuple[Samples, dict[str, int]]:
    """The training samples as far as the student knows their labels, and how many subjects and samples those are.

    Without a teacher there is nothing to learn from the others: they are left out.
    """
    import numpy as np

    from pipeline.config import NO_TEACHER
    from pipeline.distillation.kinds import KINDS
    from pipeline.inputs import budget

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
    from pipeline.compute import devices
    from pipeline.distillation.ensemble import TeacherEnsemble
    from pipeline.distillation.labels import open_checked
    from pipeline.distillation.targets import CachedTargets, OnlineTargets, TargetsByRole
    from pipeline.tasks.objective import required_targets

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
