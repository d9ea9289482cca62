"""A teacher's answers: made once, checked before they are used, and asked again to be sure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from pipeline import counter
from pipeline.artifacts import Artifact
from pipeline.classification import forward
from pipeline.errors import ArtifactError
from pipeline.stores import Columns, ColumnWriter, create, open_labels
from pipeline.views import InputSpec

# Logits asked again in other batches or on another device differ in their last digits; another teacher, face or
# normalisation changes the first.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
FEWEST_ROWS = 8


def write_labels(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    faces: Columns,
    spec: InputSpec,
    attrs: dict[str, Any],
    batch_size: int,
    device: str,
) -> int:
    """Ask a teacher for every face's identity view and keep its raw logits; blocks that are done are not asked again.

    Parameters
    ----------
    path : the new ``labels.h5``.
    fingerprint : of the artifact it belongs to.
    model : the teacher, on the device.
    faces : of the ``align`` stage.
    spec : what the teacher reads.
    attrs : ``classes`` and ``precision`` among them.

    Returns
    -------
    The number of faces that were asked now.
    """
    rows, classes = len(faces["images"]), len(attrs["classes"])
    if not path.exists():
        columns = {
            "logits": ((rows, 1, classes), np.float32),
            "hard": ((rows, 1), np.int64),
            "sample_id": ((rows,), faces["sample_id"].dtype),
        }
        create(path, "labels", fingerprint, columns, attrs | {"batch_size": batch_size})
    # One batch is one block, and the first run's size counts: what a block holds does not depend on which blocks a
    # killed run left.
    batch_size = Columns(path, "labels", fingerprint).attrs["batch_size"]
    writer = ColumnWriter(path, block=batch_size)
    blocks = writer.pending()
    wanted = np.concatenate([np.arange(rows)[block] for block in blocks]) if blocks else np.arange(0)
    answers = forward(model, faces["images"], wanted, spec, batch_size, device, attrs["precision"])
    with tqdm(total=rows, initial=rows - len(wanted), desc="labels", unit="face", disable=None, leave=False) as bar:
        for block, logits in zip(blocks, answers, strict=True):
            writer.write(
                block,
                logits=logits.cpu().numpy()[:, None],
                hard=logits.argmax(1).cpu().numpy()[:, None],
                sample_id=faces["sample_id"][block],
            )
            bar.update(len(logits))
    writer.finish()
    return len(wanted)


def open_checked(
    labels: Artifact, *, classes: Sequence[str], faces: Artifact, teacher_fingerprint: str | None = None
) -> Columns:
    """A teacher's answers, after a look at what they were made for.

    Parameters
    ----------
    labels : of the ``teacher_labels`` stage.
    classes : of the task they are wanted for.
    faces : that they must answer for.
    teacher_fingerprint : of the teacher that must have answered; by default the one that the labels' record names.

    Raises
    ------
    ArtifactError : they were made for other classes or faces, by another teacher, or with other views than recorded.
    """
    answers = open_labels(labels)
    teacher = teacher_fingerprint or labels.record["inputs"]["teacher"]
    expected = {
        "classes": json.dumps(list(classes)),
        "faces_fingerprint": faces.fingerprint,
        "teacher_fingerprint": teacher,
        "view_seed": labels.config["view_seed"],
    }
    for name, value in expected.items():
        if answers.attrs.get(name) != value:
            raise ArtifactError(
                f"{answers.path} was made for {name} {answers.attrs.get(name)}, wanted is {value}. "
                f"Make labels for it: make teacher-labels TEACHER={labels.config['teacher']}"
            )
    return answers


def compare(
    answers: Columns, model: nn.Module, faces: Columns, spec: InputSpec, rows: np.ndarray, batch_size: int, device: str
) -> None:
    """Ask a teacher again for some rows of its answers.

    Raises
    ------
    ArtifactError : answers differ by more than the tolerance of their precision; the rows are named.
    """
    precision = answers.attrs["precision"]
    sample_ids = answers.sample_ids
    names = [sample_ids[row] for row in rows]
    again = forward(model, faces["images"], faces.rows(names), spec, batch_size, device, precision)
    found = torch.cat(list(again)).cpu().numpy()
    kept = np.asarray(answers["logits"][rows, 0])
    scale = np.maximum(1, np.abs(found).max(axis=1))
    distance = np.abs(found - kept).max(axis=1) / scale
    # A logit that is not a number must not pass as equal.
    wrong = np.flatnonzero(~(distance <= TOLERANCES[precision]) | (kept.argmax(1) != answers["hard"][rows, 0]))
    if wrong.size:
        first = wrong[0]
        raise ArtifactError(
            f"{answers.path}: {wrong.size} of {len(rows)} answers are not the teacher's. Row {rows[first]} "
            f"({names[first]}) holds logits {kept[first].tolist()}, the teacher says {found[first].tolist()}; rows "
            f"{', '.join(str(rows[i]) for i in wrong[:10])}. Remove {answers.path.parent} and make them again: "
            "make teacher-labels"
        )


def sample_rows(sample_ids: list[str], share: float) -> np.ndarray:
    """A fixed random choice of rows: the share asked for, at least eight, int64, ascending."""
    count = min(len(sample_ids), max(FEWEST_ROWS, round(share * len(sample_ids))))
    return np.sort(np.argsort(counter.keys(sample_ids), kind="stable")[:count])
