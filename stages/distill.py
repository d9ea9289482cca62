"""Train a student from what its teachers say, or, as the baseline, from the true labels alone.

With cached labels nothing of a teacher is in memory: inputs and labels stream from their files. Online, the teachers
are asked in every step about the very views that the student sees. Writes ``weights.safetensors``,
``domain.safetensors`` (what its training inputs look like to it), ``model.json`` (the network's card),
``MODEL_CARD.md``, ``history.csv`` and ``tensorboard/``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes
from pipeline.config import DistillConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 8
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
    from pipeline.compute import distributed
    from pipeline.inputs import prepared
    from pipeline.reporting import runs
    from pipeline.training import lessons, supervised

    lesson, budget = lessons.of_student(config, samples, inputs, split, teachers)
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
        "prepare": prepared.entry(inputs),
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
