"""Artifacts: what a stage made, in a folder that says how, made once and never half.

An artifact is ``cache/<dataset>/<slug>-<8 hex of its fingerprint>/``. The fingerprint is a hash of the stage, its
``VERSION``, the config fields that can change the result, and the inputs' fingerprints: it is known before anything
runs, so that freshness is a question of names and sizes and needs no heavy import.

Work happens in ``<folder>.partial/`` under a lock; ``record.json`` is written last and one rename makes the artifact.
A killed run leaves the partial folder, from which the next run resumes. What a file holds is believed only after it was
compared with the record: ``Artifact.file`` is the one way to it.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline import config as configuration
from pipeline.artifacts.atomic import tidy
from pipeline.artifacts.files import digest, make_folder
from pipeline.artifacts.locks import PARTIAL, hold, lock_of
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.record import RECORD, describe, fingerprint_of, read_record, remedy, versions, write_record
from pipeline.artifacts.scratch import scratch
from pipeline.artifacts.uses import Uses
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Node:
    """One artifact that is wanted: which stage makes it, with which config, from which inputs."""

    stage: str
    slug: str
    version: int
    config: Any
    inputs: Mapping[str, Node | RawData]
    run: Callable[..., dict] = field(repr=False)
    grows: tuple[str, ...] = ()  # config fields in which a relative may differ and still hold part of this one's work

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change when, and only when, the result may change."""
        return fingerprint_of(self.identity)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the fingerprint is made of."""
        return {
            "stage": self.stage,
            "version": self.version,
            "config": configuration.fingerprinted(self.config),
            "inputs": {name: node.fingerprint for name, node in self.inputs.items()},
        }

    @property
    def folder_name(self) -> str:
        """``<slug>-<8 hex>``."""
        return f"{self.slug}-{self.fingerprint[:8]}"

    def upstream(self) -> Iterator[Node]:
        """The input nodes that are themselves artifacts."""
        return (node for node in self.inputs.values() if isinstance(node, Node))


def topological(nodes: Iterable[Node], had: Callable[[Node], Any] = lambda node: False) -> list[Node]:
    """The nodes and all they need, each once, inputs before what reads them; not those that are had, nor for them."""
    order: list[Node] = []
    seen: set[str] = set()

    def visit(node: Node) -> None:
        if node.folder_name in seen:
            return
        seen.add(node.folder_name)
        if had(node):
            return
        for needed in node.upstream():
            visit(needed)
        order.append(node)

    for node in nodes:
        visit(node)
    return order


@dataclass(frozen=True)
class Artifact:
    """A finished artifact on disk."""

    path: Path
    record: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Artifact:
        """Read an artifact's record.

        Raises
        ------
        ArtifactError : the folder has no record that verifies, or a file is missing or has another size than recorded.
        """
        artifact = cls(path, read_record(path))
        for name in artifact.record["files"]:
            artifact._sized(name)
        return artifact

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits."""
        return self.record["fingerprint"]

    @property
    def slug(self) -> str:
        """The readable part of the folder's name."""
        return self.record["slug"]

    @property
    def config(self) -> dict[str, Any]:
        """All config fields that the artifact was made with."""
        return self.record["config"]

    @property
    def summary(self) -> dict[str, Any]:
        """What the stage said of its work: counts, skipped samples and their reasons."""
        return self.record["summary"]

    def file(self, name: str) -> Path:
        """The path of one of the artifact's files, after its content was checked against the record.

        Raises
        ------
        ArtifactError : the artifact has no such file, or its content is not what was recorded.
        """
        file, entry = self._sized(name), self.record["files"][name]
        if digest(file, entry.get("ranges")) != entry["sha256"]:
            what = "is damaged in its structure" if "ranges" in entry else "is not the file that its record describes"
            raise ArtifactError(f"{file} {what} (SHA-256). {remedy(self.path)}")
        return file

    def verify(self) -> None:
        """Compare every file with the record.

        Raises
        ------
        ArtifactError : one is not what was recorded.
        """
        for name in self.record["files"]:
            self.file(name)

    def _sized(self, name: str) -> Path:
        """The path of one of the files, after its size was checked."""
        entry = self.record["files"].get(name)
        if entry is None:
            raise ArtifactError(f"{self.path} has no file {name}; it holds {', '.join(self.record['files'])}.")
        file = self.path / name
        size = file.stat().st_size if file.is_file() else None
        if size != entry["bytes"]:
            what = "is missing" if size is None else f"has {size:,} bytes"
            raise ArtifactError(f"{file} {what}, its record says {entry['bytes']:,} bytes. {remedy(self.path)}")
        return file


@dataclass(frozen=True)
class Work:
    """The partial folder of an artifact in the making."""

    path: Path
    node: Node
    relatives: tuple[Artifact, ...] = ()  # finished artifacts that differ in the fields along which this one grows

    @property
    def fingerprint(self) -> str:
        """The fingerprint that the artifact will have, for the files that carry it inside."""
        return self.node.fingerprint


class ArtifactStore:
    """The artifacts of one dataset, ``cache/<dataset>/``."""

    def __init__(self, root: Path):
        self.root = root
        self._uses = Uses(root)

    def folder(self, node: Node) -> Path:
        """Where a node's artifact is, or will be."""
        return self.root / node.folder_name

    def partial(self, node: Node) -> Path:
        """Where a node's artifact is made."""
        return self.root / f"{node.folder_name}{PARTIAL}"

    def find(self, node: Node) -> Artifact | None:
        """A node's artifact if it is there and whole, None if it is not there.

        Raises
        ------
        ArtifactError : it is there, but damaged, or made from other inputs than its name says.
        """
        path = self.folder(node)
        if not os.path.lexists(path):
            return None
        artifact = Artifact.load(path)
        if artifact.fingerprint != node.fingerprint:
            raise ArtifactError(
                f"{path} was made with fingerprint {artifact.fingerprint[:8]}…, expected {node.fingerprint[:8]}…: "
                f"it belongs to other inputs. {remedy(path)}"
            )
        return artifact

    def records(self) -> list[Path]:
        """The records of the folders that may be finished artifacts, by name."""
        return [path for path in sorted(self.root.glob(f"*/{RECORD}")) if not path.parent.name.endswith(PARTIAL)]

    def pending(self, *targets: Node) -> list[Node]:
        """What must run to have the targets, in order: a fresh artifact needs nothing upstream of it."""
        return topological(targets, had=self.find)

    def build(self, *targets: Node) -> list[Artifact]:
        """Make what is missing and return the targets' artifacts, which nobody removes while this store is in use.

        Raises
        ------
        ArtifactError : an artifact that is needed is damaged.
        """
        self._uses.add(node.folder_name for node in topological(targets))
        pending = self.pending(*targets)
        for number, node in enumerate(pending, 1):
            with hold(lock_of(self.folder(node)), node.folder_name):
                if not self.find(node):  # another process may have made it while this one waited
                    self._make(node, f"[{number}/{len(pending)}] {node.slug}")
        return [self._had(target) for target in targets]

    def _had(self, node: Node) -> Artifact:
        """The artifact of a node that was made or found before."""
        artifact = self.find(node)
        if artifact is None:
            raise ArtifactError(f"{self.folder(node)} was removed while it was needed. Run the command again.")
        return artifact

    def _make(self, node: Node, title: str) -> None:
        partial = self.partial(node)
        if self._is_done(node, title):
            log.info("%s: resuming", title)
            self._finish(node)
            return
        log.info("%s: %s", title, "resuming" if partial.exists() else "making")
        tidy(make_folder(partial))
        inputs = {
            name: self._had(needed) if isinstance(needed, Node) else needed for name, needed in node.inputs.items()
        }
        start = time.monotonic()
        with scratch(partial):
            summary = node.run(node.config, Work(partial, node, tuple(self._relatives(node))), **inputs)
        duration = time.monotonic() - start
        write_record(partial, _described(partial, node, summary, duration))
        _sync_folder(partial)
        self._finish(node)
        log.info("%s: done in %.1f s", title, duration)

    def _is_done(self, node: Node, title: str) -> bool:
        """Whether a run was killed between the record and the rename; what does not verify then is made anew."""
        partial = self.partial(node)
        if not os.path.lexists(partial / RECORD):
            return False
        try:
            artifact = Artifact.load(partial)
            artifact.verify()
            if artifact.fingerprint == node.fingerprint:
                return True
            reason = f"it was made with fingerprint {artifact.fingerprint[:8]}…"
        except ArtifactError as error:
            reason = str(error)
        log.warning("%s: what a killed run left as finished is dropped: %s", title, reason)
        shutil.rmtree(partial)
        return False

    def _relatives(self, node: Node) -> Iterator[Artifact]:
        """Finished artifacts that are this one but for the fields along which it grows."""
        for path in self.records() if node.grows else ():
            try:
                artifact = Artifact.load(path.parent)
                recorded = artifact.record | {"config": artifact.record["fingerprinted"]}
                if _without(node.grows, recorded) == _without(node.grows, node.identity):
                    self._uses.add([path.parent.name])
                    yield Artifact.load(path.parent)
            except ArtifactError:
                continue  # a damaged relative is no help; whoever needs it is told

    def _finish(self, node: Node) -> None:
        """The rename that makes the artifact."""
        self.partial(node).rename(self.folder(node))
        _sync_folder(self.root)


def _without(fields: tuple[str, ...], identity: Mapping[str, Any]) -> tuple:
    """What makes an artifact what it is, some of its config's fields left out."""
    config = {name: value for name, value in identity["config"].items() if name not in fields}
    return identity["stage"], identity["version"], config, identity["inputs"]


def _described(folder: Path, node: Node, summary: dict, duration: float) -> dict[str, Any]:
    """The record of what lies in a folder, every file of it synced."""
    return {
        "slug": node.slug,
        "fingerprint": node.fingerprint,
        **node.identity,
        "config": configuration.as_dict(node.config),
        "fingerprinted": node.identity["config"],
        "files": describe(folder),
        "summary": summary,
        "packages": versions(),
        "made": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "duration_s": round(duration, 3),
    }


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
