"""Artifacts: what a stage made, in a folder that says how, made once and never half.

An artifact is ``cache/<dataset>/<slug>-<8 hex of its fingerprint>/``. The fingerprint is a hash of the stage, its
``VERSION``, the config fields that can change the result, and the inputs' fingerprints: it is known before anything
runs, so that freshness is a question of names and sizes and needs no heavy import.

Work happens in ``<folder>.partial/`` under a lock; ``record.json`` is written last and one rename makes the artifact.
A killed run leaves the partial folder, from which the next run resumes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import config as configuration
from pipeline.artifacts.atomic import DRAFT, replacing
from pipeline.artifacts.files import digest as sha256
from pipeline.artifacts.locks import hold
from pipeline.artifacts.raw_data import RawData
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)

RECORD = "record.json"
KEYS = ("slug", "fingerprint", "stage", "version", "config", "fingerprinted", "inputs", "files", "summary", "made")
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "facenet-pytorch",
    "h5py",
    "numpy",
    "pandas",
    "scikit-learn",
    "pillow",
)
# Larger files (faces) are checked by size and by the fingerprint inside them: gigabytes are not hashed to be read.
HASHED_BYTES = 64 * 2**20


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
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()

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
        ArtifactError : the folder has no readable record, or a file is missing or has another size than recorded.
        """
        try:
            record = json.loads((path / RECORD).read_text("utf-8"))
            lacking = [key for key in KEYS if key not in record]
            if lacking:
                raise ValueError(f"it lacks {', '.join(lacking)}")
            sizes = {name: entry["bytes"] for name, entry in record["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path} has no readable {RECORD} ({error}). {_remedy(path)}") from error
        for name, expected in sizes.items():
            file = path / name
            found = file.stat().st_size if file.is_file() else None
            if found != expected:
                what = "is missing" if found is None else f"has {found:,} bytes"
                raise ArtifactError(f"{file} {what}, its record says {expected:,} bytes. {_remedy(path)}")
        return cls(path, record)

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
        entry = self.record["files"].get(name)
        if entry is None:
            raise ArtifactError(f"{self.path} has no file {name}; it holds {', '.join(self.record['files'])}.")
        file = self.path / name
        if entry["sha256"] and sha256(file) != entry["sha256"]:
            raise ArtifactError(f"{file} is not the file that its record describes (SHA-256). {_remedy(self.path)}")
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

    def folder(self, node: Node) -> Path:
        """Where a node's artifact is, or will be."""
        return self.root / node.folder_name

    def partial(self, node: Node) -> Path:
        """Where a node's artifact is made."""
        return self.root / f"{node.folder_name}.partial"

    def find(self, node: Node) -> Artifact | None:
        """A node's artifact if it is there and whole, None if it is not there.

        Raises
        ------
        ArtifactError : it is there, but damaged, or made from other inputs than its name says.
        """
        path = self.folder(node)
        if not path.exists():
            return None
        artifact = Artifact.load(path)
        if artifact.fingerprint != node.fingerprint:
            raise ArtifactError(
                f"{path} was made with fingerprint {artifact.fingerprint[:8]}…, expected {node.fingerprint[:8]}…: "
                f"it belongs to other inputs. {_remedy(path)}"
            )
        return artifact

    def pending(self, *targets: Node) -> list[Node]:
        """What must run to have the targets, in order: a fresh artifact needs nothing upstream of it."""
        return topological(targets, had=self.find)

    def build(self, *targets: Node) -> list[Artifact]:
        """Make what is missing and return the targets' artifacts.

        Raises
        ------
        ArtifactError : an artifact that is needed is damaged.
        """
        pending = self.pending(*targets)
        for number, node in enumerate(pending, 1):
            with hold(self.root / ".locks" / f"{node.folder_name}.lock", node.folder_name):
                if not self.find(node):  # another process may have made it while this one waited
                    self._make(node, f"[{number}/{len(pending)}] {node.slug}")
        return [Artifact.load(self.folder(target)) for target in targets]

    def _make(self, node: Node, title: str) -> None:
        partial = self.partial(node)
        if (partial / RECORD).exists():  # killed between the record and the rename: nothing is left to do
            log.info("%s: resuming", title)
            self._finish(node)
            return
        log.info("%s: %s", title, "resuming" if partial.exists() else "making")
        partial.mkdir(parents=True, exist_ok=True)
        inputs = {
            name: Artifact.load(self.folder(needed)) if isinstance(needed, Node) else needed
            for name, needed in node.inputs.items()
        }
        start = time.monotonic()
        summary = node.run(node.config, Work(partial, node, tuple(self._relatives(node))), **inputs)
        duration = time.monotonic() - start
        _write_record(partial, node, summary, duration)
        self._finish(node)
        log.info("%s: done in %.1f s", title, duration)

    def _relatives(self, node: Node) -> Iterator[Artifact]:
        """Finished artifacts that are this one but for the fields along which it grows."""
        for path in sorted(self.root.glob(f"*/{RECORD}")) if node.grows else ():
            try:
                artifact = Artifact.load(path.parent)
            except ArtifactError:
                continue  # a damaged relative is no help; whoever needs it is told
            recorded = artifact.record | {"config": artifact.record["fingerprinted"]}
            if _without(node.grows, recorded) == _without(node.grows, node.identity):
                yield artifact

    def _finish(self, node: Node) -> None:
        """The rename that makes the artifact."""
        self.partial(node).rename(self.folder(node))
        _sync_folder(self.root)


def _without(fields: tuple[str, ...], identity: Mapping[str, Any]) -> tuple:
    """What makes an artifact what it is, some of its config's fields left out."""
    config = {name: value for name, value in identity["config"].items() if name not in fields}
    return identity["stage"], identity["version"], config, identity["inputs"]


def _write_record(folder: Path, node: Node, summary: dict, duration: float) -> None:
    """Sync every file, then write the record beside them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != f"{RECORD}{DRAFT}")
    for file in files:
        _sync(file)
    record = {
        "slug": node.slug,
        "fingerprint": node.fingerprint,
        **node.identity,
        "config": configuration.as_dict(node.config),
        "fingerprinted": node.identity["config"],
        "files": {file.relative_to(folder).as_posix(): _describe(file) for file in files},
        "summary": summary,
        "packages": _versions(),
        "made": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "duration_s": round(duration, 3),
    }
    with replacing(folder / RECORD) as draft:
        draft.write_text(json.dumps(record, indent=1, ensure_ascii=False), "utf-8")
        _sync(draft)
    _sync_folder(folder)


def _describe(file: Path) -> dict[str, Any]:
    size = file.stat().st_size
    return {"bytes": size, "sha256": sha256(file) if size <= HASHED_BYTES else ""}


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remedy(path: Path) -> str:
    return f"Remove it and run the command again, it will be made anew: rm -r {path}"
