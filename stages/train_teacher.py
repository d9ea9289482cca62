"""Train a teacher on the training faces; the epoch with the lowest validation loss is kept.

Writes ``weights.safetensors``, ``model.json`` (the network's card), ``history.csv`` and ``tensorboard/``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact, Work
    from pipeline.config import TeacherConfig

VERSION = 1


def run(config: TeacherConfig, work: Work, samples: Artifact, faces: Artifact, split: Artifact) -> dict[str, Any]:
    """Train the teacher that the config names.

    Raises
    ------
    WeightsError : its initial weights cannot be had.
    DataError : a part is empty, or a class is missing from the training part.
    """
    from functools import partial

    from pipeline import classification, stores
    from pipeline.tasks import PAIN

    parts = partial(
        classification.join,
        stores.read_table(samples.file("samples.csv")),
        stores.read_table(split.file("split.csv")),
        stores.open_faces(faces),
    )
    origin = {
        "role": "teacher",
        "name": config.teacher,
        "seed": config.seed,
        "faces_fingerprint": faces.fingerprint,
        "alignment": {name: faces.config[name] for name in ("face_size", "margin")},
        "split_fingerprint": split.fingerprint,
    }
    return classification.train(
        config, PAIN.loss, PAIN.classes, parts, work.path, work.fingerprint, work.node.slug, origin
    )
