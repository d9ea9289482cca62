"""Train a teacher on the training samples; the best epoch on validation is kept.

Writes ``weights.safetensors``, ``model.json`` (the network's card), ``history.csv`` and ``tensorboard/``. A teacher for
cross-fitting does not see one fold of the training subjects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes
from pipeline.config import TeacherConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 4
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
    from pipeline.inputs import prepared
    from pipeline.inputs.split import fold_of
    from pipeline.inputs.views.plan import Plan, teacher_seed
    from pipeline.tasks.objective import BASELINE
    from pipeline.training import supervised

    table = arrays.read_table(samples.file("samples.csv"))
    assigned = arrays.read_table(split.file("split.csv"))
    columns = arrays.open_inputs(inputs)
    train, val = (
        supervised.join(table, assigned, columns, part, config.task, config.task.teacher_inputs)
        for part in ("train", "val")
    )
    if config.folds:
        folds = fold_of(table, assigned, samples.summary, config.folds)
        train = train.at((folds.loc[train.sample_ids] != config.fold).to_numpy().nonzero()[0])
    plan = Plan(teacher_seed(config.seed), augment=config.augment)
    prepare = prepared.entry(inputs)
    origin = {
        "role": "teacher",
        "name": config.teacher,
        "seed": config.seed,
        "folds": config.folds,
        "fold": config.fold,
        "inputs_fingerprint": inputs.fingerprint,
        "prepare": prepare,
        "split_fingerprint": split.fingerprint,
    }
    lesson = supervised.Lesson(config.task, train, val, plan, BASELINE, scales=prepare.get("scales"))
    return supervised.train(config, lesson, work, origin)
