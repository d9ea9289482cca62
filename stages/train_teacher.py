"""Train a teacher on the training faces; the epoch with the lowest validation loss is kept.

Writes ``weights.safetensors``, ``model.json`` (the network's card), ``history.csv`` and ``tensorboard/``. A teacher for
cross-fitting does not see one fold of the training subjects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.config import TeacherConfig

VERSION = 2


@in_processes
def run(config: TeacherConfig, work: Work, samples: Artifact, faces: Artifact, split: Artifact) -> dict[str, Any]:
    """Train the teacher that the config names.

    Raises
    ------
    WeightsError : its initial weights cannot be had.
    DataError : a part is empty, a class is missing from the training part, or there are fewer subjects than folds.
    """
    from pipeline.artifacts import arrays
    from pipeline.inputs import split as splits
    from pipeline.inputs.views import image as views
    from pipeline.tasks import PAIN
    from pipeline.training import supervised

    table = arrays.read_table(samples.file("samples.csv"))
    assigned = arrays.read_table(split.file("split.csv"))
    columns = arrays.open_inputs(faces)

    def parts(part: str) -> supervised.Faces:
        found = supervised.join(table, assigned, columns, part)
        if part != "train" or not config.folds:
            return found
        folds = splits.fold_of(table, assigned, samples.summary["attributes"], config.folds)
        return found.without(folds.loc[found.sample_ids].to_numpy() == config.fold)

    origin = {
        "role": "teacher",
        "name": config.teacher,
        "seed": config.seed,
        "folds": config.folds,
        "fold": config.fold,
        "faces_fingerprint": faces.fingerprint,
        "alignment": {name: faces.config[name] for name in ("face_size", "margin")},
        "split_fingerprint": split.fingerprint,
    }
    plan = views.Plan(views.teacher_seed(config.seed), augment=config.augment)
    return supervised.train(config, "label", PAIN.outputs, parts, plan, work, origin)
