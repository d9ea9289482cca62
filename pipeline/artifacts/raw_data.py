"""Raw data as an input of the pipeline: its files, their SHA-256 and one fingerprint of all of them.

A hash is remembered with the file's size and modification time, so that an unchanged dataset is hashed once.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import count
from pathlib import Path

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.suffixes import PICTURES
from pipeline.errors import DataError

TABLES = frozenset({".csv", ".tsv", ".txt"})
# Pictures, tables and fold files; notes, weights and recipes beside them are not data.
SUFFIXES = PICTURES | TABLES | {".parquet"}


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
        """SHA-256 of ``file``, read only when its size or modification time is new; empty when it cannot be read."""
        key = os.fspath(file.resolve())
        size, mtime, digest = self._known.get(key, (None, None, None))
        try:
            stat = file.stat()
            new = (size, mtime) != (stat.st_size, stat.st_mtime_ns)
            digest = sha256(file) if new else digest
        except OSError:  # a link to nowhere, no permission: whoever reads the file says why
            return ""
        if new:
            self._known[key] = [stat.st_size, stat.st_mtime_ns, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learned, by one rename, so that two processes cannot tear the file."""
        if self.path is None or not self._changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path, f".{os.getpid()}") as draft:
            draft.write_text(json.dumps(self._known), "utf-8")
        self._changed = False


class RawData:
    """A dataset as the user gave it: a folder, or a CSV file and the pictures that it names.

    Parameters
    ----------
    path : the folder or the CSV file.
    memo : JSON file that remembers hashes between runs, or None to hash each time; or that memory itself.

    Raises
    ------
    DataError : there is nothing at ``path``, or a file that is no table.
    """

    @staticmethod
    def of(data: str, memo: Path | None = None, max_files: int = 2_000_000) -> RawData:
        """The dataset of a text as ``DATA=`` takes it: one path, or several with commas between them."""
        paths = paths_of(data)
        return RawData(paths[0], memo) if len(paths) == 1 else RawSources(paths, memo)

    def __init__(self, path: Path, memo: Path | HashMemo | None = None):
        if not path.exists():
            raise DataError(f"There is no dataset at {path}. Give its folder or its CSV file: DATA=/path/to/it")
        if not path.is_dir() and path.suffix.lower() not in TABLES:
            raise DataError(f"{path} is neither a folder nor a CSV file. Give the dataset: DATA=/path/to/it")
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self._memo = memo if isinstance(memo, HashMemo) else HashMemo(memo)

    @property
    def sources(self) -> dict[str, RawData]:
        """The datasets by the folder that their files seem to lie in: itself, in none."""
        return {"": self}

    def path_of(self, file: str) -> Path:
        """Where one of ``files`` is."""
        return self.folder / file

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 by path relative to the folder, in sorted order; hidden files and folders are left out."""
        found = self._walk() if self.path.is_dir() else {self.path.name, *self._named()}
        hashes = {name: self._memo.hash(self.folder / name) for name in sorted(found)}
        self._memo.save()
        return hashes

    def _walk(self) -> Iterator[str]:
        """The data files below the folder; links to folders are followed, each folder once, the cache left out."""
        seen = {os.path.realpath(self._memo.path.parent)} if self._memo.path else set()
        for folder, names, files in os.walk(self.folder, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                names.clear()
                continue
            seen.add(real)
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in files:
                if not name.startswith(".") and _is_data(name):
                    yield Path(folder, name).relative_to(self.folder).as_posix()

    def _named(self) -> Iterator[str]:
        """The data files below the folder that a cell of the table names: what else lies there is another's."""
        text = self.path.read_text("utf-8-sig", errors="replace")
        for row in csv.reader(text.splitlines(), delimiter=separator(text)):
            for name in (relative(cell, self.folder) for cell in row if _is_data(cell.strip())):
                if not name.startswith("..") and (self.folder / name).is_file():
                    yield name

    @cached_property
    def fingerprint(self) -> str:
        """One hash of all names and contents, and of which CSV file was named, if one was."""
        lines = [f"{digest}  {name}\n" for name, digest in self.files.items()]
        named = "" if self.path.is_dir() else self.path.name
        return hashlib.sha256("".join([named, "\n", *lines]).encode()).hexdigest()


class RawSources(RawData):
    """Several datasets at once: each one's files seem to lie in a folder of the dataset's name.

    Parameters
    ----------
    paths : their folders or CSV files.
    memo : as of ``RawData``.

    Raises
    ------
    DataError : as ``RawData``; or one of them is named twice.
    """

    def __init__(self, paths: list[Path], memo: Path | None = None):
        twice = {path for path in paths if [other.resolve() for other in paths].count(path.resolve()) > 1}
        if twice:
            raise DataError(f"DATA= names {', '.join(sorted(map(str, twice)))} twice. Give each dataset once.")
        shared = HashMemo(memo)
        self._sources: dict[str, RawData] = {}
        for source in (RawData(path, shared) for path in paths):
            self._sources[_unused(name_of(source.path), self._sources)] = source

    @property
    def sources(self) -> dict[str, RawData]:
        """The datasets by name, in their order."""
        return self._sources

    def path_of(self, file: str) -> Path:
        """Where one of ``files`` is."""
        source, _, below = file.partition("/")
        return self._sources[source].path_of(below)

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 by the dataset's name and the path in it."""
        return {
            f"{name}/{file}": digest for name, source in self._sources.items() for file, digest in source.files.items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """One hash of all names and contents, in the order in which the datasets were named."""
        lines = [f"{source.fingerprint}  {name}\n" for name, source in self._sources.items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def paths_of(data: str) -> list[Path]:
    """The paths that ``DATA=`` names, with commas between them; a comma may be in the name of a single one."""
    parts = [part.strip() for part in data.split(",") if part.strip()]
    return [Path(data)] if len(parts) < 2 or Path(data).exists() else list(map(Path, parts))


def name_of(path: Path) -> str:
    """What a dataset is called: the name of its folder, or of its file without suffix."""
    path = path.resolve()
    return path.stem if path.is_file() else path.name


def _unused(name: str, used: Collection[str]) -> str:
    """The name, with a number where another dataset bears it already."""
    return next(other for n in count(1) if (other := name if n == 1 else f"{name}-{n}") not in used)


def separator(table: str) -> str:
    """What separates the cells of a table, by its first line: a comma, a semicolon or a tab."""
    return max(",;\t", key=table.partition("\n")[0].count)


def relative(path: str, folder: Path) -> str:
    """A path of a table relative to its folder, with forward slashes; empty for an empty cell."""
    path = path.strip().replace("\\", "/")
    if os.path.isabs(path):
        path = os.path.relpath(path, folder.resolve())
    return os.path.normpath(path) if path else ""


def _is_data(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _read_json(path: Path) -> dict:
    try:
        known = json.loads(path.read_text("utf-8"))
        return known if isinstance(known, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}
