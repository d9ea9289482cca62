"""What the cache holds, what would run and why, and what nobody needs any more.

Everything here reads names, sizes and records: no array, no picture, no model.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts import uses
from pipeline.artifacts.locks import PARTIAL, hold, holder, lock_of
from pipeline.artifacts.record import RECORD, read_record
from pipeline.artifacts.store import Artifact, ArtifactStore, Node, topological
from pipeline.errors import ArtifactError

NAMED_INPUTS = 3  # a report has dozens
OURS = re.compile(r".+-[0-9a-f]{8}(\.partial)?", re.DOTALL)


@dataclass(frozen=True)
class State:
    """The state of one folder: fresh, missing, partial, damaged, stale (of another config) or foreign (not ours)."""

    name: str
    state: str
    size_bytes: int
    reason: str


def status(store: ArtifactStore, targets: Iterable[Node], verify: bool = False) -> list[State]:
    """The state of every wanted artifact, then of every other one in the store.

    Parameters
    ----------
    verify : whether to read every file of every artifact and compare it with the record.
    """
    wanted = topological(targets)
    records = _records(_others(store, wanted))
    by_slug = {node.slug: node for node in wanted}
    others = [_other_state(path, record, by_slug) for path, record in records.items()]
    states = [_wanted_state(store, node, records) for node in wanted] + others
    return [_verified(store, state) for state in states] if verify else states


def plan(store: ArtifactStore, *targets: Node) -> list[tuple[Node, str]]:
    """What ``store.build`` would run for the targets, in order, and why."""
    pending = store.pending(*targets)
    records = _records(_others(store, topological(targets))) if pending else {}
    return [(node, why(store, node, records)) for node in pending]


def unneeded(store: ArtifactStore, targets: Iterable[Node]) -> dict[Path, str]:
    """The store's own folders that no target needs, directly or upstream, and who is using each; empty: nobody."""
    if not store.root.exists():
        return {}
    with uses.excluding(store.root):
        return _unneeded(store, targets)


def remove(store: ArtifactStore, targets: Iterable[Node], paths: Iterable[Path]) -> list[Path]:
    """Remove those of the given folders that still nobody needs or uses, and say which they were."""
    with uses.excluding(store.root):
        users = _unneeded(store, targets)
        free = [path for path in paths if users.get(path) == ""]
        for path in free:
            _remove(path)
    return free


def _verified(store: ArtifactStore, state: State) -> State:
    """The state of an artifact after its files were read."""
    from pipeline.artifacts.arrays import verify_columns  # imports numpy and h5py

    if state.state not in ("fresh", "stale"):
        return state
    try:
        artifact = Artifact.load(store.root / state.name)
        artifact.verify()
        for name in artifact.record["files"]:
            if name.endswith(".h5"):
                verify_columns(artifact.file(name))
    except ArtifactError as error:
        return replace(state, state="damaged", reason=str(error))
    return state


def _unneeded(store: ArtifactStore, targets: Iterable[Node]) -> dict[Path, str]:
    users = uses.users(store.root)
    folders = [path for path in _others(store, topological(targets)) if is_ours(path)]
    return {path: users.get(path.name.removesuffix(PARTIAL)) or holder(lock_of(path)) for path in folders}


def _remove(path: Path) -> None:
    """Remove an artifact and its lock: its record first, so that one half removed is never taken for whole."""
    lock = lock_of(path)
    with hold(lock, path.name, "removed"):
        with suppress(FileNotFoundError, IsADirectoryError):
            (path / RECORD).unlink()
        shutil.rmtree(path)
        stem = path.name.removesuffix(PARTIAL)
        if not any(path.with_name(name).exists() for name in (stem, f"{stem}{PARTIAL}")):
            lock.unlink()


def is_ours(path: Path, record: dict[str, Any] | None = None) -> bool:
    """Whether a folder of the store was made by it: its name says so, and its record or its lock does.

    Parameters
    ----------
    record : its own, where it was read before.
    """
    if not OURS.fullmatch(path.name):
        return False
    try:
        record = record or read_record(path)
    except ArtifactError:
        return lock_of(path).is_file()
    return path.name.removesuffix(PARTIAL) == f"{record['slug']}-{record['fingerprint'][:8]}"


def why(store: ArtifactStore, node: Node, records: Mapping[Path, dict[str, Any] | None]) -> str:
    """Why a node that is not fresh must run, given the records of the artifacts that are not wanted."""
    if store.partial(node).exists():
        return "partial: goes on where it was"
    changes = [differences(record, node) for record in records.values() if record and record["slug"] == node.slug]
    return f"changed: {min(changes, key=len)}" if changes else "missing"


def differences(record: dict[str, Any], node: Node) -> str:
    """In words, how a wanted artifact differs from a recorded one."""
    found: list[str] = []
    if record["version"] != node.version:
        found.append(f"version {record['version']} → {node.version}")
    before, now = record["fingerprinted"], node.identity["config"]
    found += [
        f"{name} {_short(before.get(name))} → {_short(now.get(name))}"
        for name in sorted(before.keys() | now.keys())
        if _canonical(before.get(name)) != _canonical(now.get(name))
    ]
    inputs_before, inputs_now = record["inputs"], node.identity["inputs"]
    inputs = [
        name
        for name in sorted(inputs_before.keys() | inputs_now.keys())
        if inputs_before.get(name) != inputs_now.get(name)
    ]
    if len(inputs) > NAMED_INPUTS:
        found.append(f"{len(inputs)} inputs, {inputs[0]} first")
    else:
        found += [f"input {name}" for name in inputs]
    return ", ".join(found) or "nothing"


def size(path: Path) -> int:
    """Bytes of all files below a folder, which somebody may be working in."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_size
    return total


def _wanted_state(store: ArtifactStore, node: Node, records: Mapping[Path, dict[str, Any] | None]) -> State:
    path, partial = store.folder(node), store.partial(node)
    try:
        if store.find(node):
            return State(path.name, "fresh", size(path), "")
    except ArtifactError as error:
        return State(path.name, "damaged", size(path), str(error))
    if partial.exists():
        maker = holder(lock_of(path))
        return State(path.name, "partial", size(partial), f"being made by {maker}" if maker else "was interrupted")
    return State(path.name, "missing", 0, why(store, node, records))


def _other_state(path: Path, record: dict[str, Any] | None, wanted: Mapping[str, Node]) -> State:
    if not is_ours(path, record):
        return State(path.name, "foreign", size(path), "not made by this program; gc leaves it")
    if path.name.endswith(PARTIAL):
        return State(path.name, "partial", size(path), "of another config")
    if record is None:
        return State(path.name, "damaged", size(path), f"no readable {RECORD}")
    node = wanted.get(record["slug"])
    reason = f"now wanted: {differences(record, node)}" if node else "of another selection of models or seeds"
    return State(path.name, "stale", size(path), reason)


def _others(store: ArtifactStore, wanted: list[Node]) -> list[Path]:
    """Artifact folders of the store, whole or partial, that are not wanted, by name."""
    needed = {path.name for node in wanted for path in (store.folder(node), store.partial(node))}
    if not store.root.exists():
        return []
    return sorted(
        path
        for path in store.root.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and path.name not in needed
    )


def _records(paths: Iterable[Path]) -> dict[Path, dict[str, Any] | None]:
    return {path: _record(path) for path in paths}


def _record(path: Path) -> dict[str, Any] | None:
    try:
        return Artifact.load(path).record
    except ArtifactError:
        return None


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)
