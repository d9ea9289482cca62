"""A checkpoint is continued from whole, or not at all: what is wrong with it changes nothing of the run."""

from __future__ import annotations

import copy
import errno
import logging
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.training import checkpoint, loop
from pipeline.training.checkpoint import Unusable
from pipeline.training.schedule import Schedule
from tests.helpers.lessons import Lesson, drawn, loss, network

SCHEDULE = Schedule(epochs=3, learning_rate=0.02, step_size=2, gamma=0.5, seed=1, checkpoint_s=0)
LESSON = Lesson(*drawn(40))
STEPS = 4


def fit(folder: Path, schedule: Schedule = SCHEDULE, batches=LESSON.batches) -> dict[str, torch.Tensor]:
    """The weights of a run in a folder, whatever it finds there."""
    folder.mkdir(exist_ok=True)
    model = network()
    loop.fit(model, batches, loss, LESSON.validate, schedule, folder, "f", STEPS)
    return model.state_dict()


def stopped(folder: Path, schedule: Schedule = SCHEDULE, last: tuple[int, int] = (1, 2)) -> Path:
    """The checkpoint of a run that was stopped at a step of an epoch."""

    def stopping(epoch, first_step):
        for step, batch in enumerate(LESSON.batches(epoch, first_step), first_step):
            if (epoch, step) == last:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        fit(folder, schedule, stopping)
    return folder / loop.CHECKPOINT


def assert_untouched(folder: Path, expected: dict[str, torch.Tensor], schedule: Schedule = SCHEDULE) -> None:
    """A run in the folder is that of an empty one, bit for bit, history and all."""
    found = fit(folder, schedule)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of an undisturbed run, and its history."""
    folder = tmp_path_factory.mktemp("whole")
    return fit(folder), (folder / loop.HISTORY).read_bytes()


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> tuple[bytes, dict]:
    """A checkpoint of a stopped run: its bytes, and what it holds."""
    path = stopped(tmp_path_factory.mktemp("half"))
    return path.read_bytes(), checkpoint.read(path, "f", "cpu")


def test_it_is_read_as_it_was_written_and_sealed(half, tmp_path):
    content, state = half
    checkpoint.write(tmp_path / "again", state)
    again = checkpoint.read(tmp_path / "again", "f", "cpu")
    assert again["progress"]["epoch"] == state["progress"]["epoch"] == 1
    assert again["parts"].keys() == state["parts"].keys()
    with pytest.raises(Unusable, match="another run"):
        checkpoint.read(tmp_path / "again", "g", "cpu")
    with pytest.raises(FileNotFoundError):
        checkpoint.read(tmp_path / "nothing", "f", "cpu")
    assert len(content) > checkpoint.SEAL_BYTES


def test_a_flipped_byte_at_any_place_or_a_lost_end_is_noticed(half, tmp_path):
    content, path = half[0], tmp_path / "checkpoint.pt"
    for place in (*range(0, len(content), len(content) // 60), -1, -checkpoint.SEAL_BYTES, -checkpoint.SEAL_BYTES - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(Unusable, match="damaged"):
            checkpoint.read(path, "f", "cpu")
    for length in (0, 1, 31, 32, 33, 1000, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(Unusable):
            checkpoint.read(path, "f", "cpu")


def sealed(content):
    """Writes something that is no state of a run, with the seal of a checkpoint."""

    def write(path: Path, state: dict) -> None:
        with path.open("wb") as file:
            hashed = checkpoint._Hashed(file)
            torch.save(content, hashed)
            file.write(hashed.hash.digest())

    return write


def altered(alter):
    """Writes a sealed checkpoint with something altered in place."""

    def write(path: Path, state: dict) -> None:
        state = copy.deepcopy(state)
        alter(state)
        checkpoint.write(path, state)

    return write


def without(*names):
    """Alters a state by leaving something out."""

    def alter(state: dict) -> None:
        for name in names[:-1]:
            state = state[name]
        del state[names[-1]]

    return alter


def with_value(*names_and_value):
    """Alters a state by another value somewhere."""
    *names, last, value = names_and_value

    def alter(state: dict) -> None:
        for name in names:
            state = state[name]
        state[last] = value

    return alter


NO_CHECKPOINTS = {
    "empty": lambda path, state: path.touch(),
    "no torch": lambda path, state: path.write_bytes(b"not a checkpoint" * 10),
    "unsealed": lambda path, state: torch.save(state, path),
    "folder": lambda path, state: (path / "inner").mkdir(parents=True),
    "fifo": lambda path, state: os.mkfifo(path),
    "link to nowhere": lambda path, state: path.symlink_to("nowhere"),
    "device": lambda path, state: path.symlink_to("/dev/zero"),
    "list": sealed([1, 2]),
    "empty dict": sealed({}),
    "number": sealed(7),
}
LACKING = [("progress",), ("parts",), ("generators",)]
LACKING += [("parts", name) for name in ("model", "optimizer", "scheduler", "scaler")]
LACKING += [("parts", "model", "3.bias"), ("parts", "optimizer", "state"), ("parts", "scheduler", "last_epoch")]
LACKING += [("parts", "optimizer", "state", 0, "exp_avg"), ("parts", "optimizer", "param_groups", 0, "lr")]
LACKING += [("progress", name) for name in ("epoch", "step", "history", "seconds", "best", "samples")]
LACKING += [("progress", "best", "weights"), ("progress", "best", "weights", "0.bias"), ("generators", "cpu")]
OTHER = [
    ("parts", "model", "0.weight", torch.zeros(16, 7)),
    ("parts", "model", "0.weight", torch.zeros(16, 6, dtype=torch.int64)),
    ("parts", "model", "0.weight", "text"),
    ("parts", "model", "extra", torch.zeros(1)),
    ("parts", "model", []),
    ("parts", []),
    ("parts", "optimizer", "state", 0, "exp_avg", torch.zeros(3)),
    ("parts", "optimizer", "state", 99, {}),
    ("parts", "optimizer", "state", 0, {}),
    ("parts", "optimizer", "param_groups", []),
    ("parts", "optimizer", "param_groups", 0, "lr", "fast"),
    ("parts", "optimizer", None),
    ("parts", "scheduler", "last_epoch", "two"),
    ("parts", "scheduler", "base_lrs", []),
    ("parts", "scaler", {"scale": 1.0}),
    ("progress", "epoch", -1),
    ("progress", "epoch", 2),
    ("progress", "epoch", 10**9),
    ("progress", "step", STEPS + 1),
    ("progress", "step", "one"),
    ("progress", "history", [{"epoch": 7}]),
    ("progress", "history", [None]),
    ("progress", "best", {}),
    ("progress", "best", "weights", "0.weight", torch.zeros(1)),
    ("progress", "best", "epoch", 3),
    ("progress", "surprise", 1),
    ("progress", []),
    ("generators", "cpu", torch.zeros(7, dtype=torch.uint8)),
    ("generators", "cpu", torch.zeros(5056, dtype=torch.uint8)),
    ("generators", "cpu", "text"),
    ("generators", None),
]
NO_CHECKPOINTS |= {f"without {' '.join(map(str, names))}": altered(without(*names)) for names in LACKING}
NO_CHECKPOINTS |= {f"with {n} {' '.join(map(str, v[:-1]))}": altered(with_value(*v)) for n, v in enumerate(OTHER)}


@pytest.mark.parametrize("write", NO_CHECKPOINTS.values(), ids=list(NO_CHECKPOINTS))
def test_what_is_no_checkpoint_of_this_run_changes_nothing(write, half, whole, tmp_path, caplog):
    write(tmp_path / loop.CHECKPOINT, half[1])
    weights, history = whole
    assert_untouched(tmp_path, weights)
    assert (tmp_path / loop.HISTORY).read_bytes() == history
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{tmp_path / loop.CHECKPOINT} " in warning.getMessage()
    assert "training starts anew" in warning.getMessage()
    assert "\n" not in warning.getMessage()


@pytest.mark.parametrize("changes", [{"ema": 0.9}, {"optimizer": "sgd"}, {"schedule": "cosine", "warmup_epochs": 1}])
def test_the_checkpoint_of_another_schedule_changes_nothing(changes, half, tmp_path, caplog):
    """Its fingerprint would be another: this is the case of one that lies."""
    schedule = replace(SCHEDULE, **changes)
    expected = fit(tmp_path / "whole", schedule)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / loop.CHECKPOINT).write_bytes(half[0])
    assert_untouched(tmp_path / "run", expected, schedule)
    assert "starts anew" in caplog.text


def test_a_good_checkpoint_is_continued_from(half, whole, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / loop.CHECKPOINT).write_bytes(half[0])
    assert_untouched(tmp_path, whole[0])
    assert "resuming after epoch 1, step 2" in caplog.text


def test_an_unreadable_disk_is_no_reason_to_start_anew(half, tmp_path, monkeypatch):
    (tmp_path / loop.CHECKPOINT).write_bytes(half[0])

    def failing(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(checkpoint, "open_regular", failing)
    with pytest.raises(OSError, match="Input/output error"):
        fit(tmp_path)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == half[0]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems may not be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_an_error_and_the_next_run_continues(small_disk, whole, capfd):
    numbers = []
    for spare_kb in (0, 4, 8, 12, 16, 20, 28, 36, 60):
        folder, filler = small_disk / f"run{spare_kb}", small_disk / "filler"
        folder.mkdir()
        used = os.statvfs(small_disk)
        filler.write_bytes(bytes(used.f_bavail * used.f_frsize - spare_kb * 1024))
        try:
            fit(folder)
        except OSError as error:
            numbers.append(error.errno)
        filler.unlink()
        assert_untouched(folder, whole[0])
    assert len(numbers) >= 4
    assert set(numbers) == {errno.ENOSPC}
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "Exception" not in said
