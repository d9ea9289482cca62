"""The training loop: what it learns, what it keeps, and that a kill changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.training import loop
from pipeline.training.schedule import Schedule
from tests.helpers.forks import Forks
from tests.helpers.lessons import Lesson, drawn, loss, network

SCHEDULE = Schedule(epochs=4, learning_rate=0.02, step_size=2, gamma=0.5, seed=1, checkpoint_s=0)
FEATURES, TRUTH = drawn(64)
FEATURES[:, 0] += 2 * TRUTH
LESSON = Lesson(FEATURES, TRUTH)
batches, validate = LESSON.batches, LESSON.validate


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
    assert progress.best["value"] == pytest.approx(history["val_loss"].min())


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


FALLING = {"schedule": "plateau", "step_size": 1, "gamma": 0.5}
ADAMW = {"optimizer": "adamw", "weight_decay": 0.05, "schedule": "cosine", "warmup_epochs": 1, "clip_norm": 0.5}


@pytest.fixture(
    scope="module", params=[{}, ADAMW, {"optimizer": "sgd", "ema": 0.9, "schedule": "constant"}, FALLING], ids=str
)
def whole(request, tmp_path_factory):
    """A schedule, the weights of its run that nothing stopped, and its folder."""
    schedule, folder = replace(SCHEDULE, **request.param), tmp_path_factory.mktemp("whole")
    return schedule, fit(folder, schedule=schedule)[0], folder


@pytest.mark.parametrize("last", [0, 1, 6, 7, 15, 26, 27])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, last, whole):
    schedule, undisturbed, folder = whole
    seen = []

    def stopping(epoch, first_step):
        for batch in batches(epoch, first_step):
            if len(seen) == last:
                raise Killed
            seen.append((epoch, first_step))
            yield batch

    with pytest.raises(Killed):
        fit(tmp_path / "killed", batches=stopping, schedule=schedule)
    resumed, _ = fit(tmp_path / "killed", schedule=schedule)
    assert_equal(undisturbed, resumed)
    assert len(pd.read_csv(folder / "history.csv")) == 4
    assert (folder / "history.csv").read_bytes() == (tmp_path / "killed/history.csv").read_bytes()


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
    assert progress.best["value"] < 0.5

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


def rates(schedule: Schedule, steps: int) -> list[float]:
    """The learning rate of every step."""
    optimizer = schedule.make_optimizer(list(nn.Linear(2, 2).parameters()))
    scheduler, seen = schedule.make_scheduler(optimizer, steps), []
    for _ in range(schedule.epochs * steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_warm_up_is_counted_in_epochs_and_rises_by_steps_then_the_cosine_falls():
    seen = rates(Schedule(20, 1.0, schedule="cosine", warmup_epochs=2, min_learning_rate=0.01), steps=5)
    assert seen[0] == pytest.approx(1e-3)
    assert seen[:10] == sorted(seen[:10])
    assert len(set(seen[:10])) == 10
    assert seen[10] == pytest.approx(1.0)
    assert seen[10:] == sorted(seen[10:], reverse=True)
    assert seen[55] == pytest.approx(0.505, abs=0.01)  # half way down
    assert 0.01 < seen[-1] < 0.012


def test_steps_and_a_constant_rate():
    assert rates(Schedule(4, 1.0, 2, 0.5), steps=3) == [1.0] * 6 + [0.5] * 6
    assert rates(Schedule(2, 0.3, schedule="constant"), steps=3) == [0.3] * 6


PLATEAU = {"schedule": "plateau", "step_size": 2, "gamma": 0.5, "stop_on": "val_f1"}


def plateau(folder: Path, **changes) -> list[float]:
    """The learning rate of each epoch, where the score of the first is best but for that of the sixth."""
    scores = iter([0.5, 0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.1])
    schedule = replace(SCHEDULE, epochs=8, **PLATEAU, **changes)
    validate = lambda model: {"val_loss": 1.0, "val_f1": next(scores)}  # noqa: E731
    return [row["learning_rate"] for row in fit(folder, schedule=schedule, validate=validate)[1].history]


def test_the_rate_falls_after_as_many_epochs_without_a_better_one(tmp_path):
    assert plateau(tmp_path) == pytest.approx([0.02] * 3 + [0.01] * 2 + [0.005] * 3)


def test_a_plateau_after_a_warm_up_falls_from_the_whole_rate(tmp_path):
    reached = plateau(tmp_path, warmup_epochs=1)
    assert reached[0] < 0.02
    assert reached[1:] == pytest.approx([0.02] * 2 + [0.01] * 2 + [0.005] * 3)


def test_biases_and_norms_are_not_decayed():
    optimizer = Schedule(1, 0.1, optimizer="adamw", weight_decay=0.05).make_optimizer(list(network().parameters()))
    decay = {p.ndim: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decay == {2: 0.05, 1: 0.0}


def test_the_gradient_is_not_longer_than_its_limit(tmp_path):
    _, free = fit(tmp_path / "free", schedule=replace(SCHEDULE, optimizer="sgd", learning_rate=1.0))
    start = network().state_dict()["3.weight"]
    one = replace(SCHEDULE, optimizer="sgd", learning_rate=1.0, epochs=1, clip_norm=1e-4)
    weights, _ = fit(tmp_path / "short", schedule=one)
    # Seven steps of momentum 0.9 cannot move further than 7 / (1 - 0.9) times the limit.
    assert 0 < (weights["3.weight"] - start).norm() < 7 * 10 * 1e-4
    assert free.history[0]["train_loss"] > 0


def test_training_ends_when_nothing_gets_better_for_as_long_as_patience_lasts(tmp_path):
    values = iter([0.5, 0.7, 0.6, 0.65, 0.9])

    def validated(model):
        return {"val_loss": 1.0, "val_accuracy": next(values)}

    schedule = replace(SCHEDULE, epochs=5, patience=2, stop_on="val_accuracy")
    _, progress = fit(tmp_path, validate=validated, schedule=schedule)
    assert [row["val_accuracy"] for row in progress.history] == [0.5, 0.7, 0.6, 0.65]
    assert progress.best["epoch"] == 2


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="STOP_ON=val_f1 is no column of the history: there are epoch, train_loss"):
        fit(tmp_path, schedule=replace(SCHEDULE, stop_on="val_f1"))


def test_the_average_of_the_weights_is_what_is_validated_and_kept(tmp_path):
    measured = []

    def watched(model):
        measured.append({name: t.clone() for name, t in model.state_dict().items()})
        return validate(model)

    averaged, progress = fit(tmp_path / "ema", validate=watched, schedule=replace(SCHEDULE, ema=0.95))
    assert_equal(averaged, measured[progress.best["epoch"] - 1])
    plain, _ = fit(tmp_path / "plain")
    assert not torch.equal(averaged["0.weight"], plain["0.weight"])


def slowly(folder: str, pause_s: float, weights: str) -> None:
    """Fit with a pause before every batch, and say where the weights are kept; called in a fork."""

    def pausing(epoch, first_step):
        for batch in batches(epoch, first_step):
            time.sleep(pause_s)
            yield batch

    torch.save(fit(Path(folder), batches=pausing)[0], weights)


@pytest.mark.slow
def test_sigkill_at_any_moment_loses_nothing(tmp_path):
    undisturbed, _ = fit(tmp_path / "whole")
    arguments = [str(tmp_path / "run"), 0.02, str(tmp_path / "weights.pt")]
    with Forks(__file__) as forks:
        for moment_s in (0.05, 0.31):  # within the first epoch, and after some
            end = time.monotonic() + moment_s
            assert forks.killed(lambda end=end: time.monotonic() > end, "slowly", *arguments)
        arguments[1] = 0
        assert forks.finish("slowly", *arguments) == 0
    assert_equal(undisturbed, torch.load(tmp_path / "weights.pt", weights_only=True))
    assert len(pd.read_csv(tmp_path / "run/history.csv")) == 4
