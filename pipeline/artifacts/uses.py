"""Which artifacts running commands use, so that nobody removes them meanwhile.

A command names the artifacts that it makes or reads in a file of its own, which it keeps locked; the lock goes with the
process, however it ends. Naming and removing exclude each other by one lock of the store: an artifact that was found
after it was named stays.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import platform
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from pipeline.artifacts import leftovers
from pipeline.artifacts.files import make_folder
from pipeline.artifacts.locks import LOCKS, hold, open_lock, take, write

log = logging.getLogger(__name__)

USES = "uses"
STORE_LOCK = "store.lock"
_numbers = count()


class Uses:
    """The artifacts of one store that this process uses, until this object or the process goes.

    Parameters
    ----------
    root : folder of the store.
    """

    def __init__(self, root: Path):
        self._root = root
        self._names: set[str] = set()
        self._file: BinaryIO | None = None

    def __reduce__(self) -> tuple[type[Uses], tuple[Path]]:
        """Another process says itself what it uses."""
        return Uses, (self._root,)

    def add(self, names: Iterable[str]) -> None:
        """Use more artifacts, by the names of their folders."""
        new = sorted(set(names) - self._names)
        if not new:
            return
        try:
            with excluding(self._root):
                self._file = self._file or self._begin()
                write(self._file, *new)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            log.debug("%s cannot be written: nothing says that its artifacts are in use", self._root)
        self._names.update(new)

    def _begin(self) -> BinaryIO:
        """This process's file, locked, once those of dead processes are gone."""
        folder = make_folder(self._root / LOCKS / USES)
        for _ in _running(folder):
            pass
        path = folder / f"{platform.node()}-{os.getpid()}-{next(_numbers)}"
        file = open_lock(path)
        take(file)
        write(file, leftovers.this_process())
        weakref.finalize(self, _end, file, path, os.getpid())
        return file


def excluding(root: Path) -> AbstractContextManager[None]:
    """While the block runs, no command begins to use artifacts of the store, and none removes any."""
    return hold(root / LOCKS / STORE_LOCK, root.name, "looked through")


def users(root: Path) -> dict[str, str]:
    """Which other process uses an artifact, by the name of its folder; call it in ``excluding``."""
    folder = root / LOCKS / USES
    others = [lines for lines in _running(folder) if leftovers.process_of(lines[0]) != os.getpid()]
    return {name: lines[0] for lines in others for name in lines[1:]}


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """While the block runs, nobody removes an artifact's folder; one that lies in no store is left as it is."""
    uses = Uses(folder.absolute().parent)
    if (folder.absolute().parent / LOCKS).is_dir():
        uses.add([folder.absolute().name])
    yield


def _running(folder: Path) -> Iterator[list[str]]:
    """The lines of the files of running processes; those of dead ones are removed, and what they left behind."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            with open_lock(path, os.O_RDONLY) as file:
                stale = take(file, fcntl.LOCK_SH)
                lines = file.read().decode("utf-8", "replace").splitlines() or [""]
                if stale:
                    leftovers.clear(lines[0])
                    path.unlink()
        except FileNotFoundError:  # it ended just now
            continue
        if not stale:
            yield lines


def _end(file: BinaryIO, path: Path, process: int) -> None:
    """Take back what this process uses; a process that was forked from it does not."""
    if os.getpid() == process:
        path.unlink(missing_ok=True)
    file.close()
