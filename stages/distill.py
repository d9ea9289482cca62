"""Train a student from the answers of a teacher, or, as the baseline, from the true labels alone.

With cached answers nothing of the teacher is in memory: faces and labels stream from their files. Online, the teacher
is asked in every step about the very views that the student sees. Writes ``weights.safetensors``, ``model.json`` (the
network's card), ``MODEL_CARD.md``, ``history.csv`` and ``tensorboard/``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.config import DistillConfig

VERSION = 2


@in_processes
def run(
    config: DistillConfig,
    work: Work,
    samples: Artifact,
    faces: Artifact,
    split: Artifact,
    labels: Artifact | None = None,
    teacher: Artifact | None = None,
) -> dict[str, Any]:
    """Train the student that the config names.

    Parameters
    ----------
    labels : the teacher's answers.
    teacher : the teacher itself, online; without it and labels, the student learns the true labels under otherwise
        equal conditions.

    Raises
    ------
    ArtifactError : the labels were made for other faces, classes, pixels or views, by another teacher than their record
        says, or lack what the loss learns from.
    WeightsError : the student's initial weights cannot be had.
    DataError : a part is empty, or a class is missing from the training part.
    """
    from functools import partial

    from pipeline.artifacts import arrays
    from pipeline.compute import distributed
    from pipeline.inputs.views import image as views
    from pipeline.tasks import PAIN
    from pipeline.training import supervised

    parts = partial(
        supervised.join,
        arrays.read_table(samples.file("samples.csv")),
        arrays.read_table(split.file("split.csv")),
        arrays.open_inputs(faces),
    )
    origin = {
        "role": "student",
        "name": config.student,
        "teacher": config.teacher,
        "views": config.views,
        "folds": config.folds,
        "mix": config.mix,
        "online": config.online,
        "temperature": config.temperature,
        "seed": config.seed,
        "faces_fingerprint": faces.fingerprint,
        "alignment": {name: faces.config[name] for name in ("face_size", "margin")},
        "split_fingerprint": split.fingerprint,
        "labels_fingerprint": labels.fingerprint if labels else "",
    }
    summary = supervised.train(
        config,
        config.loss,
        PAIN.outputs,
        parts,
        views.Plan(config.view_seed, config.views, config.mix, config.augment),
        work,
        origin,
        provider=_provider(config, faces, labels, teacher),
        temperature=config.temperature,
    )
    if distributed.team().chief:
        _write_card(config, work, samples, split, summary)
    return summary


def _write_card(config: DistillConfig, work: Work, samples: Artifact, split: Artifact, summary: dict[str, Any]) -> None:
    """The model card, as far as it is known before the student was tested."""
    import json

    from pipeline import config as configuration
    from pipeline.artifacts import arrays
    from pipeline.reporting import modelcard

    facts = modelcard.facts(
        configuration.as_dict(config),
        work.fingerprint,
        samples.summary["dataset"],
        arrays.read_table(split.file("split.csv")),
        summary["best"],
    )
    card = json.loads((work.path / "model.json").read_text(encoding="utf-8"))
    (work.path / "MODEL_CARD.md").write_text(modelcard.render(card, facts), encoding="utf-8")


def _provider(
    config: DistillConfig, faces: Artifact, labels: Artifact | None, teacher: Artifact | None
) -> Callable | None:
    """Who says what the teacher thinks of the training faces; None without a teacher."""
    from pipeline.compute import devices
    from pipeline.distillation import labels as label_store
    from pipeline.distillation.ensemble import TeacherEnsemble
    from pipeline.tasks import PAIN, objective

    kinds, device = objective.required_targets(config.loss), devices.pick(config.device)
    if teacher:
        ensemble = TeacherEnsemble.load([teacher.path], device, config.precision)
        return lambda learned: label_store.OnlineTargets(ensemble, kinds)
    if labels:
        found = label_store.open_checked(labels, classes=PAIN.outputs, faces=faces, wanted=config)
        return lambda learned: label_store.CachedTargets(found, learned.sample_ids, kinds, device)
    return None
