"""Raw data as an input of the pipeline: its files, their SHA-256 and one fingerprint of all of them.

A hash is remembered with the file's size and modification time, so that an unchanged dataset is hashed once.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path

from pipeline.errors import DataError

# Pictures, tables and fold files; notes, weights and recipes beside them are not data.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".csv", ".txt"})


def sha256(path: Path) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class HashMemo:
    """SHA-256 of files, remembered in a JSON file by (size, modification time in ns)."""

    def __init__(self, path: Path | None):
        self.path = path
        self._known: dict[str, list] = _read_json(path) if path else {}
        self._changed = False

    def hash(self, file: Path) -> str:
        """SHA-256 of ``file``, read only when its size or modification time is new."""
        stat = file.stat()
        key = os.fspath(file.resolve())
        size, mtime, digest = self._known.get(key, (None, None, None))
        if (size, mtime) != (stat.st_size, stat.st_mtime_ns):
            digest = sha256(file)
            self._known[key] = [stat.st_size, stat.st_mtime_ns, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learned, by one rename, so that two processes cannot tear the file."""
        if self.path is None or not self._changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_text(json.dumps(self._known))
        draft.replace(self.path)
        self._changed = False


class RawData:
    """A dataset as the user gave it: a folder, or a CSV file with the pictures beside it.

    Parameters
    ----------
    path : the folder or the CSV file.
    memo : JSON file that remembers hashes between runs, or None to hash each time.

    Raises
    ------
    DataError : there is nothing at ``path``.
    """

    def __init__(self, path: Path, memo: Path | None = None):
        if not path.exists():
            raise DataError(f"There is no dataset at {path}. Give its folder or its CSV file: DATA=/path/to/it")
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self._memo = HashMemo(memo)

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 by path relative to the folder, in sorted order; hidden files and folders are left out."""
        found = sorted(self._walk(), key=lambda file: file.relative_to(self.folder).as_posix())
        hashes = {file.relative_to(self.folder).as_posix(): self._memo.hash(file) for file in found}
        self._memo.save()
        return hashes

    def _walk(self):
        for folder, names, files in os.walk(self.folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in files:
                if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                    yield Path(folder, name)

    @cached_property
    def fingerprint(self) -> str:
        """One hash of all names and contents, and of which CSV file was named, if one was."""
        lines = [f"{digest}  {name}\n" for name, digest in self.files.items()]
        named = "" if self.path.is_dir() else self.path.name
        return hashlib.sha256("".join([named, "\n", *lines]).encode()).hexdigest()


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
