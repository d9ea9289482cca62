"""One file of raw data, opened only if it is one: a pipe, a socket or a device hangs its reader, or does worse."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from pipeline.artifacts.files import open_regular
from pipeline.errors import DataError

MAX_BYTES = 2**30  # 90 megapixels of 16-bit RGBA are 716 MB, the largest known table has 300 MB

# What says nothing of the file: it would be good with more descriptors, more memory or another disk.
SURROUNDINGS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def kind_of(status: os.stat_result) -> str:
    """What something is that is no file, in words; empty for a file."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "")


def open_raw(path: Path, most: int = MAX_BYTES) -> tuple[BinaryIO, int]:
    """Open a file and say how many bytes it has; an endless file, such as some of ``/proc``, says 0.

    Raises
    ------
    DataError : there is none, it is something else than a file, has more than ``most`` bytes, or cannot be opened; the
        message is the reason alone, as ``kind: detail``.
    OSError : one of ``SURROUNDINGS``, which must not become a reason to leave the file out.
    """
    try:
        status = os.stat(path)  # before it is opened: a device may act on that alone
        if kind := kind_of(status):
            raise DataError(f"not a file: it is {kind}")
        if status.st_size > most:
            raise DataError(f"too large: {status.st_size:,} bytes, at most {most:,} are read")
        return open_regular(path), status.st_size
    except FileNotFoundError as error:
        raise DataError("missing: there is no such file") from error
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in SURROUNDINGS:
            raise
        raise DataError(f"unreadable: {getattr(error, 'strerror', None) or error}") from error
