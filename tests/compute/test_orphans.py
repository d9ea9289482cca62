"""Killed alone, a run leaves no process; what it leaves in shared memory carries its number."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.groups import TIMEOUT_S, members, running, wait_until

END_S = 3

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux who lives and holds what")

# Its arguments: the thread that makes the child, and ends when that has begun; the child's program and its arguments.
PARENT = """
import subprocess, sys, threading
children = []
def make():
    children.append(subprocess.Popen([sys.executable, "-c", *sys.argv[2:]], stdout=subprocess.PIPE))
    children[0].stdout.readline()
thread = threading.Thread(target=make)
if sys.argv[1] == "main":
    make()
else:
    thread.start()
    thread.join()
print("begun", flush=True)
children[0].wait()
"""
CHILD = """
import ctypes, os, sys, time
from pipeline.compute import orphans
how, parent = sys.argv[1], os.getppid()
if how == "without descriptors":
    del os.pidfd_open
if how == "after it":
    print("begun", flush=True)
while how == "after it" and os.getppid() == parent:
    time.sleep(0.01)
orphans.end_with(parent)
if how != "after it":
    print("begun", flush=True)
if how == "amid a call that holds Python's lock":
    ctypes.PyDLL(None).sleep(60)
time.sleep(60)
"""
# Each begins two processes that wait for a minute, and say that they have begun by a file in a folder.
LOKY = """
import sys
from pathlib import Path
import joblib
from pipeline.compute import cluster
from tests.helpers.groups import begin_and_wait
if __name__ == "__main__":
    list(cluster.{}([joblib.delayed(begin_and_wait)(Path(sys.argv[1]))] * 2, workers=2))
"""
DASK = LOKY.replace("workers=2", '"dask", workers=2')
NPROC = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tests.fakes.stages import Processes, waiting
if __name__ == "__main__":
    waiting(Processes(2), SimpleNamespace(fingerprint="0123456789", path=Path(sys.argv[1])))
"""
PROGRAMS = {
    "loky": LOKY.format("unordered"),
    "loky, in order": LOKY.format("ordered"),
    "dask": DASK.format("unordered"),
    "NPROC=2": NPROC,
}


@pytest.mark.parametrize(
    ("thread", "how"),
    [
        ("main", "while it lives"),
        ("main", "amid a call that holds Python's lock"),
        ("other", "while it lives"),
        ("other", "without descriptors"),
        ("main", "after it"),
    ],
)
def test_a_child_ends_with_its_parent_and_not_with_a_thread_of_it(thread, how):
    with running("-c", PARENT, thread, CHILD, how, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"begun\n"
        time.sleep(0.1)
        assert len(members(run.pid)) == 2
        run.kill()
        run.wait()
        wait_until(lambda: not members(run.pid), END_S)


def semaphores(pid: int) -> set[str]:
    """Names of the semaphores that a process holds; its maps tell them by number alone."""
    lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/dev/shm/sem." in line]
    numbers = {int(line[4]) for line in lines}
    return {entry.name for entry in os.scandir("/dev/shm") if entry.inode() in numbers}


def of_shared_memory(pid: int) -> list[str]:
    """What has a process's number in its name."""
    return [name for name in os.listdir("/dev/shm") if str(pid) in re.split(r"[-_]", name)]


def pair(program: str, signalled: signal.Signals) -> object:
    slow = [] if program == "loky" else [pytest.mark.slow]
    return pytest.param(program, signalled, id=f"{program}, {signalled.name}", marks=slow)


@pytest.mark.parametrize(
    ("program", "signalled"),
    [
        *(pair("loky", signalled) for signalled in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)),
        *(pair(program, signal.SIGKILL) for program in PROGRAMS if program != "loky"),
    ],
)
def test_a_run_that_ends_by_a_signal_to_itself_alone_leaves_nothing(program, signalled, tmp_path):
    if program == "dask":
        pytest.importorskip("distributed", reason="the extra cluster brings it")
    temporary = {"TMPDIR": str(tmp_path)}
    with running("-c", PROGRAMS[program], tmp_path, environment=temporary, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2 or run.poll() is not None)
        names = semaphores(run.pid)
        assert names
        assert not [name for name in names if not re.fullmatch(rf"sem\.(loky|mp)-{run.pid}-\w+", name)]
        run.send_signal(signalled)
        assert run.wait(TIMEOUT_S) != 0
        wait_until(lambda: not members(run.pid), END_S)
        assert not of_shared_memory(run.pid)


@pytest.mark.slow
def test_an_align_that_is_killed_alone_leaves_nothing_and_goes_on(synpain, tmp_path):
    faces, cache = synpain(tmp_path / "faces", 40), tmp_path / "cache"
    options = ("--dataset", "synpain", "--preset", "smoke", "--device", "cpu")
    command = ("-m", "stages", "align", "--data", faces, "--cache", cache, *options)
    with running(*command, "--workers", 2, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: [*cache.glob("faces/inputs-*.partial/inputs.h5")] or run.poll() is not None)
        wait_until(lambda: len(members(run.pid)) > 2 or run.poll() is not None)
        run.kill()
        assert run.wait() == -signal.SIGKILL, "it was killed too late"
        wait_until(lambda: not members(run.pid), END_S)
    with running(*command, "--workers", 1, stderr=subprocess.PIPE) as again:
        _, errors = again.communicate(timeout=TIMEOUT_S)
    assert again.returncode == 0, errors.decode()
    assert "resuming" in errors.decode()
    assert not of_shared_memory(run.pid)
