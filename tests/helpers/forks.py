"""Runs of one's own to be killed, in processes that are forked: the imports are paid for once."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
PROGRAM = """
import atexit, importlib, json, os, sys, threading, traceback
sys.path[:0] = json.loads(sys.argv[1])
module, *_ = map(importlib.import_module, sys.argv[2:])
print("imported", flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        status = 0
        try:
            getattr(module, name)(*arguments)
        except BaseException:
            traceback.print_exc()
            status = 1
        threading._shutdown()
        atexit._run_exitfuncs()  # pools of processes end here
        os._exit(status)
    os.setpgid(child, child)  # whoever comes first
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks(AbstractContextManager):
    """A process that imports a module and forks for each call of its functions, one after the other.

    Parameters
    ----------
    file : of the module
    others : names of modules that are imported, too
    """

    def __init__(self, file: str, others: Iterable[str] = ()):
        folders = json.dumps([os.fspath(folder) for folder in (ROOT, Path(file).parent)])
        words = [sys.executable, "-c", PROGRAM, folders, Path(file).stem, *others]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(words, bufsize=0, cwd=ROOT, **pipes)
        self._answer()

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            stream.close()
        self._process.wait(TIMEOUT_S)

    def finish(self, name: str, *arguments: object) -> int:
        """Call a function with JSON's arguments; the exit status of its process, 0 where nothing was raised."""
        self._start(name, *arguments)
        return int(self._answer())

    def killed(self, come: Callable[[], bool], name: str, *arguments: object) -> bool:
        """Call a function and kill it and its children once a moment has come; whether that was before its end."""
        process = self._start(name, *arguments)
        while not select.select([self._process.stdout], [], [], 0.005)[0]:
            if come():
                os.killpg(process, signal.SIGKILL)
                break
        return int(self._answer()) == -signal.SIGKILL

    def _start(self, name: str, *arguments: object) -> int:
        self._process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        return int(self._answer())

    def _answer(self) -> str:
        if not select.select([self._process.stdout], [], [], TIMEOUT_S)[0]:
            raise TimeoutError(f"no answer within {TIMEOUT_S} s")
        line = self._process.stdout.readline().decode()
        if not line:
            raise RuntimeError("the process that forks has ended")
        return line
