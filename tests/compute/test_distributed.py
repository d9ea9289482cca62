"""Several processes do what one does: the same gradients of every loss, weights, labels; and they end together."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.elastic.multiprocessing.api import SignalException

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.compute import distributed, launch
from pipeline.compute.distributed import Ranks
from pipeline.compute.launch import in_processes
from pipeline.distillation.losses import table as losses
from pipeline.errors import ConfigError, DataError
from pipeline.models.heads import NetworkWithHeads
from pipeline.models.saved import DOMAIN
from pipeline.tasks import objective
from pipeline.training import loop
from pipeline.training.schedule import Schedule
from tests.fakes.classify import Fakes
from tests.fakes.stages import WORK, Processes, failing, killed
from tests.helpers.groups import TIMEOUT_S, members, start, wait_until
from tests.helpers.presets import NETWORKS
from tests.helpers.processes import ODD, labels, opened, student

SHAPES = {"teacher/hidden": (6,), "teacher/map": (5, 3, 3)}


@pytest.mark.parametrize(("rows", "size"), [(8, 2), (11, 2), (11, 4), (1, 3), (5, 8)])
def test_slices_are_of_one_length_and_joined_they_are_the_batch(rows, size):
    slices = []
    for rank in range(size):
        team = object.__new__(Ranks)
        team.rank, team.size = rank, size
        slices.append(team.mine(np.arange(rows) + 100))
    assert len({len(part) for part in slices}) == 1
    assert np.array_equal(np.concatenate(slices)[:rows], np.arange(rows) + 100)


def test_one_process_is_a_team_in_which_nothing_changes():
    team, batch = distributed.team(), np.arange(5)
    assert team.chief
    assert team.mine(batch) is batch
    assert team.whole(batch, 3) is batch
    assert team.mark(5) == {}


def batch_of(rows: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    random = torch.Generator().manual_seed(5)
    logits = torch.randn(rows, 2, generator=random)
    targets = {"label": torch.arange(rows) % 2, "teacher/hard": logits.argmax(1), "teacher/logits": logits}
    targets |= {name: torch.randn(rows, *shape, generator=random) for name, shape in SHAPES.items()}
    return torch.randn(rows, 3, 64, 64, generator=random), targets


@in_processes
def gradients(config: Processes, work) -> dict[str, dict[str, np.ndarray]]:
    """The gradients of every loss of one whole batch, of which each process sees its slice."""
    team, schedule = distributed.team(), Schedule(1, 0.1, 1, 1.0, device=config.device)
    inputs, targets = batch_of(ODD)
    mine = team.mine(np.arange(ODD))
    inputs, targets = inputs[mine].to(config.device), {k: v[mine].to(config.device) for k, v in targets.items()}
    options = losses.LossOptions(4.0, torch.tensor([0.4, 1.9], device=config.device))
    found = {}
    for name in losses.LOSSES["classify"]:
        terms = objective.parse(name if name == "label" else f"label:0.5,{name}:1")
        network = models.build(NETWORKS["deit"], ("no_pain", "pain"), seed=1)
        network_with_heads = NetworkWithHeads(network, terms, SHAPES, seed=2).to(config.device)
        whole = team.parallel(loop._Objective(network_with_heads, losses.total(terms, options), schedule, team))
        value = whole(inputs, team.mark(ODD) | targets)
        value.backward()
        found[name] = {
            key: p.grad.cpu().numpy() for key, p in network_with_heads.named_parameters() if p.grad is not None
        }
        found[name]["loss"] = value.detach().cpu().numpy()
    return found


TWO_GPUS = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, TWO_GPUS])])
def test_gradients_of_every_loss_are_those_of_the_whole_batch(device):
    alone, together = (gradients(Processes(nproc, device), WORK) for nproc in (1, 2))
    assert set(alone) == set(losses.LOSSES["classify"])
    for name, expected in alone.items():
        assert together[name].keys() == expected.keys()
        # Dist divides by how much a new network's answers vary, which is little: rounding grows.
        tolerance = 1e-5 if name != "dist" and device == "cpu" else 1e-3
        for key, values in expected.items():
            assert np.abs(together[name][key] - values).max() <= tolerance * np.abs(values).max(), (name, key)


@pytest.mark.slow
def test_the_error_of_one_process_ends_all_and_is_raised():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(DataError, match="picture 7 went bad"):
        failing(Processes(2), WORK)
    with pytest.raises(ConfigError, match=r"NPROC=2 processes was killed \(exit code -9\)"):
        killed(Processes(2), WORK)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_signal_that_came_meanwhile_acts_as_it_did_before():
    come = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: come.append(number))
    try:
        with launch._signals_returned():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise SignalException("told to end", signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert come == [signal.SIGTERM]


def test_a_device_for_each_process_or_none_starts(monkeypatch):
    with pytest.raises(ConfigError, match="DEVICE=cuda:3 is not here"):
        failing(Processes(2, "cuda:3"), WORK)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"NPROC=2 takes a device for each process.*1 are visible"):
        failing(Processes(2, "cuda"), WORK)


@pytest.fixture(scope="module")
def fakes(tmp_path_factory) -> Fakes:
    fakes = Fakes(tmp_path_factory.mktemp("cache"), subjects=40, size=64)
    fakes.store.build(labels(fakes))
    return fakes


def copy_without(fakes: Fakes, folder: Path, slug: str) -> Fakes:
    """The same artifacts elsewhere, but for some."""
    shutil.copytree(fakes.store.root, folder / "cache", ignore=shutil.ignore_patterns(f"{slug}-*"))
    return opened(folder / "cache")


@pytest.mark.slow
def test_labels_of_two_processes_have_the_same_bytes(fakes, tmp_path):
    (alone,) = fakes.store.build(labels(fakes))
    other = copy_without(fakes, tmp_path, "labels")
    (together,) = other.store.build(labels(other, nproc=2))
    for name in ("labels.h5", "views.h5"):
        assert together.file(name).read_bytes() == alone.file(name).read_bytes()
    assert together.summary == alone.summary


@pytest.fixture(scope="module")
def together(fakes, tmp_path_factory):
    """A student of two processes."""
    other = copy_without(fakes, tmp_path_factory.mktemp("together"), "student")
    return other.store.build(student(other, 2))[0]


@pytest.mark.slow
def test_a_student_of_two_processes_has_the_same_weights(fakes, together):
    (alone,) = fakes.store.build(student(fakes, 1))
    assert together.fingerprint == alone.fingerprint
    assert {"weights.safetensors", DOMAIN, "history.csv", "MODEL_CARD.md"} <= set(together.record["files"])
    assert "checkpoint.pt" not in together.record["files"]
    first, second = (load_file(artifact.file("weights.safetensors")) for artifact in (alone, together))
    for name, values in first.items():
        # The biases of keys have no influence: their gradients are rounding alone, of which Adam makes steps.
        if not name.endswith("qkv.bias"):
            torch.testing.assert_close(second[name], values, rtol=1e-4, atol=1e-5)
    threshold, other = (load_file(artifact.file(DOMAIN))["threshold"] for artifact in (alone, together))
    torch.testing.assert_close(other, threshold, rtol=1e-2, atol=0)
    rows = [arrays.read_table(artifact.file("history.csv")) for artifact in (alone, together)]
    np.testing.assert_allclose(rows[0].to_numpy(), rows[1].to_numpy(), rtol=1e-4)


PROGRAM = """
import sys
from pathlib import Path
from tests.helpers.processes import opened, student
if __name__ == "__main__":
    fakes = opened(Path(sys.argv[1]))
    fakes.store.build(student(fakes, 2))
"""


@pytest.mark.slow
def test_killed_alone_it_leaves_no_process_and_goes_on_to_the_same_weights(fakes, together, tmp_path):
    other = copy_without(fakes, tmp_path, "student")
    node = student(other, 2)
    run = start("-c", PROGRAM, other.store.root)
    wait_until(lambda: (other.store.partial(node) / "checkpoint.pt").exists() or run.poll() is not None)
    assert run.poll() is None
    assert len(members(run.pid)) > 2
    run.kill()
    assert run.wait(TIMEOUT_S) == -signal.SIGKILL
    wait_until(lambda: not members(run.pid))
    assert other.store.partial(node).exists(), "it was killed too late"
    (resumed,) = other.store.build(node)
    for name in ("weights.safetensors", "history.csv"):
        assert resumed.file(name).read_bytes() == together.file(name).read_bytes()
