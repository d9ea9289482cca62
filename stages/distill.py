"""Train a student from the cached answers of a teacher, or, as the baseline, from the true labels alone.

Nothing of the teacher is in memory: faces and answers stream from their files. Writes ``weights.safetensors``,
``model.json`` (the network's card), ``history.csv`` and ``tensorboard/``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact, Work
    from pipeline.config import DistillConfig

VERSION = 1


def run(
    config: DistillConfig,
    work: Work,
    samples: Artifact,
    faces: Artifact,
    split: Artifact,
    labels: Artifact | None = None,
) -> dict[str, Any]:
    """Train the student that the config names.

    Parameters
    ----------
    labels : the teacher's answers; None for the baseline, whose two tokens both learn the true label under otherwise
        equal conditions.

    Raises
    ------
    ArtifactError : the labels were made for other faces or classes, or by another teacher than their record says.
    WeightsError : the student's initial weights cannot be had.
    DataError : a part is empty, or a class is missing from the training part.
    """
    from functools import partial

    from pipeline import classification, labelling, stores
    from pipeline.tasks import PAIN

    answers = labelling.open_checked(labels, classes=PAIN.classes, faces=faces) if labels else None
    parts = partial(
        classification.join,
        stores.read_table(samples.file("samples.csv")),
        stores.read_table(split.file("split.csv")),
        stores.open_faces(faces),
        answers=answers,
    )
    origin = {
        "role": "student",
        "name": config.student,
        "teacher": config.teacher,
        "seed": config.seed,
        "faces_fingerprint": faces.fingerprint,
        "alignment": {name: faces.config[name] for name in ("face_size", "margin")},
        "split_fingerprint": split.fingerprint,
        "labels_fingerprint": labels.fingerprint if labels else "",
    }
    loss = config.loss if labels else PAIN.loss
    return classification.train(config, loss, PAIN.classes, parts, work.path, work.fingerprint, work.node.slug, origin)
