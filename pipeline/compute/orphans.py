"""Nothing outlives the process it worked for: children end with their parent, and semaphores carry its number."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import process
from pathlib import Path

LOOK_S = 0.5  # between two looks at the parent, where the system cannot tell when it ends
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def end_with(parent: int) -> None:
    """Let this process end, without a word and without cleaning up, as soon as its parent has ended.

    A thread waits for that, with one exception: Linux kills the process if it was made by the parent's main thread.
    It does so also amid a call that keeps other threads waiting, as renderers and imports do for seconds.

    Parameters
    ----------
    parent : the number of the process that made this one, as it said itself: it may have ended by now.
    """
    if _made_by_main_thread(parent):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_after, args=(parent,), name="end with parent", daemon=True).start()


def _made_by_main_thread(parent: int) -> bool:
    """Whether Linux says so: its signal comes when the thread that made a process ends, and only this one ends last.

    loky makes workers in its manager's thread too, in place of idle ones that went; dask makes all in such threads.
    """
    with suppress(OSError):  # not Linux, or the parent has ended
        return str(os.getpid()) in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return False


def _end_after(parent: int) -> None:
    wait = _waiting(parent)
    while os.getppid() == parent:  # an orphan has another parent at once
        wait()
    os._exit(1)


def _waiting(parent: int) -> Callable[[], object]:
    """What to call to wait for a process's end, or for some time."""
    try:
        ended = select.poll()
        ended.register(os.pidfd_open(parent), select.POLLIN)
    # Not on this system (macOS, Linux before 5.3), not in this sandbox, no descriptor left, or nobody there any more.
    except (AttributeError, OSError):
        return lambda: time.sleep(LOOK_S)
    return ended.poll


def name_semaphores() -> None:
    """Name the semaphores that ``multiprocessing`` makes from now on after this process, as loky does.

    A run that is killed with all its children leaves them in shared memory; the name tells whose they were.
    """
    process.current_process()._config["semprefix"] = f"/mp-{os.getpid()}"
