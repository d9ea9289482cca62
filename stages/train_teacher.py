"""Train a teacher on the training samples; the best epoch on validation is kept.

Writes ``weights.safetensors``, ``domain.safetensors`` (what its training inputs look like to it), ``model.json`` (the
network's card), ``history.csv`` and ``tensorboard/``. A teacher for cross-fitting does not see one fold of the training
subjects. A teacher of soft points learns them as a shape model of the training samples smooths them; it writes that
too, ``shape_model.npz``, and ``soft_points.csv``, some samples' points before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes
from pipeline.config import TeacherConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 7
CONFIG = TeacherConfig
INPUTS = ("samples", "split", "inputs")
OUTPUT = "teachers"


@in_processes
def run(config: TeacherConfig, work: Work, samples: Artifact, inputs: Artifact, split: Artifact) -> dict[str, Any]:
    """Train the teacher that the config names.

    Raises
    ------
    WeightsError : its initial weights cannot be had.
    DataError : a part is empty, a class is missing from the training part, or there are fewer subjects than folds.
    """
    from pipeline.artifacts import arrays
    from pipeline.compute import distributed
    from pipeline.inputs import prepared, sample_table
    from pipeline.inputs.split import fold_of
    from pipeline.inputs.views.plan import Plan, broken_look, teacher_seed
    from pipeline.reporting import runs
    from pipeline.training import supervised
    from pipeline.training.soft_points import SoftPoints

    table = sample_table.read(samples, config.task, inputs)
    assigned = arrays.read_table(split.file("split.csv"))
    columns = arrays.open_inputs(inputs)
    train, val = (
        supervised.join(table, assigned, columns, part, config.task, config.task.teacher_inputs)
        for part in ("train", "val")
    )
    if config.folds:
        folds = fold_of(table, assigned, samples.summary, config.folds)
        train = train.at((folds.loc[train.sample_ids] != config.fold).to_numpy().nonzero()[0])
    facts = {}
    if config.learns == "soft":
        soft = SoftPoints.fit(config.task, train, config.shape_share, config.procrustes)
        distributed.team().once(lambda: soft.save(work.path))
        train, val, facts = soft.of(train), soft.of(val), {"shape_model": soft.facts()}
    strong = broken_look(config.views_strength, config.task.prepare)
    plan = Plan(teacher_seed(config.seed), augment=config.augment, strong=strong)
    prepare = prepared.entry(inputs)
    origin = {
        "role": "teacher",
        "name": config.teacher,
        "seed": config.seed,
        "learned_from": runs.learned_from(samples),
        "folds": config.folds,
        "fold": config.fold,
        "views_strength": config.views_strength,
        "inputs_fingerprint": inputs.fingerprint,
        "prepare": prepare,
        "split_fingerprint": split.fingerprint,
    }
    lesson = supervised.Lesson(config.task, train, val, plan, config.truth_loss, scales=prepare.get("scales"))
    return supervised.train(config, lesson, work, origin) | facts
