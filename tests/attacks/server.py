"""A process that has imported what the commands need and forks one for each: no command pays for the imports again.

It reads a request a line from standard input (``Request`` as JSON) and answers in ``<folder>/result.json``. Between it
and each command stands a keeper: it starts the command in a session of its own, kills it when that is asked for or when
it hangs, and sees what it leaves behind, because whatever outlives a command becomes the keeper's child.

Where the system lets it, the server has a mount namespace of its own: an empty ``/dev/shm`` in which only its commands
leave names, and room for small disks that end with it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import psutil

from tests.helpers.figures import drafts

CLONE_NEWNS, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 0x20000, 1, 36
GRACE_S = 5  # how long processes may outlive the command that began them
SHARED = Path("/dev/shm")
HEAVY = (
    "torch",
    "timm",
    "torchvision",
    "facenet_pytorch",
    "h5py",
    "pandas",
    "joblib",
    "PIL.Image",
    "matplotlib.pyplot",
)
LIGHT = ("sklearn.metrics", "scipy.stats", "jinja2", "safetensors.torch", "torch.utils.tensorboard", "stages.cli")
MODULES = (*HEAVY, *LIGHT, "pipeline.models.cost")
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Say that the imports are done, then fork a keeper for each request until the input ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    isolated = _isolate()
    for name in MODULES:
        __import__(name)
    _stop_the_clock()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers answer in files: nobody waits for them
    print(json.dumps({"isolated": isolated}), flush=True)
    with drafts():
        for line in sys.stdin:
            if os.fork() == 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                _keep(json.loads(line))
                return


def _stop_the_clock() -> None:
    """How fast a network is differs from run to run and is part of its evaluation: here every pass takes as long."""
    from torch.utils.benchmark import Timer

    Timer.blocked_autorange = lambda *_, **__: SimpleNamespace(times=[1e-3])


def _isolate() -> bool:
    """Whether the process now has mounts of its own."""
    if LIBC.unshare(CLONE_NEWNS):
        return False
    for arguments in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", "size=1g", "attacks", str(SHARED)]):
        if subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode:
            return False
    return True


def _keep(request: dict) -> None:
    """Run a command to its end, or to the moment at which it is killed, and say what became of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(request["folder"])
    streams = [_stream(folder / name, request) for name in ("stdout", "stderr")]
    start = time.monotonic()
    command = os.fork()
    if command == 0:
        _become(request, streams)
        return
    for stream in streams:
        os.close(stream)
    while os.getpgid(command) != command:  # before it leads its group there is no group to kill
        time.sleep(0.0002)
    status, killed = _wait(command, request, start)
    seconds = time.monotonic() - start
    left = _left_behind()
    result = {"status": status, "killed": killed, "seconds": seconds, "processes": left}
    draft = folder / "result.draft"
    draft.write_text(json.dumps(result))
    draft.replace(folder / "result.json")
    os._exit(0)


def _stream(path: Path, request: dict) -> int:
    """A descriptor whose text comes into a file, through a pipe if the command may write no large file."""
    stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if "RLIMIT_FSIZE" not in request["limits"]:
        return stream
    end, begin = os.pipe()
    subprocess.Popen(["cat"], stdin=end, stdout=stream)  # ends with the command; the keeper waits for it
    os.close(end)
    os.close(stream)
    return begin


def _wait(command: int, request: dict, start: float) -> tuple[int, str]:
    """The command's exit status (negative: a signal), and why it was killed if it was: ``moment`` or ``hang``."""
    killed = ""
    while True:
        pid, status = os.waitpid(command, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), killed
        seconds = time.monotonic() - start
        if not killed:
            killed = "hang" if seconds > request["limit_s"] else "moment" * _moment(request, seconds)
            if killed:
                whole = killed == "hang" or request["whole"]
                (os.killpg if whole else os.kill)(command, signal.SIGKILL)
        time.sleep(0.001)


def _moment(request: dict, seconds: float) -> bool:
    """Whether the moment of the kill has come: a time, or a file that is there."""
    if request["kill_s"] is not None and seconds >= request["kill_s"]:
        return True
    return bool(request["kill_when"]) and any(Path(request["cwd"]).glob(request["kill_when"]))


def _left_behind() -> list[str]:
    """The command lines of the processes that are there after the time of grace; they are killed then."""
    deadline = time.monotonic() + GRACE_S
    while (left := _descendants()) and time.monotonic() < deadline:
        time.sleep(0.01)
    names = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            names.append(" ".join(process.cmdline())[:200] or process.name())
            process.kill()
    return names


def _descendants() -> list[psutil.Process]:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return psutil.Process().children(recursive=True)


def _become(request: dict, streams: list[int]) -> None:
    """Turn this process into the command, as if it had been started by a shell."""
    os.setsid()
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
    os.closerange(3, 64)
    os.chdir(request["cwd"])
    os.environ |= request["environment"]
    tempfile.tempdir = None
    for name, value in request["limits"].items():
        kind = getattr(resource, name)
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    if request["dry"]:
        _plan_only()
    sys.argv = ["paindistill", *request["argv"]]
    _exit(_run())


def _run() -> int:
    """The exit status of the command, whose error was shown as the interpreter shows it."""
    try:
        runpy.run_module("stages", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _exit(status: int) -> None:
    """End as the interpreter does, but do not take its modules apart: that takes longer than most commands."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _plan_only() -> None:
    """Let the store say what it would make, and make nothing; nobody is served."""
    from pipeline.artifacts.store import ArtifactStore
    from stages import serve, synthesize

    def build(store: ArtifactStore, *targets: object) -> None:
        store.pending(*targets)
        sys.exit(0)

    ArtifactStore.build = build
    synthesize.run = serve.run = lambda *_: sys.exit(0)


if __name__ == "__main__":
    main()
