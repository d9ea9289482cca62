"""Ask teachers: once for every sample and view, only for what is new when more is wanted, and again to be sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.artifacts.arrays import Behind, Columns, ColumnWriter, open_writer, sample_id_column
from pipeline.compute import distributed
from pipeline.distillation.ensemble import TeacherEnsemble
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.labels import LABELS, VIEWS, LabelStore, command
from pipeline.distillation.targets import OnlineTargets
from pipeline.errors import ArtifactError
from pipeline.inputs import batches, keyed_random
from pipeline.inputs.batches import Samples
from pipeline.inputs.views.plan import Drawn, Plan
from pipeline.tasks import Task
from pipeline.tasks.objective import FEATURES

# Logits asked again in other batches or on another device differ in their last digits; another teacher, face or
# normalisation changes the first.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
FEWEST_ROWS = 8
AGREEMENT_FACES = 64
FEATURE_TYPE = np.float16


@dataclass(frozen=True)
class LabelJob:
    """What teachers are to label: N samples, M of which are for training.

    Attributes
    ----------
    ensemble : the teachers.
    task : that they were trained for.
    samples : all N, in the order in which labels are kept.
    fold : int8, shape (N,), which teacher labels; ``ensemble.ALL_FOLDS``: their mean.
    training : int64, shape (M,), which of the N are for training, ascending.
    plan : of the views.
    """

    ensemble: TeacherEnsemble
    task: Task
    samples: Samples
    fold: np.ndarray
    training: np.ndarray
    plan: Plan

    def of_samples(self, blocks: Sequence[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """Raw outputs for blocks of the N samples."""
        return self._predict(self.samples, [(block, Drawn()) for block in blocks], self.fold, ())

    def of_views(self, blocks: Sequence[np.ndarray], features: Sequence[str] = ()) -> Iterator[dict[str, np.ndarray]]:
        """Raw outputs for blocks of views; number ``v * M + i`` is view v of the i-th training sample."""
        learned = self.samples.at(self.training)
        views, parts = learned.views(self.plan), []
        for block in blocks:
            view, index = np.divmod(block, len(learned))
            parts.append((index, views.draw(index, view)))
        return self._predict(learned, parts, self.fold[self.training], features)

    def _predict(
        self, samples: Samples, parts: Sequence[batches.Part], fold: np.ndarray, features: Sequence[str]
    ) -> Iterator[dict[str, np.ndarray]]:
        for batch in batches.stream(samples, parts, self.ensemble.device):
            outputs = self.ensemble.predict(batch, fold[batch.index], features)
            yield {name: value.cpu().numpy() for name, value in outputs.items()}


def write_samples(
    folder: Path,
    fingerprint: str,
    job: LabelJob,
    attrs: Mapping[str, Any],
    batch_size: int,
    relative: LabelStore | None = None,
) -> int:
    """Ask about every sample itself, or copy what a relative has; blocks that are done are not asked again.

    Processes that work together share the blocks.

    Parameters
    ----------
    folder : gets ``labels.h5``.
    fingerprint : of the artifact it belongs to.
    job : of the samples, in the order in which they are to be kept.
    attrs : ``outputs`` and ``precision`` among them.
    relative : labels of the same teachers for the same samples.

    Returns
    -------
    The number of samples that the teachers were asked about, now or by a run that was killed; none if all were copied.
    """
    count, names = len(job.samples), sample_id_column(job.samples.sample_ids)
    columns = _layout(job, count, len(attrs["outputs"])) | {
        "fold": ((count,), np.int8),
        "training": ((count,), np.uint8),
        "sample_id": ((count,), names.dtype),
    }
    writer = _writer(folder / LABELS, "labels", fingerprint, columns, attrs, batch_size)
    training, team = np.isin(np.arange(count), job.training), distributed.team()
    blocks = team.share(writer.pending())
    if relative:
        rows = relative.samples.rows(job.samples.sample_ids)
        outputs: Iterator = ({"logits": relative.samples["logits"][rows[block]]} for block in blocks)
    else:
        outputs = job.of_samples([np.arange(block.start, block.stop) for block in blocks])
    with Behind() as behind:
        for block, answer in _shown(blocks, outputs, _rows(blocks), "samples"):
            rest = {"fold": job.fold[block], "training": training[block], "sample_id": names[block]}
            behind(writer.write, block, **_columns(job, answer), **rest)
    team.once(writer.finish)
    return 0 if relative else count


def write_views(
    folder: Path,
    fingerprint: str,
    job: LabelJob,
    features: Sequence[str],
    attrs: Mapping[str, Any],
    batch_size: int,
    relative: LabelStore | None = None,
) -> int:
    """Ask about the views of the training samples; those that a relative has are copied.

    Processes that work together share the blocks.

    Parameters
    ----------
    folder : gets ``views.h5``.
    features : to keep besides the logits, as float16.
    relative : labels of the same teachers for the first views of the same samples, with these features.

    Returns
    -------
    The number of views that were copied.
    """
    count, views = len(job.training), job.plan.views
    shapes = OnlineTargets(job.ensemble, ("logits", *features), job.task.kind).shapes()
    columns = _layout(job, views * count, *shapes["logits"])
    columns |= {name: ((views * count, *shapes[name]), FEATURE_TYPE) for name in features}
    writer = _writer(folder / VIEWS, "views", fingerprint, columns, attrs, batch_size)
    copied = min(relative.attrs["views"], views) if relative else 0
    new, team = [], distributed.team()
    for block in team.share(writer.pending()):
        # A block in which old and new views meet is copied up to there: answers do not depend on their neighbours
        # beyond rounding, but asking for a view twice is what this cache is there to avoid.
        old = min(block.stop, copied * count)
        if block.start < old:
            writer.fill(slice(block.start, old), **{name: relative.views[name][block.start : old] for name in columns})
        if old < block.stop:
            new.append((block, np.arange(max(block.start, old), block.stop)))
        else:
            writer.mark(block)
    outputs = job.of_views([rows for _, rows in new], features)
    with Behind() as behind:
        for (block, rows), answer in _shown(new, outputs, sum(len(rows) for _, rows in new), "views"):
            behind(writer.write, slice(rows[0], rows[-1] + 1), block, **_columns(job, answer))
    team.once(writer.finish)
    return copied


def _writer(
    path: Path, kind: str, fingerprint: str, columns: Mapping[str, Any], attrs: Mapping[str, Any], batch_size: int
) -> ColumnWriter:
    """The writer of a new file, or of one that a killed run left.

    One batch is one block, and the first run's size counts: what a block holds does not depend on which blocks a killed
    run left.
    """

    distributed.team().once(lambda: open_writer(path, kind, fingerprint, columns, attrs, batch_size))
    return ColumnWriter(path)


def _layout(job: LabelJob, rows: int, outputs: int) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Columns of raw outputs, and of hard labels where the kind of the task has such."""
    kept = _hardened(job, np.empty((0, outputs), np.float32))
    return {name: ((rows, *values.shape[1:]), values.dtype) for name, values in kept.items()}


def _hardened(job: LabelJob, logits: np.ndarray) -> dict[str, np.ndarray]:
    """Raw outputs and, where the kind of the task has such, the hard labels that they mean."""
    harden = KINDS[job.task.kind].harden
    return {"logits": logits} | ({"hard": harden(logits)} if harden else {})


def _columns(job: LabelJob, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Raw outputs as they are kept.

    Raises
    ------
    ArtifactError : a feature is too large for float16.
    """
    columns = _hardened(job, outputs["logits"])
    for name in outputs.keys() & set(FEATURES):
        with np.errstate(over="ignore"):
            columns[name] = outputs[name].astype(FEATURE_TYPE)
        if not np.isfinite(columns[name]).all():
            raise ArtifactError(
                f"The teacher's {name} reaches {np.abs(outputs[name]).max():.3g}, float16 ends at 65504: it cannot be "
                "kept. Choose another loss or teacher."
            )
    return columns


def _rows(blocks: Sequence[slice]) -> int:
    return sum(block.stop - block.start for block in blocks)


def _shown(blocks: Sequence[Any], answers: Iterator, rows: int, title: str) -> Iterator[tuple[Any, Any]]:
    """Blocks with their answers, and a progress bar."""
    with tqdm(total=rows, desc=title, unit="sample", disable=None, leave=False) as bar:
        for block, answer in zip(blocks, answers, strict=True):
            yield block, answer
            bar.update(len(answer["logits"]))


def compare(labels: LabelStore, job: LabelJob, share: float, batch_size: int) -> int:
    """Ask again about a share of the samples and of the views, at least eight of each, and return about how many.

    Raises
    ------
    ArtifactError : an answer differs by more than the tolerance of its precision; the rows are named.
    """
    names = job.samples.sample_ids
    rows = sample_rows(names, share)
    _compare(job, labels.samples, job.of_samples(_batches(rows, batch_size)), rows, names)
    if labels.views is None:
        return len(rows)
    trained = [names[row] for row in job.training]
    names = [f"{name}, view {view}" for view in range(labels.attrs["views"]) for name in trained]
    again = sample_rows(names, share)
    _compare(job, labels.views, job.of_views(_batches(again, batch_size)), again, names)
    return len(rows) + len(again)


def float32_agreement(labels: LabelStore, job: LabelJob, batch_size: int) -> dict[str, float]:
    """How near answers of a lower precision are to those of float32, for a fixed random choice of samples.

    Returns
    -------
    ``faces``: how many were asked about; ``hard``: the share with the same hard label, where there are such;
    ``logits``: the largest difference between two logits.
    """
    rows = sample_rows(job.samples.sample_ids, AGREEMENT_FACES / len(job.samples.sample_ids))
    exact = replace(job, ensemble=replace(job.ensemble, precision="float32"))
    found = np.concatenate([answer["logits"] for answer in exact.of_samples(_batches(rows, batch_size))])
    kept = labels.samples["logits"][rows]
    harden = KINDS[job.task.kind].harden
    hard = {"hard": float(_same(harden(found), harden(kept)).mean())} if harden else {}
    return {"faces": len(rows), **hard, "logits": float(np.abs(found - kept).max())}


def _batches(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def _same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of which samples hard labels are the same, bool (N,)."""
    return (first == second).reshape(len(first), -1).all(axis=1)


def _compare(job: LabelJob, columns: Columns, answers: Iterator[dict], rows: np.ndarray, names: Sequence[str]) -> None:
    found = np.concatenate([answer["logits"] for answer in answers])
    kept = columns["logits"][rows]
    scale = np.maximum(1, np.abs(found).max(axis=1))
    distance = np.abs(found - kept).max(axis=1) / scale
    # A logit that is not a number must not pass as equal.
    tolerated = distance <= TOLERANCES[columns.attrs["precision"]]
    hardened = _hardened(job, kept)
    fitting = _same(hardened["hard"], columns["hard"][rows]) if "hard" in hardened else True
    wrong = np.flatnonzero(~(tolerated & fitting))
    if wrong.size:
        first = wrong[0]
        raise ArtifactError(
            f"{columns.path}: {wrong.size} of {len(rows)} labels are not the teacher's. Row {rows[first]} "
            f"({names[rows[first]]}) holds logits {kept[first].tolist()}, the teacher says {found[first].tolist()}; "
            f"rows {', '.join(str(rows[i]) for i in wrong[:10])}. Remove {columns.path.parent} and make them again: "
            f"{command(columns.attrs)}"
        )


def sample_rows(names: Sequence[str], share: float) -> np.ndarray:
    """A fixed random choice of rows: the share asked for, at least eight, int64, ascending."""
    count = min(len(names), max(FEWEST_ROWS, round(share * len(names))))
    return np.sort(np.argsort(keyed_random.keys(names), kind="stable")[:count])
