"""The record of an artifact: written last, sealed with a checksum, and believed only after it was verified."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.files import ABSENT, digest, open_regular
from pipeline.errors import ArtifactError

RECORD = "record.json"
FORMAT = 2  # of the record; part of every fingerprint, so that artifacts of an earlier program are stale, not damaged
MOST_BYTES = 256 * 2**20  # half a million skipped samples with their reasons need about 100 MB
MOST_REASON = 200  # characters of what a reader says of a text that may be anything
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
IDENTITY = ("stage", "version", "config", "inputs")

Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
FilePath = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Summary(dict[str, Any]):
    """What a stage said of its work; what it did not say is an error of the artifact, not of who asks."""

    def __init__(self, values: Mapping[str, Any], folder: Path):
        super().__init__((k, Summary(v, folder) if isinstance(v, dict) else v) for k, v in values.items())
        self._folder = folder

    def __missing__(self, name: str) -> Any:
        raise ArtifactError(f"{self._folder / RECORD} says nothing of {name} in its summary. {remedy(self._folder)}")


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its size and its SHA-256, which covers the whole of it or the given byte ranges."""

    bytes: Count
    sha256: Digest
    ranges: list[tuple[Count, Count]] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self):
        ends = [] if self.ranges is msgspec.UNSET else [end for pair in self.ranges for end in pair]
        if ends != sorted(ends) or any(end > self.bytes for end in ends):
            raise ValueError(f"ranges of bytes that do not ascend within a file of {self.bytes:,} bytes")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a record holds; its fingerprint follows from its stage, version, config and inputs."""

    slug: Name
    fingerprint: Digest
    stage: Name
    version: Count
    config: dict[str, Any]
    fingerprinted: dict[str, Any]
    inputs: dict[Name, Digest]
    files: dict[FilePath, File]
    summary: dict[str, Any]
    packages: dict[Name, Annotated[str, msgspec.Meta(max_length=255)]]
    made: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    duration_s: Annotated[float, msgspec.Meta(ge=0, le=1e10)]
    checksum: Digest

    def __post_init__(self):
        identity = {"config": self.fingerprinted, "stage": self.stage, "version": self.version, "inputs": self.inputs}
        if fingerprint_of(identity) != self.fingerprint:
            raise ValueError("its fingerprint is not that of its stage, version, config and inputs")
        if not _covers(self.config, self.fingerprinted):
            raise ValueError("its config is not the one of its fingerprint")
        if unsafe := [name for name in self.files if not _is_safe(name)]:
            raise ValueError(f"{unsafe[0]!a} is no name of a file within the folder")


def fingerprint_of(identity: Mapping[str, Any]) -> str:
    """The SHA-256 of what makes an artifact what it is: stage, version, config and the inputs' fingerprints."""
    return _hash({"format": FORMAT} | {name: identity[name] for name in IDENTITY})


def checksum_of(entries: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical JSON of a record, or of a card, without its checksum."""
    return _hash({name: value for name, value in entries.items() if name != "checksum"})


def read_record(folder: Path) -> dict[str, Any]:
    """The verified record of an artifact's folder.

    Raises
    ------
    ArtifactError : it is not there, is no file, or does not verify.
    """
    try:
        with open_regular(folder / RECORD) as file:
            record = _verified(file.read(MOST_BYTES + 1))
    except (*ABSENT, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{folder} has no readable {RECORD} ({_reason(error)}). {remedy(folder)}") from error
    return record | {"summary": Summary(record["summary"], folder)}


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Seal a record and write it by one rename; one that could not be read back is never written."""
    content = json.dumps({**record, "checksum": checksum_of(record)}, indent=1).encode()
    _verified(content)
    with replacing(folder / RECORD) as draft, draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def describe(folder: Path) -> dict[str, dict[str, Any]]:
    """The files of a folder and below it, by name, as a record holds them; each is synced first."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {file.relative_to(folder).as_posix(): _entry(file) for file in files}


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that the work rests on."""
    from importlib import metadata  # slow to import, and of no use to who only reads

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def remedy(folder: Path) -> str:
    """What to do about an artifact that is damaged."""
    return f"Remove it and run the command again, it will be made anew: rm -r {folder}"


def _verified(content: bytes) -> dict[str, Any]:
    """The record that a text holds.

    Raises
    ------
    ValueError, RecursionError, msgspec.MsgspecError : it is not such a text, or not whole.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    record = json.loads(content.decode("utf-8"))
    msgspec.convert(record, Record)
    if checksum_of(record) != record["checksum"]:
        raise ValueError("its checksum does not fit its content")
    return record


def _entry(file: Path) -> dict[str, Any]:
    """What the record says of a file. The columns of an HDF5 file carry digests of their own, which lie outside."""
    _sync(file)
    if file.suffix != ".h5":
        return {"bytes": file.stat().st_size, "sha256": digest(file)}
    from pipeline.artifacts.arrays import outside_columns  # imports numpy and h5py

    ranges = outside_columns(file)
    return {"bytes": file.stat().st_size, "sha256": digest(file, ranges), "ranges": [list(pair) for pair in ranges]}


def _covers(value: Any, part: Any) -> bool:
    """Whether a value holds all of a part: a dict more entries, at any depth, everything else the same."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(k in value and _covers(value[k], v) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(value, list) and len(value) == len(part) and all(map(_covers, value, part))
    return type(value) is type(part) and value == part


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _is_safe(name: str) -> bool:
    """Whether a name means a file below the folder, on every system."""
    parts = name.split("/")
    return name.isprintable() and all(
        part not in ("", ".", "..", RECORD) and len(os.fsencode(part)) < 256 for part in parts
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _reason(error: Exception) -> str:
    """What an error says, in one short line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = error.strerror if isinstance(error, OSError) else str(error)
    return "".join(c if c.isprintable() else "?" for c in text)[:MOST_REASON]
