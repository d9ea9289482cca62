"""What the surroundings do to a command: full disks, limits, missing rights, signals, closed streams. Each is one line.

A bug keeps its traceback; an error of the surroundings shows its own, too, where ``PAINDISTILL_TRACEBACK`` is set.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from types import FrameType

import click

from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.errors import ConfigError, PainDistillError

TRACEBACK = "PAINDISTILL_TRACEBACK"
FIXABLE = 2  # the exit status of what a user can fix
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # beside SIGINT, which Python turns into an exception itself

ELSEWHERE = "CACHE= (OUT= for results, DATA= for a dataset)"
KEPT = "What is finished is kept."
MEMORY = f"{KEPT} Free memory, or take less: BATCH_SIZE=, WORKERS=, NPROC="
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"{KEPT} Free some space (make gc) or choose another disk: CACHE="),
    errno.EROFS: f"Choose a folder that can be written: {ELSEWHERE}",
    **dict.fromkeys((errno.EACCES, errno.EPERM), f"Allow it to this user, or choose another folder: {ELSEWHERE}"),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
        f"Another kind of file is in its place. Move it away, or choose another folder: {ELSEWHERE}",
    ),
    **dict.fromkeys(
        (errno.ENOENT, errno.ENODEV, errno.ENXIO),
        f"It is gone, or nothing can be made there. Run the command again, or choose another folder: {ELSEWHERE}",
    ),
    errno.ELOOP: f"Its links lead in a circle. Mend them, or choose another folder: {ELSEWHERE}",
    errno.ENAMETOOLONG: f"Choose a folder with a shorter path: {ELSEWHERE}",
    errno.EFBIG: f"{KEPT} Raise the limit of a file's size (ulimit -f unlimited), or choose another disk: CACHE=",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), f"{KEPT} Raise the limit of open files: ulimit -n 4096"),
    errno.EAGAIN: f"{KEPT} Raise the limit of processes (ulimit -u), or start fewer: WORKERS=, NPROC=",
    errno.ENOMEM: MEMORY,
    errno.EIO: f"{KEPT} The disk or its connection fails. Look after it, or choose another: {ELSEWHERE}",
    **dict.fromkeys(
        (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS),
        "That file system lacks locks or memory maps. Choose a folder on a local disk: CACHE=",
    ),
}
# Whoever could not read an artifact for one of these calls it damaged, which it is not: removing it would mend nothing.
NO_DAMAGE = SURROUNDINGS | {errno.EACCES, errno.EPERM}
OTHERWISE = f"{KEPT} Put that right and run the command again."

# Libraries say what happened in the text of other exceptions: by number, in the system's words, or in their own.
NUMBERED = re.compile(r"(?:\berrno = |\(os error |\[Errno )(\d+)")
NAMED = re.compile(r"name = '([^']*)'|at path \"([^\"]*)\"")
WORDS = {
    "can't allocate memory": errno.ENOMEM,
    "out of memory": errno.ENOMEM,
    "failed to map segment": errno.ENOMEM,  # the loader of shared libraries
    "can't start new thread": errno.EAGAIN,
    "Symlink loop": errno.ELOOP,
    **{os.strerror(number): number for number in REMEDIES},
    "inline_container": errno.EIO,  # torch's writer of files
    "PytorchStreamWriter": errno.EIO,
}
SPEAKING = {"RuntimeError", "ImportError", "SafetensorError", "OutOfMemoryError", "PicklingError"}


class Ended(KeyboardInterrupt):
    """A signal that asks the process to end; whatever cleans up after an interrupt cleans up after it."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@contextmanager
def told() -> Iterator[None]:
    """Run a command line of click, not standalone: what is not a bug ends it in one line and with its status.

    Status 2 is for what a user can fix, 128 and the signal's number for a signal.
    """
    _open_streams()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup ignores SIGHUP, and so do we then
            signal.signal(number, _end)
    try:
        _check_folder()
        yield
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        _exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _exit(*_ending(error))
    except BrokenPipeError:  # whoever read the results has enough
        _exit(1)
    except Exception as error:
        line = explain(error)
        if line is None:
            raise
        if os.environ.get(TRACEBACK):
            traceback.print_exception(error)
        _exit(FIXABLE, f"Error: {line}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _exit(0)


def explain(error: BaseException) -> str | None:
    """One line for an error that a user can fix: what, where, and the next step; None for a bug.

    Parameters
    ----------
    error : any. One that was raised because of another is judged by that one if it says nothing itself.
    """
    if isinstance(error, PainDistillError):
        return explain(error.__cause__) if _number(error.__cause__) in NO_DAMAGE else str(error)
    if isinstance(error, MemoryError):
        return f"Out of memory. {MEMORY}"
    if isinstance(error, BrokenExecutor) and "terminated" in str(error):
        return f"A process that worked for this one was killed, perhaps for want of memory. {MEMORY}"
    number = _number(error)
    if number or isinstance(error, OSError):
        what = os.strerror(number) if number else _first_line(error)
        where = _file(error)
        return f"{what}{': ' if where else ''}{where}. {REMEDIES.get(number, OTHERWISE)}"
    return explain(error.__cause__) if error.__cause__ else None


def _number(error: BaseException | None) -> int:
    """The system's number of an error, from the exception or its text; 0 if it tells none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if not isinstance(error, OSError) and type(error).__name__ not in SPEAKING:
        return 0
    text = str(error)
    if numbered := NUMBERED.search(text):
        return int(numbered[1])
    return next((number for words, number in WORDS.items() if words in text), 0)


def _file(error: BaseException) -> str:
    """The file that an error is about; empty if it tells none."""
    name = getattr(error, "filename", None)
    if name is None and (named := NAMED.search(str(error))):
        name = named[1] or named[2]
    text = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
    return text if len(text) <= 300 else f"{text[:200]}… ({len(text):,} characters)"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends at once
    raise Ended(number)


def _ending(error: BaseException) -> tuple[int, str]:
    """The status and the line of a command that was interrupted, ended, or asked what nobody answers."""
    cause = error if isinstance(error, KeyboardInterrupt) else error.__cause__ or error.__context__
    if isinstance(cause, EOFError):
        return FIXABLE, "Error: nobody answers the question. Answer ahead: YES=true"
    if isinstance(cause, Ended):
        return 128 + cause.number, f"ended by {signal.Signals(cause.number).name}; what is finished is kept"
    return 128 + signal.SIGINT, "interrupted; what is finished is kept"


def _check_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise ConfigError(f"The folder of this shell is gone ({error.strerror}). Go to another: cd") from error


def _open_streams() -> None:
    """Let closed standard streams lead nowhere, or files would get their numbers; and let none fail on a name."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError):  # it flushes first, which a limit or a full disk may forbid
                stream.reconfigure(errors="backslashreplace")


def _exit(status: int, line: str = "") -> None:
    """Say the line, one whatever it holds, and end; streams that cannot be written do not matter any more."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    with suppress(OSError):
        if text:
            click.echo(text, err=True)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # or Python would complain of it at its end
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    if status:
        sys.exit(status)
