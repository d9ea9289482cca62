"""Raw data as an input of the pipeline: its files, their SHA-256 and one fingerprint of all of them.

Only regular files are data, and only under names that are one line of UTF-8; whatever else looks like a picture or a
table is named with the reason why it is left out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import count
from pathlib import Path

from pipeline.artifacts.hash_memo import HashMemo
from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.suffixes import DATA, HIDDEN, PACKED, PICTURES, TABLES, escaped, fault_of, printable, suffix_of
from pipeline.artifacts.tables import read_cells
from pipeline.config import IndexConfig
from pipeline.errors import DataError

MAX_FILES = IndexConfig.max_files  # files and folders that are looked at
MANY_FILES = 100_000  # so often it is said what is looked through
BESIDE = "._"  # how macOS names what it keeps beside a file

log = logging.getLogger(__name__)


class RawData:
    """A dataset as the user gave it: a folder, or a CSV file and the pictures that it names.

    Parameters
    ----------
    path : the folder or the CSV file.
    memo : JSON file that remembers hashes between runs, or None to hash each time; or that memory itself.
    max_files : files and folders below the folder that may be looked at.

    Raises
    ------
    DataError : there is nothing at ``path``, or a file that is no table.
    """

    @staticmethod
    def of(data: str, memo: Path | None = None, max_files: int = MAX_FILES) -> RawData:
        """The dataset of a text as ``DATA=`` takes it: one path, or several with commas between them.

        Raises
        ------
        DataError : the text is empty, or as ``RawData``.
        """
        if not data.strip():
            raise DataError("DATA= is empty. Give the folder or the CSV file of the dataset: DATA=/path/to/it")
        paths = paths_of(data)
        return RawData(paths[0], memo, max_files) if len(paths) == 1 else RawSources(paths, memo, max_files)

    def __init__(self, path: Path, memo: Path | HashMemo | None = None, max_files: int = MAX_FILES):
        self._is_folder = os.path.isdir(path)
        if not os.path.exists(path):
            raise DataError(f"There is no dataset at {shown(path)}. Give its folder or its CSV file: DATA=/path/to/it")
        if not self._is_folder and not (os.path.isfile(path) and suffix_of(os.fspath(path)) in TABLES):
            raise DataError(f"{shown(path)} is neither a folder nor a CSV file. Give the dataset: DATA=/path/to/it")
        if not self._is_folder and (fault := fault_of(path.name)):
            raise DataError(f"{shown(path)} cannot be used by its {fault}.")
        self.path = path
        self.folder = path if self._is_folder else path.parent
        self._memo = memo if isinstance(memo, HashMemo) else HashMemo(memo)
        self._max_files = max_files

    @property
    def sources(self) -> dict[str, RawData]:
        """The datasets by the folder that their files seem to lie in: itself, in none."""
        return {"": self}

    def path_of(self, file: str) -> Path:
        """Where one of ``files`` is."""
        return self.folder / file

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 by path relative to the folder, in sorted order; hidden files and folders are left out.

        The SHA-256 is empty where there is no file that could be read: whoever reads it says why.

        Raises
        ------
        DataError : there is more than ``max_files`` to look at, or the CSV file is none.
        """
        names = sorted(self._found[0])
        hashes = self._memo.hashes([os.path.join(self.folder, name) for name in names], self.path)
        self._memo.save()
        return dict(zip(names, hashes, strict=True))

    @property
    def omitted(self) -> dict[str, str]:
        """Why something below the folder is left out, as ``kind: detail``, by its name as ``escaped`` shows it.

        These are folders that cannot be listed, data files whose names cannot be used, and hidden pictures and signals;
        not what is in hidden folders, nor what a system keeps beside a file (``._a.jpg``).
        """
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[set[str], dict[str, str]]:
        """The names of the data files, and what is left out with the reason."""
        return self._walk() if self._is_folder else ({self.path.name, *self._named()}, {})

    def _walk(self) -> tuple[set[str], dict[str, str]]:
        """What is below the folder; links to folders are followed, each folder once, the cache left out."""
        seen = {os.path.realpath(self._memo.path.parent)} if self._memo.path else set()
        names, omitted, looked_at = set(), {}, 0
        folders = [""]  # relative to the dataset's; the next one last
        while folders:
            below = folders.pop()
            folder = os.path.join(self.folder, below)
            if (real := os.path.realpath(folder)) in seen:
                continue
            seen.add(real)
            try:
                inner, files = self._listed(folder, looked_at)
            except OSError as error:
                if error.errno in SURROUNDINGS:
                    raise
                omitted[escaped(below or ".")] = f"unreadable folder: {error.strerror}"
                continue
            looked_at += len(inner) + len(files)
            folders += [os.path.join(below, name) for name in sorted(inner, reverse=True) if name[0] != "."]
            for file in (file for file in files if suffix_of(file) in DATA and not file.startswith(BESIDE)):
                name, hidden = os.path.join(below, file), file.startswith(".")
                if fault := fault_of(name):
                    omitted[escaped(name)] = fault
                elif hidden and suffix_of(file) in PICTURES | PACKED:
                    omitted[escaped(name)] = f"{HIDDEN}: its name begins with a dot"
                elif not hidden:
                    names.add(name)
        return names, omitted

    def _listed(self, folder: str, looked_at: int) -> tuple[list[str], list[str]]:
        """The names of a folder's folders and of what else is in it; so many things were looked at before."""
        inner, files = [], []
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries, looked_at + 1):
                if number % MANY_FILES == 0:
                    log.info("looking through %s: %s files and folders so far", self.path, f"{number:,}")
                if number > self._max_files:
                    raise DataError(
                        f"{self.path} has more than {self._max_files:,} files and folders. Give the folder of the "
                        "dataset alone, DATA=/path/to/it, or allow more: MAX_FILES="
                    )
                (inner if _leads_to_folder(entry) else files).append(entry.name)
        return inner, files

    def _named(self) -> Iterator[str]:
        """The data files below the folder that a cell of the table names: what else lies there is another's."""
        for _, row in read_cells(self.path):
            for name in (relative(cell, self.folder) for cell in row if suffix_of(cell.strip()) in DATA):
                path = os.path.join(self.folder, name)
                if not name.startswith("../") and not fault_of(name) and _is_no_folder(path):
                    yield name

    @cached_property
    def fingerprint(self) -> str:
        """One hash of all names and contents, of what is left out, and of which CSV file was named, if one was."""
        lines = [f"{digest}  {name}\n" for name, digest in self.files.items()]
        left_out = [f"left out  {name}\n" for name in sorted(self.omitted)]
        named = "" if self._is_folder else self.path.name
        return hashlib.sha256("".join([named, "\n", *lines, *left_out]).encode()).hexdigest()


class RawSources(RawData):
    """Several datasets at once: each one's files seem to lie in a folder of the dataset's name.

    Parameters
    ----------
    paths : their folders or CSV files.
    memo, max_files : as of ``RawData``.

    Raises
    ------
    DataError : as ``RawData``; or one of them is named twice, or bears a name that no file may have.
    """

    def __init__(self, paths: list[Path], memo: Path | None = None, max_files: int = MAX_FILES):
        places = [os.path.realpath(path) for path in paths]
        if twice := {shown(path) for path, place in zip(paths, places, strict=True) if places.count(place) > 1}:
            raise DataError(f"DATA= names {', '.join(sorted(twice))} twice. Give each dataset once.")
        shared = HashMemo(memo)
        self._sources: dict[str, RawData] = {}
        for source in (RawData(path, shared, max_files) for path in paths):
            name = name_of(source.path)
            if fault := fault_of(name):
                raise DataError(f"The dataset {shown(source.path)} cannot be one of several by its {fault}.")
            self._sources[_unused(name, self._sources)] = source

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

    @property
    def omitted(self) -> dict[str, str]:
        """What is left out, by the dataset's name and its own in it."""
        return {
            f"{name}/{file}": reason
            for name, source in self._sources.items()
            for file, reason in source.omitted.items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """One hash of all names and contents, in the order in which the datasets were named."""
        lines = [f"{source.fingerprint}  {name}\n" for name, source in self._sources.items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def paths_of(data: str) -> list[Path]:
    """The paths that ``DATA=`` names, with commas between them; a comma may be in the name of a single one."""
    parts = [part.strip() for part in data.split(",") if part.strip()]
    return [Path(data)] if len(parts) < 2 or os.path.exists(data) else list(map(Path, parts))


def name_of(path: Path) -> str:
    """What a dataset is called: the name of its folder, or of its file without suffix."""
    path = Path(os.path.realpath(path))
    return path.stem if os.path.isfile(path) else path.name


def _unused(name: str, used: Collection[str]) -> str:
    """The name, with a number where another dataset bears it already."""
    return next(other for n in count(1) if (other := name if n == 1 else f"{name}-{n}") not in used)


def relative(path: str, folder: Path) -> str:
    """A path of a table relative to its folder, with forward slashes; empty for an empty cell."""
    path = path.strip().replace("\\", "/")
    if os.path.isabs(path):
        path = os.path.relpath(path, folder.resolve())
    return os.path.normpath(path) if path else ""


def shown(path: Path) -> str:
    """A path in a message, whatever was given as one."""
    return printable(os.fspath(path)[:500])


def _leads_to_folder(entry: os.DirEntry) -> bool:
    """Whether an entry is a folder or a link to one; a ring of links is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_no_folder(path: str) -> bool:
    """Whether there is something other than a folder, be it a pipe: whoever reads it says why it cannot be used."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
