"""A lock between processes that names its holder and cannot outlive it.

The operating system drops an ``flock`` when its holder ends, however it ends, so a killed run leaves no lock behind;
what it does leave is its name in the lock file, from which the next holder knows whom to clear up after.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pipeline.artifacts import leftovers
from pipeline.artifacts.files import WrongKindError, make_folder, open_regular
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)

LOCKS = ".locks"
PARTIAL = ".partial"
MOST_BYTES = 4096  # of a lock's text


def lock_of(folder: Path) -> Path:
    """The lock file of an artifact's folder, whole or partial."""
    return folder.parent / LOCKS / f"{folder.name.removesuffix(PARTIAL)}.lock"


@contextmanager
def hold(path: Path, what: str, deed: str = "made") -> Iterator[None]:
    """Hold the lock file at ``path``; while another process has it, say who that is and wait.

    Parameters
    ----------
    path : the lock file; made when missing, and kept.
    what : the name of the locked thing, for the message.
    deed : what is done to it, for the message.

    Raises
    ------
    ArtifactError : something else than a file lies at ``path``, or than a folder above it.
    """
    make_folder(path.parent)
    with _taken(path, f"{what} is being {deed} by") as file:
        leftovers.clear(text_of(file))
        _sign(file)
        try:
            yield
        finally:
            file.truncate(0)


def holder(path: Path) -> str:
    """Who holds the lock file at ``path``, in words; empty when nobody does."""
    try:
        with open_lock(path, os.O_RDONLY) as file:
            if not take(file, fcntl.LOCK_SH):
                return text_of(file).partition("\n")[0] or "another process"
    except (FileNotFoundError, NotADirectoryError):
        pass
    return ""


def open_lock(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> BinaryIO:
    """Open a lock file, made when missing unless ``flags`` say otherwise.

    Raises
    ------
    ArtifactError : something else than a file lies there.
    """
    try:
        return open_regular(path, flags)
    except WrongKindError as error:
        raise ArtifactError(
            f"{path} must be a lock file, something else lies there. Remove it: rm -r {path}"
        ) from error


def take(file: BinaryIO, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file; False when another process has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def text_of(file: BinaryIO) -> str:
    """What a lock file says."""
    file.seek(0)
    return file.read(MOST_BYTES).decode("utf-8", "replace")


def write(file: BinaryIO, *lines: str) -> None:
    """Add lines to a lock file."""
    file.seek(0, os.SEEK_END)
    left = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    while left:  # a disk that fills takes a part first
        left = left[file.write(left) :]


@contextmanager
def _taken(path: Path, whose: str) -> Iterator[BinaryIO]:
    """The lock file, open and locked, once it is this process's."""
    while True:
        with open_lock(path) as file:
            if not take(file):
                log.warning("%s %s; waiting for it", whose, holder(path) or "another process")
                fcntl.flock(file, fcntl.LOCK_EX)
            if _lies_at(path, file):
                yield file
                return


def _sign(file: BinaryIO) -> None:
    """Write this process's name into its lock; on a full disk it goes without, for space is made under a lock too."""
    file.truncate(0)
    try:
        write(file, leftovers.this_process())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _lies_at(path: Path, file: BinaryIO) -> bool:
    """Whether a lock is still the one that others will take: it may have been removed with its artifact meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
