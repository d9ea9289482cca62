"""What may lie where a file belongs, and a limit for what must not wait for it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("a pipe", "a socket", "a device", "a folder")


def put(path: Path, kind: str) -> Path:
    """Make something at a path that is no file."""
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        server = socket.socket(socket.AF_UNIX)
        before = os.getcwd()
        os.chdir(path.parent)  # a socket's path has at most about a hundred characters
        server.bind(path.name)
        os.chdir(before)
        server.close()
    elif kind == "a device":
        path.symlink_to("/dev/zero")  # it has no end
    else:
        path.mkdir()
    return path


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail what takes longer, a hang above all."""

    def late(*_: object) -> None:
        raise TimeoutError(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
