"""Ask teachers: once for every face and view, only for what is new when more is wanted, and again to be sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.artifacts.arrays import Behind, Columns, ColumnWriter, create, sample_id_column
from pipeline.compute import distributed
from pipeline.distillation.ensemble import TeacherEnsemble
from pipeline.distillation.labels import FACES, VIEWS, LabelStore, OnlineTargets, command, features_among
from pipeline.errors import ArtifactError
from pipeline.inputs import keyed_random, streaming
from pipeline.inputs.views.image import Drawn, Plan, Views

# Logits asked again in other batches or on another device differ in their last digits; another teacher, face or
# normalisation changes the first.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
FEWEST_ROWS = 8
AGREEMENT_FACES = 64
FEATURE_TYPE = np.float16


@dataclass(frozen=True)
class LabelJob:
    """Questions to the teachers about N faces, M of which are for training.

    Attributes
    ----------
    ensemble : the teachers.
    images : uint8, shape (N, S, S, 3), aligned faces.
    sample_ids : their names.
    who : int8, shape (N,), which teacher answers; ``ensemble.ALL_FOLDS``: their mean.
    training : int64, shape (M,), which of the N are for training, ascending.
    plan : of the views.
    """

    ensemble: TeacherEnsemble
    images: np.ndarray
    sample_ids: Sequence[str]
    who: np.ndarray
    training: np.ndarray
    plan: Plan

    def of_samples(self, blocks: Sequence[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """LabelStore for blocks of the N faces."""
        return self._ask([(block, Drawn(), self.who[block]) for block in blocks], ())

    def of_views(self, blocks: Sequence[np.ndarray], features: Sequence[str] = ()) -> Iterator[dict[str, np.ndarray]]:
        """LabelStore for blocks of views; number ``v * M + i`` is view v of the i-th training face."""
        views = Views(self.plan, keyed_random.keys([self.sample_ids[row] for row in self.training]))
        batches = []
        for block in blocks:
            view, index = np.divmod(block, len(self.training))
            drawn = views.draw(index, view)
            shown = index if drawn.partners is None else np.concatenate([index, drawn.partners])
            batches.append((self.training[shown], drawn, self.who[self.training[index]]))
        return self._ask(batches, features)

    def _ask(self, batches: Sequence[tuple], features: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        stream = streaming.chunks(self.images, [rows for rows, _, _ in batches], self.ensemble.device)
        for (_, drawn, who), pictures in zip(batches, stream, strict=True):
            answers = self.ensemble.ask(pictures, drawn, who, features)
            yield {name: value.cpu().numpy() for name, value in answers.items()}


def write_faces(
    folder: Path,
    fingerprint: str,
    job: LabelJob,
    attrs: Mapping[str, Any],
    batch_size: int,
    had: LabelStore | None = None,
) -> int:
    """Ask about every face itself, or copy what a relative has; blocks that are done are not asked again.

    Processes that work together share the blocks.

    Parameters
    ----------
    folder : gets ``labels.h5``.
    fingerprint : of the artifact it belongs to.
    job : about the faces, in the order in which they are to be kept.
    attrs : ``classes`` and ``precision`` among them.
    had : answers of the same teachers for the same faces.

    Returns
    -------
    The number of faces that the teachers were asked about now.
    """
    count, names = len(job.sample_ids), sample_id_column(list(job.sample_ids))
    columns = {
        "logits": ((count, len(attrs["classes"])), np.float32),
        "hard": ((count,), np.uint16),
        "fold": ((count,), np.int8),
        "training": ((count,), np.uint8),
        "sample_id": ((count,), names.dtype),
    }
    writer = _writer(folder / FACES, "labels", fingerprint, columns, attrs, batch_size)
    training, team = np.isin(np.arange(count), job.training), distributed.team()
    pending = writer.pending()
    blocks = team.share(pending)
    if had:
        kept = had.faces.rows(list(job.sample_ids))
        answers: Iterator = ({"logits": had.faces["logits"][kept[block]]} for block in blocks)
    else:
        answers = job.of_samples([np.arange(block.start, block.stop) for block in blocks])
    with Behind() as behind:
        for block, answer in _shown(blocks, answers, _rows(blocks), "faces"):
            rest = {"fold": job.who[block], "training": training[block], "sample_id": names[block]}
            behind(writer.write, block, **_columns(answer), **rest)
    team.once(writer.finish)
    return 0 if had else _rows(pending)


def write_views(
    folder: Path,
    fingerprint: str,
    job: LabelJob,
    features: Sequence[str],
    attrs: Mapping[str, Any],
    batch_size: int,
    had: LabelStore | None = None,
) -> int:
    """Ask about the views of the training faces; those that a relative has are copied.

    Processes that work together share the blocks.

    Parameters
    ----------
    folder : gets ``views.h5``.
    features : to keep besides the logits, as float16.
    had : answers of the same teachers for the first views of the same faces, with these features.

    Returns
    -------
    The number of views that were copied.
    """
    count, views = len(job.training), job.plan.views
    shapes = OnlineTargets(job.ensemble, ("logits", *features)).shapes()
    columns = {"logits": ((views * count, *shapes["logits"]), np.float32), "hard": ((views * count,), np.uint16)}
    columns |= {name: ((views * count, *shapes[name]), FEATURE_TYPE) for name in features}
    writer = _writer(folder / VIEWS, "views", fingerprint, columns, attrs, batch_size)
    copied = min(had.attrs["views"], views) if had else 0
    new, team = [], distributed.team()
    for block in team.share(writer.pending()):
        # A block in which old and new views meet is copied up to there: answers do not depend on their neighbours
        # beyond rounding, but asking for a view twice is what this cache is there to avoid.
        old = min(block.stop, copied * count)
        if block.start < old:
            writer.fill(slice(block.start, old), **{name: had.views[name][block.start : old] for name in columns})
        if old < block.stop:
            new.append((block, np.arange(max(block.start, old), block.stop)))
        else:
            writer.mark(block)
    answers = job.of_views([rows for _, rows in new], features)
    with Behind() as behind:
        for (block, rows), answer in _shown(new, answers, sum(len(rows) for _, rows in new), "views"):
            behind(writer.write, slice(rows[0], rows[-1] + 1), block, **_columns(answer))
    team.once(writer.finish)
    return copied


def _writer(
    path: Path, kind: str, fingerprint: str, columns: Mapping[str, Any], attrs: Mapping[str, Any], batch_size: int
) -> ColumnWriter:
    """The writer of a new file, or of one that a killed run left.

    One batch is one block, and the first run's size counts: what a block holds does not depend on which blocks a killed
    run left.
    """

    def open_or_create() -> ColumnWriter:
        if not path.exists():
            create(path, kind, fingerprint, columns, {**attrs, "batch_size": batch_size})
        return ColumnWriter(path, block=Columns(path, kind, fingerprint).attrs["batch_size"])

    distributed.team().once(open_or_create)
    return open_or_create()


def _columns(answer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An answer as it is kept.

    Raises
    ------
    ArtifactError : a feature is too large for float16.
    """
    kept = {"logits": answer["logits"], "hard": answer["logits"].argmax(1).astype(np.uint16)}
    for name in features_among(list(answer)):
        with np.errstate(over="ignore"):
            kept[name] = answer[name].astype(FEATURE_TYPE)
        if not np.isfinite(kept[name]).all():
            raise ArtifactError(
                f"The teacher's {name} reaches {np.abs(answer[name]).max():.3g}, float16 ends at 65504: it cannot be "
                "kept. Choose another loss or teacher."
            )
    return kept


def _rows(blocks: Sequence[slice]) -> int:
    return sum(block.stop - block.start for block in blocks)


def _shown(blocks: Sequence[Any], answers: Iterator, rows: int, title: str) -> Iterator[tuple[Any, Any]]:
    """Blocks with their answers, and a progress bar."""
    with tqdm(total=rows, desc=title, unit="face", disable=None, leave=False) as bar:
        for block, answer in zip(blocks, answers, strict=True):
            yield block, answer
            bar.update(len(answer["logits"]))


def compare(answers: LabelStore, job: LabelJob, share: float, batch_size: int) -> int:
    """Ask again about a share of the faces and of the views, at least eight of each, and return about how many.

    Raises
    ------
    ArtifactError : an answer differs by more than the tolerance of its precision; the rows are named.
    """
    names = list(job.sample_ids)
    rows = sample_rows(names, share)
    _compare(answers.faces, job.of_samples(_batches(rows, batch_size)), rows, names)
    if answers.views is None:
        return len(rows)
    trained = [names[row] for row in job.training]
    names = [f"{name}, view {view}" for view in range(answers.attrs["views"]) for name in trained]
    again = sample_rows(names, share)
    _compare(answers.views, job.of_views(_batches(again, batch_size)), again, names)
    return len(rows) + len(again)


def float32_agreement(answers: LabelStore, job: LabelJob, batch_size: int) -> dict[str, float]:
    """How near answers of a lower precision are to those of float32, for a fixed random choice of faces.

    Returns
    -------
    ``faces``: how many were asked about; ``hard``: the share with the same hard label; ``logits``: the largest
    difference between two logits.
    """
    rows = sample_rows(job.sample_ids, AGREEMENT_FACES / len(job.sample_ids))
    exact = replace(job, ensemble=replace(job.ensemble, precision="float32"))
    found = np.concatenate([answer["logits"] for answer in exact.of_samples(_batches(rows, batch_size))])
    kept = np.asarray(answers.faces["logits"][rows])
    same = found.argmax(1) == kept.argmax(1)
    return {"faces": len(rows), "hard": float(same.mean()), "logits": float(np.abs(found - kept).max())}


def _batches(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def _compare(columns: Columns, answers: Iterator[dict], rows: np.ndarray, names: Sequence[str]) -> None:
    found = np.concatenate([answer["logits"] for answer in answers])
    kept = np.asarray(columns["logits"][rows])
    scale = np.maximum(1, np.abs(found).max(axis=1))
    distance = np.abs(found - kept).max(axis=1) / scale
    # A logit that is not a number must not pass as equal.
    tolerated = distance <= TOLERANCES[columns.attrs["precision"]]
    wrong = np.flatnonzero(~tolerated | (kept.argmax(1) != columns["hard"][rows]))
    if wrong.size:
        first = wrong[0]
        raise ArtifactError(
            f"{columns.path}: {wrong.size} of {len(rows)} answers are not the teacher's. Row {rows[first]} "
            f"({names[rows[first]]}) holds logits {kept[first].tolist()}, the teacher says {found[first].tolist()}; "
            f"rows {', '.join(str(rows[i]) for i in wrong[:10])}. Remove {columns.path.parent} and make them again: "
            f"{command(columns.attrs)}"
        )


def sample_rows(names: Sequence[str], share: float) -> np.ndarray:
    """A fixed random choice of rows: the share asked for, at least eight, int64, ascending."""
    count = min(len(names), max(FEWEST_ROWS, round(share * len(names))))
    return np.sort(np.argsort(keyed_random.keys(names), kind="stable")[:count])
