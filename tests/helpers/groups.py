"""Programs in process groups of their own, and who of a group still lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


def start(*arguments: object, environment: Mapping[str, str] = MappingProxyType({}), **options) -> subprocess.Popen:
    """Python with arguments, in a group of its own."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **options)


@contextmanager
def running(*arguments: object, **options) -> Iterator[subprocess.Popen]:
    """The same, and none of the group lives on after the block."""
    run = start(*arguments, **options)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def members(group: int) -> list[int]:
    """The living processes of a group."""
    pids = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = status.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            pids.append(int(status.parent.name))
    return pids


def wait_until(come: Callable[[], object], seconds: float = TIMEOUT_S) -> None:
    """Wait for a moment, which must come in time."""
    deadline = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin_and_wait(folder: Path) -> None:
    """What a process of such a program may do: say that it has begun, by a file of its own, and wait for a minute."""
    (folder / f"{os.getpid()}.begun").touch()
    time.sleep(60)
