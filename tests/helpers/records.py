"""Records written by hand, sealed as the store seals them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import digest
from pipeline.artifacts.record import RECORD, checksum_of, fingerprint_of

IDENTITY = {"stage": "made", "version": 1, "fingerprinted": {}, "inputs": {}}


def fingerprint(**fields: Any) -> str:
    """The fingerprint of a record with these fields."""
    record = IDENTITY | fields
    return fingerprint_of(record | {"config": record["fingerprinted"]})


def write(folder: Path, **fields: Any) -> None:
    """Write the record of a folder's files, with the fields given and its own fingerprint."""
    record = {"slug": "made", "config": {}, "summary": {}, "packages": {}, "made": "2026-01-01", "duration_s": 1.0}
    record |= IDENTITY | {"files": described(folder)} | fields
    seal(folder, {"fingerprint": fingerprint(**fields)} | record)


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of a record and seal it anew, so that nothing but the change itself is wrong with it."""
    seal(folder, json.loads((folder / RECORD).read_text("utf-8")) | changes)


def seal(folder: Path, record: dict[str, Any]) -> None:
    """Write a record, whatever it says, with a checksum that fits."""
    (folder / RECORD).write_text(json.dumps(record | {"checksum": checksum_of(record)}), "utf-8")


def described(folder: Path) -> dict[str, Any]:
    """The entries of a folder's files as they are now, each with the SHA-256 of the whole file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != RECORD]
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest(path)} for path in files
    }
