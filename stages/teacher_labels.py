"""Let a trained teacher answer once for every aligned face and view, and keep its raw logits.

Writes ``labels.h5``: for every face its logits float32 (N, C), hard label, the fold whose teacher answered, and sample
id. With several views, or with features, also ``views.h5``: the same for V views of the M training faces, features as
float16. Views that labels with fewer of them have are copied. Who answered, for what, and how is kept in the files'
attributes and checked when they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.config import LabelsConfig
    from pipeline.distillation.label_writer import LabelJob
    from pipeline.distillation.labels import LabelStore

VERSION = 2


@in_processes
def run(
    config: LabelsConfig, work: Work, samples: Artifact, faces: Artifact, split: Artifact, **teachers: Artifact
) -> dict[str, Any]:
    """Label every face of every part with the teacher, or, cross-fitted, with the one that has not seen the person.

    Parameters
    ----------
    teachers : ``teacher``, or ``teacher_0`` and so on for the folds; validation and test get the mean of all folds.

    Raises
    ------
    ArtifactError : a teacher or the faces are damaged, or a feature cannot be kept.
    """
    from pipeline.compute import devices
    from pipeline.distillation import label_writer
    from pipeline.distillation import labels as label_store

    devices.seed_everything(0)
    job = _job(config, samples, faces, split, list(teachers.values()))
    attrs = _attrs(config, job, faces, list(teachers.values()))
    features = tuple(name for name in config.features.split(",") if name)
    several = config.views > 1 or bool(features)
    had = [label_store.LabelStore.of(relative) for relative in work.relatives]
    asked = label_writer.write_faces(work.path, work.fingerprint, job, attrs, config.batch_size, next(iter(had), None))
    counts = {"faces_asked": asked, "views": config.views, "views_computed": 0, "views_copied": 0}
    if several:
        source = _with_most_views(had, config, features)
        copied = label_writer.write_views(work.path, work.fingerprint, job, features, attrs, config.batch_size, source)
        counts |= {"views_computed": config.views - copied, "views_copied": copied}
    made = label_store.LabelStore.load(work.path, work.fingerprint, several)
    return {
        "counts": _counts(samples, split, made) | counts,
        "skipped": [],
        "bytes_per_view": _bytes(made, ("logits", "hard")),
        "feature_bytes_per_view": _bytes(made, features),
        "float32_agreement": _agreement(config, work, made, job, attrs["precision"]),
    }


def _agreement(
    config: LabelsConfig, work: Work, made: LabelStore, job: LabelJob, precision: str
) -> dict[str, float] | None:
    """How near the answers are to those of float32, as a relative recorded it where the answers are its; or None."""
    from pipeline.distillation import label_writer

    if precision == "float32":
        return None
    known = [relative.summary.get("float32_agreement") for relative in work.relatives[:1]]
    return next(filter(None, known), None) or label_writer.float32_agreement(made, job, config.batch_size)


def _job(
    config: LabelsConfig, samples: Artifact, faces: Artifact, split: Artifact, teachers: list[Artifact]
) -> LabelJob:
    """The questions: which faces there are, which of them are for training, and who may answer for each."""
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.distillation import ensemble, label_writer
    from pipeline.distillation import labels as label_store
    from pipeline.inputs import split as splits

    device = devices.pick(config.device)
    columns = arrays.open_inputs(faces)
    table = arrays.read_table(samples.file("samples.csv"))
    assigned = arrays.read_table(split.file("split.csv"))
    names = columns.sample_ids
    part = assigned.set_index("sample_id")["part"].reindex(names)
    who = np.full(len(names), ensemble.ALL_FOLDS, np.int8)
    if config.folds:
        folds = splits.fold_of(table, assigned, samples.summary["attributes"], config.folds)
        who = folds.reindex(names, fill_value=ensemble.ALL_FOLDS).to_numpy(np.int8)
    return label_writer.LabelJob(
        ensemble.TeacherEnsemble.load([teacher.path for teacher in teachers], device, config.precision),
        columns["rgb"],
        names,
        who,
        np.flatnonzero(part == "train"),
        label_store.plan_of(config),
    )


def _attrs(config: LabelsConfig, job: LabelJob, faces: Artifact, teachers: list[Artifact]) -> dict[str, Any]:
    """Who answers, for what, and how."""
    from pipeline.compute import devices

    card, ensemble = job.ensemble.cards[0], job.ensemble
    return {
        "classes": card["classes"],
        "name": config.teacher,
        "teacher": card["architecture"],
        "teachers": [teacher.fingerprint for teacher in teachers],
        "faces": faces.fingerprint,
        "mean": card["input"]["mean"],
        "std": card["input"]["std"],
        "image_size": card["input"]["size"],
        "views": config.views,
        "view_seed": config.view_seed,
        "mix": config.mix,
        "folds": config.folds,
        "precision": devices.arithmetic(ensemble.device, ensemble.precision),
    }


def _with_most_views(had: list[LabelStore], config: LabelsConfig, features: tuple[str, ...]) -> LabelStore | None:
    """The relative from which most views can be copied."""
    drawn = {"view_seed": config.view_seed, "mix": config.mix}
    fit = [
        relative
        for relative in had
        if relative.views is not None
        and (relative.attrs["views"] > 1) == (config.views > 1)  # one view is the face itself, not the first of many
        and all(relative.attrs[name] == value for name, value in drawn.items())
        and all(name in relative.views for name in features)
    ]
    return max(fit, key=lambda relative: relative.attrs["views"], default=None)


def _counts(samples: Artifact, split: Artifact, made: LabelStore) -> dict[str, int]:
    """Faces, hard labels of each class, and how often the teacher disagrees with the truth in each part."""
    from pipeline.artifacts import arrays

    truth = arrays.read_table(samples.file("samples.csv")).merge(
        arrays.read_table(split.file("split.csv"))[["sample_id", "part"]], on="sample_id"
    )
    hard = made.faces["hard"][made.faces.rows(truth["sample_id"])]
    counts = {"faces": len(made.faces["hard"])}
    counts |= {
        name: int((made.faces["hard"] == number).sum()) for number, name in enumerate(made.faces.json("classes"))
    }
    for part, rows in truth.groupby("part").indices.items():
        counts[f"{part}_disagrees"] = int((hard[rows] != truth["label"].to_numpy()[rows]).sum())
        counts[part] = len(rows)
    return counts


def _bytes(made: LabelStore, names: tuple[str, ...]) -> float:
    """Bytes on disk for one view of one face, its name apart."""
    return sum(made.learned[name].nbytes / len(made.learned[name]) for name in names)


def verify(
    config: LabelsConfig,
    labels: Artifact,
    samples: Artifact,
    faces: Artifact,
    split: Artifact,
    teachers: list[Artifact],
    share: float = 0.01,
) -> int:
    """Ask the teachers again for a share of the faces and of the views, at least eight of each; return how many.

    Raises
    ------
    ArtifactError : the labels belong to other teachers, faces or views, or an answer differs; rows are named.
    """
    from pipeline.distillation import label_writer
    from pipeline.distillation import labels as label_store

    job = _job(config, samples, faces, split, teachers)
    found = label_store.open_checked(
        labels,
        classes=job.ensemble.cards[0]["classes"],
        faces=faces,
        wanted=config,
        teachers=[teacher.fingerprint for teacher in teachers],
    )
    return label_writer.compare(found, job, share, config.batch_size)
