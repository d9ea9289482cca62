"""Let trained teachers label every sample and view once, and keep their raw outputs.

Writes ``labels.h5``: for every sample its raw outputs float32 (N, C), hard label where the task has such, the fold
whose teacher labelled it, and sample id. With several views, or with features, also ``views.h5``: the same for V views
of the M training samples, features as float16. Views that labels with fewer of them have are copied. Who labelled, for
what, and how is kept in the files' attributes and checked when they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.compute.launch import in_processes
from pipeline.config import LabelsConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.distillation.label_writer import LabelJob
    from pipeline.distillation.labels import LabelStore

VERSION = 5
CONFIG = LabelsConfig
INPUTS = ("samples", "split", "inputs", "teachers")
OUTPUT = "labels"


@in_processes
def run(
    config: LabelsConfig, work: Work, samples: Artifact, inputs: Artifact, split: Artifact, **teachers: Artifact
) -> dict[str, Any]:
    """Label every sample of every part with the teacher, or, cross-fitted, with the one that has not seen its subject.

    Parameters
    ----------
    teachers : ``teacher``, or ``teacher_0`` and so on for the folds; validation and test get the mean of all folds.

    Raises
    ------
    ArtifactError : a teacher or the inputs are damaged, or a feature cannot be kept.
    """
    from pipeline.compute import devices
    from pipeline.distillation import label_writer
    from pipeline.distillation.labels import LabelStore

    devices.seed_everything(0)
    job = _job(config, samples, inputs, split, list(teachers.values()))
    attrs = _attrs(config, job, inputs, list(teachers.values()))
    features = tuple(name for name in config.features.split(",") if name)
    several = config.views > 1 or bool(features)
    relatives = [LabelStore.of(relative) for relative in work.relatives]
    asked = label_writer.write_samples(
        work.path, work.fingerprint, job, attrs, config.batch_size, next(iter(relatives), None)
    )
    counts = {"samples_asked": asked, "views": config.views, "views_computed": 0, "views_copied": 0}
    if several:
        source = _with_most_views(relatives, config, features)
        copied = label_writer.write_views(work.path, work.fingerprint, job, features, attrs, config.batch_size, source)
        counts |= {"views_computed": config.views - copied, "views_copied": copied}
    made = LabelStore.load(work.path, work.fingerprint, several)
    return {
        "counts": _counts(config, samples, inputs, split, made) | counts,
        "skipped": [],
        "reads": job.ensemble.cards[0]["inputs"],
        "bytes_per_view": _bytes(made, tuple(name for name in ("logits", "hard") if name in made.learned)),
        "feature_bytes_per_view": _bytes(made, features),
        "float32_agreement": _agreement(config, work, made, job, attrs["precision"]),
    }


def _agreement(
    config: LabelsConfig, work: Work, made: LabelStore, job: LabelJob, precision: str
) -> dict[str, float] | None:
    """How near the labels are to those of float32, as a relative recorded it where the labels are its; or None."""
    from pipeline.distillation import label_writer

    if precision == "float32":
        return None
    recorded = [relative.summary.get("float32_agreement") for relative in work.relatives[:1]]
    return next(filter(None, recorded), None) or label_writer.float32_agreement(made, job, config.batch_size)


def _job(
    config: LabelsConfig, samples: Artifact, inputs: Artifact, split: Artifact, teachers: list[Artifact]
) -> LabelJob:
    """What is to be labelled: which samples there are, which of them are for training, and who may label each."""
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.distillation.ensemble import ALL_FOLDS, TeacherEnsemble
    from pipeline.distillation.kinds import KINDS
    from pipeline.distillation.label_writer import LabelJob
    from pipeline.distillation.labels import plan_of
    from pipeline.inputs import sample_table
    from pipeline.inputs.batches import Samples
    from pipeline.inputs.split import fold_of

    columns = arrays.open_inputs(inputs)
    table = sample_table.read(samples, config.task, inputs)
    assigned = arrays.read_table(split.file("split.csv"))
    names = columns.sample_ids
    fold = np.full(len(names), ALL_FOLDS, np.int8)
    if config.folds:
        folds = fold_of(table, assigned, samples.summary, config.folds)
        fold = folds.reindex(names, fill_value=ALL_FOLDS).to_numpy(np.int8)
    _, answered = KINDS[config.task.kind].read(table.set_index("sample_id").reindex(names), config.task)
    training = np.flatnonzero(assigned.set_index("sample_id")["part"].reindex(names) == "train")
    modalities = {name: columns[name] for name in config.task.teacher_inputs}
    return LabelJob(
        TeacherEnsemble.load(teachers, devices.pick(config.device), config.precision),
        config.task,
        Samples(modalities, np.arange(len(names)), names),
        fold,
        np.intersect1d(training, answered),
        plan_of(config),
    )


def _attrs(config: LabelsConfig, job: LabelJob, inputs: Artifact, teachers: list[Artifact]) -> dict[str, Any]:
    """Who labels, for what, and how."""
    from pipeline.compute import devices

    card, ensemble = job.ensemble.cards[0], job.ensemble
    return {
        "task": config.task.name,
        "outputs": card["classes"],
        "name": config.teacher,
        "teacher": card["architecture"],
        "teachers": [teacher.fingerprint for teacher in teachers],
        "inputs": inputs.fingerprint,
        "reads": card["inputs"],
        "views": config.views,
        "view_seed": config.view_seed,
        "mix": config.mix,
        "mix_probability": config.mix_probability,
        "views_strength": config.views_strength,
        "folds": config.folds,
        "precision": devices.arithmetic(ensemble.device, ensemble.precision),
    }


def _with_most_views(relatives: list[LabelStore], config: LabelsConfig, features: tuple[str, ...]) -> LabelStore | None:
    """The relative from which most views can be copied."""
    from pipeline.distillation.labels import DRAWN

    drawn = {name: getattr(config, name) for name in DRAWN}
    fit = [
        relative
        for relative in relatives
        if relative.views is not None
        and (relative.attrs["views"] > 1) == (config.views > 1)  # one view is the sample itself, not the first of many
        and all(relative.attrs.get(name, DRAWN[name]) == value for name, value in drawn.items())
        and all(name in relative.views for name in features)
    ]
    return max(fit, key=lambda relative: relative.attrs["views"], default=None)


def _counts(
    config: LabelsConfig, samples: Artifact, inputs: Artifact, split: Artifact, made: LabelStore
) -> dict[str, float]:
    """Samples labelled, and how far the labels are from the truth in each part, as the kind of the task says it."""
    from pipeline.artifacts import arrays
    from pipeline.distillation.kinds import KINDS
    from pipeline.inputs import sample_table

    kind = KINDS[config.task.kind]
    assigned = arrays.read_table(split.file("split.csv"))[["sample_id", "part"]]
    table = sample_table.read(samples, config.task, inputs).merge(assigned, on="sample_id")
    truth, places = kind.read(table, config.task)
    table = table.iloc[places]
    outputs = made.samples["logits"][made.samples.rows(table["sample_id"])]
    counts: dict[str, float] = {"samples": len(made.samples["logits"])}
    for part, rows in table.groupby("part").indices.items():
        agreement = kind.agreement(outputs[rows], truth[rows], config.task)
        counts |= {f"{part}_{name}": value for name, value in agreement.items()} | {part: len(rows)}
    return counts


def _bytes(made: LabelStore, names: tuple[str, ...]) -> float:
    """Bytes on disk for one view of one sample, its name apart."""
    return sum(made.learned[name].nbytes / len(made.learned[name]) for name in names)


def verify(
    config: LabelsConfig,
    labels: Artifact,
    samples: Artifact,
    inputs: Artifact,
    split: Artifact,
    teachers: list[Artifact],
    share: float = 0.01,
) -> int:
    """Ask the teachers again for a share of the samples and of the views, at least eight of each; return how many.

    Raises
    ------
    ArtifactError : the labels belong to other teachers, inputs or views, or one differs; rows are named.
    """
    from pipeline.distillation import label_writer
    from pipeline.distillation.labels import open_checked

    job = _job(config, samples, inputs, split, teachers)
    store = open_checked(
        labels,
        outputs=job.ensemble.cards[0]["classes"],
        inputs=inputs,
        wanted=config,
        teachers=[teacher.fingerprint for teacher in teachers],
    )
    return label_writer.compare(store, job, share, config.batch_size)
