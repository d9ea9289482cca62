"""Reading where anything may lie: a FIFO that would hang its reader, a device, a folder where a file belongs."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import ArtifactError

BLOCK_BYTES = 2**20


class WrongKindError(OSError):
    """What lies at a path is a FIFO, a device, a socket, a folder or a ring of links: no file."""

    def __init__(self, path: Path):
        super().__init__(errno.EINVAL, "Not a regular file", os.fspath(path))


# What says that a file itself is wrong, unlike a full table of descriptors or a disk that cannot be read.
ABSENT = (FileNotFoundError, NotADirectoryError, WrongKindError)


def open_regular(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a file, unbuffered where it may be written, without waiting for the other end of a FIFO.

    Raises
    ------
    WrongKindError : there is something else than a file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ENXIO, errno.ELOOP):
            raise WrongKindError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise WrongKindError(path)
    return os.fdopen(descriptor, "rb") if flags == os.O_RDONLY else os.fdopen(descriptor, "r+b", buffering=0)


def read_regular(path: Path, most: int) -> bytes:
    """The content of a file of at most so many bytes.

    Raises
    ------
    WrongKindError : there is something else than a file.
    ValueError : it has more bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def digest(path: Path, ranges: Iterable[tuple[int, int]] | None = None) -> str:
    """SHA-256, as 64 hexadecimal digits, of a file or of the given byte ranges (start, stop) of it, in order.

    Raises
    ------
    WrongKindError : there is something else than a file.
    """
    with open_regular(path) as file:
        if ranges is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        total = hashlib.sha256()
        for start, stop in ranges:
            file.seek(start)
            while (left := stop - file.tell()) > 0 and (block := file.read(min(left, BLOCK_BYTES))):
                total.update(block)
        return total.hexdigest()


def make_folder(path: Path) -> Path:
    """Make a folder where there is none.

    Raises
    ------
    ArtifactError : something else lies in its place.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ArtifactError(
            f"{path} must be a folder, something else lies in its place. Remove it: rm {path}"
        ) from error
    return path
