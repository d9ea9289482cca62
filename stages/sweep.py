"""A grid of runs: how many there are, about how long they take, and a table with a row for each that is finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.artifacts.record import read_record
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import fingerprinted
from pipeline.errors import ArtifactError

# A run's time depends on these; of the others, the loss matters somewhat and the seed not at all.
STAND_IN = {"distill": "train_teacher"}  # what a stage's time is judged by before this cache has seen any of it
COUNTED = ("epochs", "views")  # with which time grows; the first that a stage has
MOST_NAMED = 8  # artifacts that are made first: folds have hundreds
COSTLY = ("architecture", "batch_size", "precision", "augment", "mix", "views_strength", "online")


def announce(store: ArtifactStore, grid: Sequence[Sequence[Node]], targets: Sequence[Node]) -> str:
    """What a sweep is about to do: its runs, what it makes first, and about how long all that takes.

    Parameters
    ----------
    grid : for each run its students, one for each outer fold.
    targets : everything that the sweep makes.
    """
    pending = store.pending(*targets)
    names, folds = {node.folder_name for node in pending}, len(grid[0])
    left = sum(any(model.folder_name in names for model in models) for models in grid)
    first = [node.slug for node in pending if node.stage in ("align", "train_teacher", "teacher_labels")]
    if len(first) > MOST_NAMED:
        first = [*first[:MOST_NAMED], f"{len(first) - MOST_NAMED} more"]
    text = f"{len(grid)} runs{f' of {folds} folds each' if folds > 1 else ''}"
    text += f", {len(grid) - left} of them there, {left} to make"
    text += f"; first {', '.join(first)}" if first else ""
    return f"{text}; {_about(store, pending)}."


def left(store: ArtifactStore, grid: Sequence[Sequence[Node]]) -> str:
    """About how long the runs take that are not there."""
    return _about(store, [model for models in grid for model in models if not store.find(model)])


def _about(store: ArtifactStore, pending: Sequence[Node]) -> str:
    """The sum of what like artifacts of this cache took."""
    if not pending:
        return "nothing is left to do"
    records = _records(store)
    alike: dict[str, float | None] = {}  # folds and seeds repeat each setting many times
    for node in pending:
        if (settings := _settings(node)) not in alike:
            alike[settings] = _seconds(node, records)
    guesses = [alike[_settings(node)] for node in pending]
    known = [seconds for seconds in guesses if seconds is not None]
    unknown = {node.stage for node, guess in zip(pending, guesses, strict=True) if guess is None}
    if not known:
        return "how long is known after the first run"
    text = f"about {_spoken(sum(known))} left"
    return f"{text} and, not seen in this cache yet, {', '.join(sorted(unknown))}" if unknown else text


def _records(store: ArtifactStore) -> list[dict[str, Any]]:
    """The records of all finished artifacts that can be read."""
    records = []
    for path in store.records():
        with suppress(ArtifactError):  # a damaged artifact says nothing of time; who needs it is told by the store
            records.append(read_record(path.parent))
    return records


def _seconds(node: Node, records: Sequence[dict[str, Any]]) -> float | None:
    """How long an artifact takes, judged by those of its stage with equal settings, as far as there are any."""
    wanted = json.loads(json.dumps(fingerprinted(node.config)))
    like = [record for record in records if record["stage"] == node.stage]
    like = like or [record for record in records if record["stage"] == STAND_IN.get(node.stage)]
    for names in (COSTLY, (*COSTLY, "loss")):
        same = [r for r in like if all(r["fingerprinted"].get(name) == wanted.get(name) for name in names)]
        like = same or like
    rates = [record["duration_s"] / _work(record["fingerprinted"]) for record in like]
    return median(rates) * _work(wanted) if rates else None


def _settings(node: Node) -> str:
    """What an artifact's time is judged by, as one text."""
    config = fingerprinted(node.config)
    values = {name: config.get(name) for name in (*COSTLY, "loss", *COUNTED)}
    return json.dumps([node.stage, values], sort_keys=True)


def _work(config: dict[str, Any]) -> float:
    """What a stage's time grows with: epochs of training, or views to be labelled."""
    counts = (config.get(name) for name in COUNTED)
    return next((count for count in counts if isinstance(count, (int, float)) and count > 0), 1)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class RunTable:
    """``runs.csv``: a row for each finished run of a sweep, written anew by one rename after every run."""

    def __init__(self, path: Path):
        self.path, self._rows = path, []

    def add(self, folds: Sequence[tuple[Artifact, Artifact]]) -> None:
        """Add a run: the student of each fold and its evaluation."""
        import pandas as pd

        from pipeline.artifacts.arrays import write_table
        from pipeline.reporting import runs

        self._rows.append(runs.row(runs.Run.load(dict(enumerate(folds)))))
        write_table(self.path, pd.DataFrame(self._rows))
