"""The training loop: what it learns, what it keeps, and that a kill changes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.inputs.streaming import epoch_order
from pipeline.training import loop
from pipeline.training.loop import Schedule

SCHEDULE = Schedule(epochs=4, learning_rate=0.02, step_size=2, gamma=0.5, seed=1, checkpoint_s=0)
FEATURES, TRUTH = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 2
FEATURES[:, 0] += 2 * TRUTH


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 2))


def batches(epoch: int, first_step: int):
    order = epoch_order(1, epoch, 64)
    for start in range(first_step * 10, 64, 10):
        rows = torch.from_numpy(order[start : start + 10])
        yield FEATURES[rows], {"label": TRUTH[rows]}


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets["label"])


def validate(model):
    with torch.no_grad():
        return {"val_loss": loss(model(FEATURES), {"label": TRUTH}).item()}


def fit(folder: Path, model: nn.Module | None = None, **changes):
    model = model or network()
    folder.mkdir(exist_ok=True)
    arguments = {"batches": batches, "validate": validate, "schedule": SCHEDULE} | changes
    progress = loop.fit(model, loss=loss, folder=folder, fingerprint="f", steps=7, **arguments)
    return model.state_dict(), progress


def assert_equal(first: dict, second: dict):
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_keeps_a_row_an_epoch(tmp_path):
    _, progress = fit(tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["learning_rate"].tolist() == pytest.approx([0.02, 0.02, 0.01, 0.01])
    assert history["val_loss"].iloc[-1] < 0.5 < history["train_loss"].iloc[0]
    assert progress.best["val_loss"] == pytest.approx(history["val_loss"].min())


def test_the_same_run_gives_the_same_weights_and_another_seed_does_not(tmp_path):
    first, _ = fit(tmp_path / "a")
    second, _ = fit(tmp_path / "b")
    assert_equal(first, second)
    assert (tmp_path / "a" / "history.csv").read_bytes() == (tmp_path / "b" / "history.csv").read_bytes()
    other, _ = fit(tmp_path / "c", schedule=Schedule(4, 0.02, 2, 0.5, seed=2))
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_the_best_epoch_is_kept_not_the_last(tmp_path):
    kept = []

    def worsening(model):
        kept.append({name: t.clone() for name, t in model.state_dict().items()})
        return {"val_loss": [3.0, 1.0, 1.0, 2.0][len(kept) - 1]}

    weights, progress = fit(tmp_path, validate=worsening)
    assert progress.best["epoch"] == 2
    assert_equal(weights, kept[1])


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("last", [0, 1, 6, 7, 15, 26, 27])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, last):
    undisturbed, _ = fit(tmp_path / "whole")
    seen = []

    def stopping(epoch, first_step):
        for batch in batches(epoch, first_step):
            if len(seen) == last:
                raise Killed
            seen.append((epoch, first_step))
            yield batch

    with pytest.raises(Killed):
        fit(tmp_path / "killed", batches=stopping)
    resumed, _ = fit(tmp_path / "killed")
    assert_equal(undisturbed, resumed)
    for name in ("whole", "killed"):
        assert len(pd.read_csv(tmp_path / name / "history.csv")) == 4
    assert (tmp_path / "whole/history.csv").read_bytes() == (tmp_path / "killed/history.csv").read_bytes()


def test_a_resumed_run_repeats_nothing(tmp_path):
    asked = []

    def counted(epoch, first_step):
        asked.append((epoch, first_step))
        for number, batch in enumerate(batches(epoch, first_step)):
            if asked == [(0, 0), (1, 0)] and number == 3:
                raise Killed
            yield batch

    with pytest.raises(Killed):
        fit(tmp_path, batches=counted)
    fit(tmp_path, batches=counted)
    assert asked == [(0, 0), (1, 0), (1, 3), (2, 0), (3, 0)]


def test_a_batch_too_small_for_the_network_is_named(tmp_path):
    def with_a_last_one(epoch, first_step):
        yield from batches(epoch, first_step)
        yield FEATURES[:1], {"label": TRUTH[:1]}

    with pytest.raises(ConfigError, match="BATCH_SIZE="):
        fit(tmp_path, batches=with_a_last_one)


def test_a_finished_run_only_loads_its_weights(tmp_path):
    first, _ = fit(tmp_path)

    def none(epoch, first_step):
        raise AssertionError("it trained again")

    again, _ = fit(tmp_path, batches=none)
    assert_equal(first, again)
    loop.finish(tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("damage", ["cut", "other run"])
def test_a_checkpoint_that_cannot_be_used_starts_anew(tmp_path, damage, caplog):
    whole, _ = fit(tmp_path)
    path = tmp_path / "checkpoint.pt"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        torch.save(torch.load(path, weights_only=True) | {"fingerprint": "other"}, path)
    again, _ = fit(tmp_path)
    assert_equal(whole, again)
    assert "starts anew" in caplog.text


def test_checkpoints_are_written_when_their_time_has_come(tmp_path):
    fit(tmp_path / "often")
    assert (tmp_path / "often/checkpoint.pt").exists()
    fit(tmp_path / "never", schedule=replace(SCHEDULE, checkpoint_s=1e9))
    assert not (tmp_path / "never/checkpoint.pt").exists()


def test_tensorboard_has_every_epoch_once_even_after_a_kill(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def stopping(epoch, first_step):
        if epoch == 2:
            raise Killed
        return batches(epoch, first_step)

    with pytest.raises(Killed):
        fit(tmp_path, batches=stopping)
    fit(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train_loss", "val_loss", "learning_rate", "seconds"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("val_loss")] == [1, 2, 3, 4]


def test_frozen_modules_stay_as_they_are(tmp_path):
    model = network()
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    loop.training_mode(model)
    assert [module.training for module in model] == [False, False, True, True]
    fit(tmp_path, model)
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"3.weight", "3.bias"}  # not even the running statistics of the normalisation


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_learns_too_and_resumes_exactly(tmp_path, precision):
    schedule = Schedule(4, 0.02, 2, 0.5, seed=1, precision=precision)
    whole, progress = fit(tmp_path / "whole", schedule=schedule)
    assert progress.best["val_loss"] < 0.5

    def stopping(epoch, first_step):
        for number, batch in enumerate(batches(epoch, first_step)):
            if epoch == 2 and number == 4:
                raise Killed
            yield batch

    with pytest.raises(Killed):
        fit(tmp_path / "killed", schedule=schedule, batches=stopping)
    assert_equal(whole, fit(tmp_path / "killed", schedule=schedule)[0])


def test_a_loss_that_is_not_a_number_is_named(tmp_path):
    with pytest.raises(ConfigError, match="LEARNING_RATE"):
        fit(tmp_path, schedule=Schedule(2, float("inf"), 1, 0.5))


PROGRAM = """
import sys, time
sys.path[:0] = {paths!r}
import test_loop as t
slow = float(sys.argv[2])
def batches(epoch, first_step):
    for batch in t.batches(epoch, first_step):
        time.sleep(slow)
        yield batch
print("started", flush=True)
weights, progress = t.fit(t.Path(sys.argv[1]), batches=batches)
t.torch.save(weights, sys.argv[3])
"""


def test_sigkill_at_any_moment_loses_nothing(tmp_path):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(paths=paths))

    def start(pause: float) -> subprocess.Popen:
        arguments = [str(tmp_path / "run"), str(pause), str(tmp_path / "weights.pt")]
        return subprocess.Popen(
            [sys.executable, str(program), *arguments],
            stdout=subprocess.PIPE,
        )

    undisturbed, _ = fit(tmp_path / "whole")
    for moment_s in (0.05, 0.31):  # within the first epoch, and after some
        process = start(0.02)
        process.stdout.readline()
        time.sleep(moment_s)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(0.0).wait() == 0
    assert_equal(undisturbed, torch.load(tmp_path / "weights.pt", weights_only=True))
    assert len(pd.read_csv(tmp_path / "run/history.csv")) == 4
