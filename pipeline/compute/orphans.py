"""Nothing outlives the process it worked for: children end with their parent, and semaphores carry its number.

``PR_SET_PDEATHSIG`` would do without a thread, but it counts the thread that made the child as the parent: loky makes
workers in its manager's thread too (when one went idle, or a result let the next task begin), dask makes all of its
in others, and such a thread may end before its process does. A descriptor of the process knows no threads.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from multiprocessing import process

LOOK_S = 0.5  # between two looks at the parent, where the system cannot tell when it ends


def end_with(parent: int) -> None:
    """Let this process end, without a word and without cleaning up, as soon as its parent has ended.

    Parameters
    ----------
    parent : the number of the process that made this one, as it said itself: it may have ended by now.
    """
    threading.Thread(target=_end_after, args=(parent,), name="end with parent", daemon=True).start()


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
