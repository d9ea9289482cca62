"""What a killed process leaves in shared memory, removed by whoever takes its place.

Semaphores, joblib's folders and torch's tensors bear the process id of their maker in their names. A lock keeps
the text of a holder that was killed: so the next one knows whose names to look for, and touches nobody else's.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
OWNED = re.compile(r"(?:sem\.(?:loky|mp)-|joblib_memmapping_folder_|torch_)(\d{1,9})[-_]")
HOLDER = re.compile(r"process (\d{1,9}) on (\S+) \(")
MOST_COMMAND = 200  # characters of a command line in a message


def this_process() -> str:
    """This process as the text of a lock: its id, host, command and since when it is there."""
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    shown = "".join(c if c.isprintable() else "?" for c in command)[:MOST_COMMAND]
    since = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {_host()} ({shown}) since {since}"


def process_of(text: str) -> int | None:
    """The id of the process of this host that the text of a lock names; None when it names none, or another host's."""
    match = HOLDER.match(text)
    return int(match[1]) if match and match[2] == _host() else None


def clear(text: str) -> None:
    """Remove what the process that the text of a lock names left in shared memory, if it ran here and is dead."""
    process = process_of(text)
    if process is None or alive(process):
        return
    for path in _left_by(process):
        with suppress(FileNotFoundError):  # a resource tracker that outlived it removes them too
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _left_by(process: int) -> list[Path]:
    """This user's files in shared memory whose names say that a process made them."""
    names = os.listdir(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else []
    return [
        SHARED_MEMORY / name
        for name in names
        if (match := OWNED.match(name)) and int(match[1]) == process and _is_mine(SHARED_MEMORY / name)
    ]


def _is_mine(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.lstat().st_uid == os.getuid()
    return False


def alive(process: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    with suppress(OSError, IndexError):  # not every system has /proc
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    return True


def _host() -> str:
    return platform.node() or "localhost"
