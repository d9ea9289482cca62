"""Let a trained teacher answer once for every aligned face, and keep its raw logits.

Writes ``labels.h5``: logits float32 (N, V, C), hard labels int64 (N, V), sample ids; with V = 1 the view is the face
itself. Who answered, for what, and how is kept in the file's attributes and checked when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact, Work
    from pipeline.config import LabelsConfig

VERSION = 1


def run(
    config: LabelsConfig, work: Work, samples: Artifact, faces: Artifact, split: Artifact, teacher: Artifact
) -> dict[str, Any]:
    """Label every face of every part with the teacher.

    Raises
    ------
    ArtifactError : the teacher or the faces are damaged.
    """
    from pipeline import devices, labelling, models, stores

    device = devices.pick(config.device)
    devices.seed_everything(0)
    model, card = models.load_model(teacher.path)
    columns = stores.open_faces(faces)
    attrs = {
        "classes": card["classes"],
        "teacher": card["architecture"],
        "teacher_fingerprint": teacher.fingerprint,
        "faces_fingerprint": faces.fingerprint,
        "mean": card["input"]["mean"],
        "std": card["input"]["std"],
        "image_size": card["input"]["size"],
        "view_seed": config.view_seed,
        "views": 1,
        "precision": devices.arithmetic(device, config.precision),
    }
    spec = models.InputSpec(**card["input"])
    path = work.path / "labels.h5"
    labelling.write_labels(path, work.fingerprint, model.to(device), columns, spec, attrs, config.batch_size, device)
    answers = stores.Columns(path, "labels", work.fingerprint)
    return {"counts": _counts(samples, split, answers, card["classes"]), "skipped": []}


def _counts(samples: Artifact, split: Artifact, answers: Any, classes: list[str]) -> dict[str, int]:
    """Faces, hard labels of each class, and how often the teacher disagrees with the truth in each part."""
    from pipeline import stores

    truth = stores.read_table(samples.file("samples.csv")).merge(
        stores.read_table(split.file("split.csv"))[["sample_id", "part"]], on="sample_id"
    )
    hard = answers["hard"][answers.rows(truth["sample_id"]), 0]
    counts = {"faces": len(answers["hard"])}
    counts |= {name: int((answers["hard"][:, 0] == number).sum()) for number, name in enumerate(classes)}
    for part, rows in truth.groupby("part").indices.items():
        counts[f"{part}_disagrees"] = int((hard[rows] != truth["label"].to_numpy()[rows]).sum())
        counts[part] = len(rows)
    return counts


def verify(
    labels: Artifact,
    teacher: Artifact,
    faces: Artifact,
    share: float = 0.01,
    device: str = "auto",
    batch_size: int = 64,
) -> int:
    """Ask the teacher again for a share of the rows, at least eight, and return how many.

    Raises
    ------
    ArtifactError : the labels belong to another teacher or other faces, or an answer differs; rows are named.
    """
    from pipeline import devices, labelling, models, stores

    device = devices.pick(device)
    model, card = models.load_model(teacher.path)
    answers = labelling.open_checked(
        labels, classes=card["classes"], faces=faces, teacher_fingerprint=teacher.fingerprint
    )
    rows = labelling.sample_rows(answers.sample_ids, share)
    labelling.compare(
        answers,
        model.to(device),
        stores.open_faces(faces),
        models.InputSpec(**card["input"]),
        rows,
        batch_size,
        device,
    )
    return len(rows)
