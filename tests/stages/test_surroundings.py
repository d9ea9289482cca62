"""What the surroundings do to a command is one line, and what is finished is kept; a bug keeps its traceback."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from joblib.externals.loky.process_executor import TerminatedWorkerError
from safetensors.numpy import save_file

from pipeline.errors import ArtifactError, ConfigError
from stages import surroundings
from stages.cli import cli

ROOT = Path(__file__).resolve().parents[2]
KEPT = "What is finished is kept."


@pytest.fixture(scope="module")
def data(synpain, tmp_path_factory):
    """A dataset of two pictures."""
    return synpain(tmp_path_factory.mktemp("surroundings") / "set", 2)


def run(command, *arguments, limits=(), folder=ROOT, shell="", **environment):
    """A command in a process of its own, with limits of the system, or as the last word of a line of a shell."""
    environment = {name: str(value) for name, value in environment.items()}
    words = [sys.executable, "-m", "stages", "--quiet", command, "--preset", "smoke", "--workers", "1", *arguments]
    words = ["bash", "-c", f"{shell.format(command=chr(34) + '$@' + chr(34))}", "bash", *words] if shell else words
    return subprocess.run(
        [os.fsencode(word) for word in words],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        preexec_fn=lambda: [resource.setrlimit(kind, (most, most)) for kind, most in limits],
        timeout=60,
        check=False,
    )


def one_line(shown) -> str:
    """The only line of a command that a user can mend."""
    stderr = shown.stderr.decode("utf-8")
    assert shown.returncode == 2, stderr
    assert stderr.startswith("Error: ")
    assert len(stderr.strip().splitlines()) == 1, stderr
    return stderr.strip()


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        ("/proc/paindistill", "No such file or directory: /proc/paindistill. "),
        ("/dev/null", "Not a directory: /dev/null/"),
        ("{data}/10000000_NoPain_Man_Young.jpg/cache", "Not a directory: "),
        ("{data}/loop/cache", "Too many levels of symbolic links: "),
        ("{data}{long}", "File name too long: "),
    ],
)
def test_a_cache_where_none_can_be_is_one_line_with_the_place_and_what_to_do(cache, message, data):
    if not (data / "loop").is_symlink():
        (data / "loop").symlink_to("loop")
    long = (("/" + "n" * 150) * 30)[: 4090 - len(str(data))]  # itself a path, but not what lies in it
    path = cache.format(data=data, long=long)
    line = one_line(run("index", "--data", data, "--cache", path))
    assert line.startswith(f"Error: {message}")
    assert "CACHE=" in line
    assert len(line) < 700


def test_the_traceback_of_such_an_error_is_shown_to_who_asks(data):
    assert "PAINDISTILL_TRACEBACK=1" in CliRunner().invoke(cli, ["--help"]).output
    shown = run("index", "--data", data, "--cache", "/proc/paindistill", PAINDISTILL_TRACEBACK=1)
    assert shown.returncode == 2
    assert shown.stderr.startswith(b"Traceback")
    assert shown.stderr.decode().splitlines()[-1].startswith("Error: No such file or directory: /proc/")


@pytest.mark.slow
def test_a_limit_of_the_system_costs_nothing_that_is_finished(data, tmp_path):
    align = ("align", "--align", "none", "--data", data, "--cache", tmp_path)
    for limit, remedy in (((resource.RLIMIT_FSIZE, 9000), "ulimit -f"), ((resource.RLIMIT_NOFILE, 7), "ulimit -n")):
        line = one_line(run(*align, limits=[limit]))
        assert KEPT in line
        assert remedy in line
    (record,) = tmp_path.glob("set/samples-*/record.json")
    made = record.stat().st_mtime_ns
    shown = run(*align)
    assert shown.returncode == 0, shown.stderr
    assert record.stat().st_mtime_ns == made
    assert b"inputs-" in shown.stdout


def test_twenty_descriptors_are_enough_for_the_index(data, tmp_path):
    shown = run("index", "--data", data, "--cache", tmp_path, limits=[(resource.RLIMIT_NOFILE, 20)])
    assert (shown.returncode, shown.stderr) == (0, b"")


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of some options on a folder; only root may."""
    folder, mounted = tmp_path / "disk", []

    def mount(options: str) -> Path:
        folder.mkdir(exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("size=4k", "No space left on device"),
        ("size=1m,nr_inodes=4", "No space left on device"),
        ("size=1m,ro", "Read-only file system"),
    ],
)
def test_a_disk_that_takes_no_more_is_one_line(options, message, data, small_disk):
    line = one_line(run("index", "--data", data, "--cache", small_disk(options)))
    assert line.startswith(f"Error: {message}")
    assert "CACHE=" in line


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_no_command_and_no_file_gets_their_place(closed, data, tmp_path):
    shown = run("index", "--data", data, "--cache", tmp_path, shell=f"{{command}} {closed}")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert (shown.stdout != b"") == (closed == "2>&-")
    assert list(tmp_path.glob("set/samples-*/record.json"))


def test_results_that_cannot_be_written_out_are_one_line(data, tmp_path):
    assert "No space left on device" in one_line(
        run("index", "--data", data, "--cache", tmp_path, shell="{command} > /dev/full")
    )


def test_who_reads_no_further_hears_nothing(tmp_path):
    shown = run("status", "--cache", tmp_path, shell="{command} | true")
    assert shown.stderr == b""


def test_a_folder_that_is_gone_is_one_line(data, tmp_path):
    shell = "mkdir gone && cd gone && rmdir ../gone && {command}"
    line = one_line(run("index", "--data", data, "--cache", tmp_path, shell=shell, folder=tmp_path))
    assert "The folder of this shell is gone" in line


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"HOME": "/nowhere"},
    ],
)
def test_names_are_made_and_said_in_any_locale(environment, data, tmp_path):
    shell = "{command} && unset HOME && {command}"
    shown = run("index", "--data", data, "--cache", tmp_path / "größer", shell=shell, **environment)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert list(tmp_path.glob("größer/set/samples-*/record.json"))


@pytest.mark.parametrize("flag", ["--data", "--cache", "--dataset", "--task"])
def test_undecodable_bytes_are_refused(flag):
    shown = run("index", flag, "\udcff", PYTHONIOENCODING="ascii:strict")
    assert shown.returncode == 2
    assert b"'\\udcff' holds bytes that are no UTF-8 text" in shown.stderr


SLEEPER = """
import time
from stages import surroundings
with surroundings.told():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP")],
)
def test_a_signal_ends_a_command_in_order(number, line):
    words = [sys.executable, "-c", SLEEPER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert out == "cleaned\n"
    assert err == f"{line}; what is finished is kept\n"
    assert process.returncode == 128 + number


def test_a_question_that_nobody_answers_says_how_to_answer_ahead(data, tmp_path):
    (tmp_path / "set").mkdir(parents=True)
    script = "import click\nfrom stages import surroundings\nwith surroundings.told():\n    click.confirm('Remove?')\n"
    words = [sys.executable, "-c", script]
    shown = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False)
    assert shown.returncode == 2
    assert "YES=true" in shown.stderr


@pytest.mark.parametrize("number", [*surroundings.REMEDIES, errno.EINVAL, errno.ESTALE, errno.ETIMEDOUT])
def test_every_error_of_the_system_names_the_file_and_a_remedy(number):
    line = surroundings.explain(OSError(number, os.strerror(number), "/cache/inputs.h5"))
    assert line.startswith(f"{os.strerror(number)}: /cache/inputs.h5. ")
    assert line.endswith(surroundings.REMEDIES.get(number, surroundings.OTHERWISE))


def raised(function, *arguments) -> Exception:
    with pytest.raises(Exception) as caught:
        function(*arguments)
    return caught.value


def from_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (MemoryError(), "Out of memory. "),
        (ArtifactError("/a is damaged"), "/a is damaged"),
        (from_cause(ArtifactError("/a is damaged"), OSError(0, "truncated")), "/a is damaged"),
        (from_cause(ArtifactError("/a is damaged"), OSError(errno.EMFILE, "", "/a")), "Too many open files: /a. "),
        (
            TerminatedWorkerError("A worker process managed by the executor was unexpectedly terminated."),
            "A process that",
        ),
        (BrokenProcessPool("A process in the process pool was terminated abruptly"), "A process that"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), "Cannot allocate"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), "Input/output error. "),
        (RuntimeError("open file failed with strerror: No space left on device"), "No space left on device. "),
        (RuntimeError("can't start new thread"), "Resource temporarily unavailable. "),
        (RuntimeError("Symlink loop from '/a'"), "Too many levels of symbolic links. "),
        (ImportError("libtorch.so: cannot open shared object file: Too many open files"), "Too many open files. "),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "Cannot allocate memory. "),
        (
            OSError("Can't write data (file write failed: errno = 28, error message = 'No space"),
            "No space left on device.",
        ),
        (OSError("something of its own"), "something of its own. "),
        (from_cause(ValueError("wrapped"), OSError(errno.EIO, "", "/a")), "Input/output error: /a. "),
        (OSError(errno.ENOENT, "", "a" * 4000), f"No such file or directory: {'a' * 200}… (4,000 characters). "),
        (OSError(errno.ENOENT, "", b"/\xff"), "No such file or directory: /\udcff. "),
    ],
)
def test_what_libraries_say_of_the_surroundings_is_understood(error, start):
    assert surroundings.explain(error).startswith(start)


def test_what_the_libraries_here_raise_is_understood():
    tensors = {"weights": np.zeros(9)}
    for error in (raised(h5py.File, "/proc/a.h5", "w"), raised(save_file, tensors, "/proc/paindistill/a")):
        assert surroundings.explain(error).startswith("No such file or directory: /proc/")


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        RecursionError(),
        RuntimeError("shapes do not match"),
        ImportError("No module named 'x'"),
        ValueError("No space left on device"),
        BrokenProcessPool("A task has failed to un-serialize."),
        from_cause(KeyError("a"), ValueError("b")),
    ],
)
def test_a_bug_is_no_error_of_the_surroundings(error):
    assert surroundings.explain(error) is None
    with pytest.raises(type(error)), surroundings.told():
        raise error


def test_a_message_is_one_line_whatever_it_holds(capsys):
    with pytest.raises(SystemExit), surroundings.told():
        raise ConfigError("one\ntwo\x1b[2J\udcff")
    assert capsys.readouterr().err == "Error: one\\ntwo\\x1b[2J\\udcff\n"
