"""A small world to attack: for each task a slice of its demo set, and a cache that was made undisturbed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import presets
from pipeline.artifacts.suffixes import PICTURES, SIGNALS, TABLES, suffix_of
from pipeline.config import DEMO_SETS
from pipeline.tasks import TASKS, Task
from stages.cli import cli
from tests.attacks.outcome import Server

SAMPLES = 72  # more than one block of the aligner holds
OF_SAMPLES = PICTURES | (SIGNALS - TABLES)  # a plain table is about recordings, which demo sets pack
PREPARE = "prepare"  # stands for the command that prepares a task's inputs
CACHE = "cache"
RECORD = "record.json"
SUFFIX = ".partial"
# What a record says of time, of files that are compared themselves, of settings that change nothing (all others are in
# its field "fingerprinted"), and of itself as a whole.
VARYING = ("made", "duration_s", "files", "config", "checksum")
TIMED = "seconds"  # a column of tables of runs
LOGS = "tensorboard"  # its names and contents hold the time
BESIDE = (".locks", ".hashes.json", ".weights.json")  # how the cache works, not what it holds
FULL_S = 120  # a whole report, undisturbed, on a busy machine


@dataclass(frozen=True)
class Reference:
    """A dataset and its finished cache.

    Parameters
    ----------
    task : what is asked of it.
    data : the dataset.
    place : the folder whose ``cache`` is finished.
    files : digest by path below the cache.
    """

    task: Task
    data: Path
    place: Path
    files: Mapping[str, str]
    number: int
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # folder names that an artifact was made from
    seconds: Mapping[str, float] = field(default_factory=dict)  # that making it took

    def argv(self, command: str, **given: object) -> list[str]:
        """The words of a command on this dataset; what it has no option for is left out."""
        command = self.task.prepare if command == PREPARE else command
        network = presets.preset(self.task, "smoke").teachers[0]
        known = {name for parameter in cli.commands[command].params for name in parameter.opts}
        values = {
            "task": self.task.name,
            "data": self.data,
            "preset": "smoke",
            "cache": CACHE,
            "device": "cpu",
            "align": ("mtcnn", "none")[self.number % 2],
            "face_size": 128,
            "workers": 1,
            "teacher": f"{network},none" if "--student" in known else network,
            "checkpoint_s": 0,
        }
        words = [command]
        for name, value in {**values, **given}.items():
            if (flag := f"--{name.replace('_', '-')}") in known:
                words += [flag, str(value)]
        return words

    def copy(self, place: Path) -> Path:
        """A cheap copy of the finished cache: its files are links, until ``loosen`` makes one a file of its own."""
        place.mkdir(parents=True)
        shutil.copytree(self.place / CACHE, place / CACHE, symlinks=True, copy_function=os.link)
        for path in (place / CACHE).glob("*/.*/*"):
            loosen(path)
        return place

    @property
    def samples(self) -> list[Path]:
        """The files of the dataset that hold samples."""
        return samples_in(self.data)

    @property
    def store(self) -> Path:
        """The dataset's folder in the finished cache."""
        (folder,) = (path for path in (self.place / CACHE).iterdir() if path.is_dir())
        return folder

    @property
    def artifacts(self) -> list[str]:
        """Names of the artifacts' folders."""
        return sorted(self.inputs)

    def folder(self, place: Path) -> Path:
        """The dataset's folder in a cache elsewhere."""
        return place / CACHE / self.store.name

    def remove(self, place: Path, *artifacts: str) -> set[str]:
        """Remove artifacts and all that was made from them from a copy; their names."""
        names = {*artifacts, *self.downstream(*artifacts)}
        for name in names:
            if (self.folder(place) / name).exists():  # a killed run may not have come so far
                shutil.rmtree(self.folder(place) / name)
        return names

    def readers(self, artifact: str) -> set[str]:
        """The artifacts that were made from one, directly."""
        return {name for name, inputs in self.inputs.items() if artifact in inputs}

    def downstream(self, *artifacts: str) -> set[str]:
        """The artifacts that were made from any of these, at any distance."""
        found: set[str] = set()
        wanted = list(artifacts)
        while wanted:
            new = self.readers(wanted.pop()) - found
            found |= new
            wanted += new
        return found

    def differences(self, place: Path, whole: bool = True, ignored: str = "") -> list[str]:
        """How a cache differs from the finished one: files that are other, missing or too many.

        Parameters
        ----------
        whole : whether missing files count.
        ignored : a file that may differ.
        """
        files = digests(place / CACHE, self.place / CACHE, self.files)
        names = self.files.keys() | files.keys() if whole else files.keys()
        return [name for name in sorted(names) if files.get(name) != self.files.get(name) and name != ignored]


def loosen(path: Path) -> None:
    """Make a file one of its own that was a link to the same content elsewhere."""
    if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
        draft = path.with_name(f"{path.name}.loose")
        shutil.copy2(path, draft)
        draft.replace(path)


def digests(cache: Path, like: Path | None = None, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """A digest of each file that a cache holds, by its path; links count by where they lead to.

    Parameters
    ----------
    like, known : a cache whose digests are known: a file that is the same file there is not read again.
    """
    found = {}
    for folder, folders, files in os.walk(cache):
        folders[:] = [name for name in folders if name not in (*BESIDE, LOGS)]
        for name in [*files, *(name for name in folders if Path(folder, name).is_symlink())]:
            if name in BESIDE:
                continue
            path = Path(folder, name)
            key = path.relative_to(cache).as_posix()
            twin = like / key if like else None
            same = twin and key in known and twin.exists() and not path.is_symlink() and path.samefile(twin)
            found[key] = known[key] if same else _digest(path)
    return found


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if not path.is_file():
        return f"no file: {path.stat().st_mode:o}"
    content = path.read_bytes()
    with contextlib.suppress(ValueError, RecursionError, AttributeError):  # a damaged one is compared as it is
        content = _timeless(path, content)
    return hashlib.sha256(content).hexdigest()


def _timeless(path: Path, content: bytes) -> bytes:
    """A file's content without what it says of time."""
    if path.name == RECORD:
        record = {name: value for name, value in json.loads(content).items() if name not in VARYING}
        return json.dumps(record, sort_keys=True).encode()
    if path.suffix == ".csv":
        rows = list(csv.DictReader(content.decode().splitlines()))
        if rows and TIMED in rows[0]:
            return json.dumps([{**row, TIMED: ""} for row in rows]).encode()
    return content


class World:
    """Datasets, their finished caches, and room for attacks.

    Parameters
    ----------
    root : an empty folder.
    server : runs the commands that make the caches.
    tasks : names of those to have; all that there are when left out.
    """

    def __init__(self, root: Path, server: Server, tasks: tuple[str, ...] = tuple(TASKS)):
        self.root = root
        self.references = {name: self._made(list(TASKS).index(name), TASKS[name], server) for name in tasks}

    def _made(self, number: int, task: Task, server: Server) -> Reference:
        data = slice_of(DEMO_SETS / task.demo, self.root / "data" / task.name, SAMPLES)
        place = self.root / "finished" / task.name
        place.mkdir(parents=True)
        draft = Reference(task, data, place, {}, number)
        outcome = server.run(draft.argv("sweep"), place, limit_s=FULL_S)
        if outcome.verdict != "ok" or server.left() or outcome.processes:
            raise RuntimeError(f"no finished cache to begin with: {outcome.brief}")
        records = _records(draft.store)
        seconds = {name: record["duration_s"] for name, record in records.items()}
        return Reference(task, data, place, digests(place / CACHE), number, _inputs(records), seconds)

    def check(self) -> list[str]:
        """Names of the files of the finished caches that an attack has changed through a link."""
        return [
            f"{reference.task.name}/{name}"
            for reference in self.references.values()
            for name, digest in digests(reference.place / CACHE).items()
            if digest != reference.files[name]
        ]


def _records(store: Path) -> dict[str, dict[str, Any]]:
    folders = [path.parent for path in store.glob(f"*/{RECORD}") if not path.parent.is_symlink()]
    return {folder.name: json.loads((folder / RECORD).read_text("utf-8")) for folder in folders}


def _inputs(records: Mapping[str, dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """By artifact, the artifacts that it was made from, as the records say."""
    names = {record["fingerprint"]: name for name, record in records.items()}
    return {
        name: tuple(names[mark] for mark in record["inputs"].values() if mark in names)
        for name, record in records.items()
    }


def samples_in(folder: Path) -> list[Path]:
    """The files that hold samples, pictures or recordings, in order."""
    return sorted(path for path in folder.rglob("*") if suffix_of(path.name) in OF_SAMPLES)


def slice_of(source: Path, target: Path, samples: int) -> Path:
    """A copy of a dataset with so many samples, spread evenly over it, and the rows of its tables about them."""
    files = {path.relative_to(source).as_posix(): path for path in samples_in(source)}
    texts = {path: path.read_text("utf-8") for path in sorted(source.rglob("*.csv"))}
    rows = max([sum(text.count(path.name) for path in files.values()) for text in texts.values()], default=len(files))
    count = max(1, samples * len(files) // rows)
    names = {list(files)[number * len(files) // count] for number in range(count)}
    tables = {path: list(csv.reader(text.splitlines())) for path, text in texts.items()}
    about = [line for lines in tables.values() for line in lines if names.intersection(line)]
    names |= files.keys() & {cell for line in about for cell in line}  # the other half of a pair
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[name], target / name)
    for path, (header, *lines) in tables.items():
        kept = [line for line in lines if names.intersection(line)]
        with (target / path.relative_to(source)).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *kept])
    return target
