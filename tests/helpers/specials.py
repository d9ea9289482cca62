"""What may lie where a file belongs, and a limit for what must not wait for it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("a pipe", "a socket", "a device", "a folder")
LOOP = "a loop of links"


def put(path: Path, kind: str) -> Path:
    """Make something at a path that is no file, one of ``KINDS`` or a ``LOOP``, in place of a file that is there."""
    path.unlink(missing_ok=True)
    _MAKERS[kind](path)
    return path


def _socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's path has at most about a hundred characters
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(f"/proc/self/fd/{folder}/socket")
        (path.parent / "socket").rename(path)
    finally:
        os.close(folder)


_MAKERS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),  # it has no end
    "a folder": os.mkdir,
    LOOP: lambda path: path.symlink_to(path.name),
}


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
