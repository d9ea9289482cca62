"""What a killed process left in shared memory goes with the next one; nobody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pipeline.artifacts import leftovers
from pipeline.artifacts.locks import hold

# joblib over an array that it maps into shared memory, while a lock is held.
JOBLIB = """
import sys, time
from pathlib import Path
import joblib, numpy
from pipeline.artifacts.locks import hold

def wait(array):
    time.sleep(60)

if __name__ == "__main__":
    with hold(Path(sys.argv[1]), "faces"):
        run = joblib.Parallel(n_jobs=2, return_as="generator")
        results = run(joblib.delayed(wait)(numpy.zeros(500_000)) for _ in range(2))
        print("held", flush=True)
        time.sleep(60)
"""


def names(process: int) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if f"-{process}-" in name or f"_{process}_" in name]


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def memory(tmp_path, monkeypatch):
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(leftovers, "SHARED_MEMORY", folder)
    return folder


def text(process, host=None):
    return f"process {process} on {host or leftovers._host()} (paindistill align) since 2026-01-01 00:00:00"


def fill(folder, process):
    for name in (f"sem.loky-{process}-abc", f"torch_{process}_17_0", f"sem.loky-{process}1-abc", "sem.mp-xyz", "psm_1"):
        (folder / name).write_text("")
    (folder / f"joblib_memmapping_folder_{process}_a_b").mkdir()
    (folder / f"joblib_memmapping_folder_{process}_a_b" / "array.pkl").write_text("")


def test_only_the_names_of_the_dead_holder_go(memory, dead):
    fill(memory, dead)
    leftovers.clear(text(dead))
    assert sorted(os.listdir(memory)) == ["psm_1", f"sem.loky-{dead}1-abc", "sem.mp-xyz"]


def test_a_living_process_another_host_or_no_name_at_all_costs_nothing(memory, dead):
    fill(memory, os.getpid())
    fill(memory, dead)
    before = sorted(os.listdir(memory))
    for other in (
        text(os.getpid()),
        text(dead, "elsewhere"),
        "",
        f"process {dead}",
        "process 0 on x",
        "process " + "9" * 99,
    ):
        leftovers.clear(other)
    assert sorted(os.listdir(memory)) == before


def test_another_users_names_stay(memory, dead, monkeypatch):
    fill(memory, dead)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    leftovers.clear(text(dead))
    assert (memory / f"sem.loky-{dead}-abc").exists()


def test_a_dead_process_that_nobody_waited_for_is_dead(memory):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    fill(memory, process.pid)
    leftovers.clear(text(process.pid))
    process.wait()
    assert not (memory / f"sem.loky-{process.pid}-abc").exists()


def test_the_text_of_a_lock_names_its_process(monkeypatch):
    assert leftovers.process_of(leftovers.this_process()) == os.getpid()
    monkeypatch.setattr(sys, "argv", ["/x/paindistill", "align\nprocess 1 on", "--data", "\udcff" * 9999])
    assert leftovers.process_of(leftovers.this_process()) == os.getpid()
    assert leftovers.this_process().isprintable()
    assert len(leftovers.this_process()) < 400


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="shared memory is no folder here")
def test_after_a_kill_of_all_processes_the_next_holder_clears_up(tmp_path):
    """The workers and joblib's own tracker die with it, so that nobody else can."""
    script = tmp_path / "program.py"
    script.write_text(JOBLIB)
    command = [sys.executable, script, tmp_path / "faces.lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "held\n"
        os.killpg(process.pid, signal.SIGKILL)
    assert any(name.startswith("sem.loky-") for name in names(process.pid))
    assert any(name.startswith("joblib_memmapping_folder_") for name in names(process.pid))
    with hold(tmp_path / "faces.lock", "faces"):
        assert names(process.pid) == []
