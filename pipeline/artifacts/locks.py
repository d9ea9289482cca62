"""A lock between processes that names its holder and cannot outlive it.

The operating system drops an ``flock`` when its holder ends, however it ends, so a killed run leaves no lock behind.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at ``path``; while another process has it, say who that is and wait.

    Parameters
    ----------
    path : the lock file; made when missing, and kept.
    what : the name of the locked thing, for the message.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s is being made by %s; waiting for it", what, holder(path) or "another process")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(_this_process())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(path: Path) -> str:
    """Who holds the lock file at ``path``, in words; empty when nobody does."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    return ""


def _this_process() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    since = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {platform.node()} ({command}) since {since}\n"
