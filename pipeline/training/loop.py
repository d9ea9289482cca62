"""The training loop of every network: teachers, students and pretrained backbones.

What differs between them comes as arguments: the batches of an epoch, the loss and the validation. The loop owns the
optimiser, the precision, the checkpoint and the history. Batches are a pure function of (epoch, first step) and the
state of torch's generators is kept, so that a run that was killed and resumed ends with the weights of an undisturbed
one, bit for bit on a CPU.
"""

from __future__ import annotations

import logging
import math
import shutil
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from pipeline.artifacts.arrays import write_table
from pipeline.compute import devices
from pipeline.compute.distributed import ALONE, Team
from pipeline.errors import ConfigError
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Progress, Unusable
from pipeline.training.schedule import OPTIMIZERS, Schedule

log = logging.getLogger(__name__)

Inputs = Tensor | Mapping[str, Tensor]  # of one modality, or by modality
Batches = Callable[[int, int], Iterable[tuple[Inputs, Mapping[str, Tensor]]]]
LossFunction = Callable[[Any, Mapping[str, Tensor]], Tensor]
Validate = Callable[[nn.Module], dict[str, float]]

ERRORS = ("loss", "nme", "mae", "rmse")  # ends of the names of columns that are lower in a better epoch
CHECKPOINT, HISTORY, TENSORBOARD = "checkpoint.pt", "history.csv", "tensorboard"


def fit(
    model: nn.Module,
    batches: Batches,
    loss: LossFunction,
    validate: Validate,
    schedule: Schedule,
    folder: Path,
    fingerprint: str,
    steps: int,
    title: str = "train",
    team: Team = ALONE,
) -> Progress:
    """Train a network, or go on where a killed run stopped, and leave it with the weights of its best epoch.

    Parameters
    ----------
    model : changed in place, on the schedule's device; modules whose parameters are all frozen stay in evaluation mode.
    batches : ``batches(epoch, first_step)`` gives (inputs, targets) of an epoch from that step on, on the device; the
        same for the same arguments.
    loss : of the model's outputs and the targets, averaged over the batch.
    validate : of the model in evaluation mode: a row of numbers, ``val_loss`` among them, by which epochs are compared.
    schedule : optimiser, learning rate, epochs, seed, precision, device, and the seconds between checkpoints.
    folder : gets ``history.csv``, ``tensorboard/`` and, until ``finish`` removes it, ``checkpoint.pt``.
    fingerprint : of the run; a checkpoint of another run is not used.
    steps : in an epoch.
    title : of the progress bar.
    team : the processes that train together, each with its slice of ``batches``.

    Returns
    -------
    Progress with the history (a row an epoch) and the best epoch, counted from 1.

    Raises
    ------
    ConfigError : the loss is no longer a number, or a batch of one is too small for the network.
    """
    run = _Run(model, loss, schedule, folder, fingerprint, steps, team)
    run.restore(steps)
    board = _Board(folder, run.progress) if team.chief else nullcontext()
    bar = tqdm(
        total=schedule.epochs * steps,
        initial=run.progress.epoch * steps + run.progress.step,
        desc=title,
        disable=None,
        leave=False,
    )
    with board, bar:
        while not run.finished:
            start = time.monotonic()
            with warnings.catch_warnings():
                # A scaler may leave its first steps out, and torch warns of a schedule that moves before the optimiser;
                # SequentialLR calls its parts with an argument that torch has deprecated for others.
                warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step|The epoch parameter in")
                run.train_epoch(batches, bar)
            run.close_epoch(validate, start)
            if team.chief:
                board.add(len(run.progress.history) - 1)
            bar.set_postfix(run.progress.history[-1], refresh=False)
    model.load_state_dict(run.progress.best["weights"])
    model.eval()
    return run.progress


def finish(folder: Path) -> None:
    """Remove the checkpoint of a finished run, once its weights are saved."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def training_mode(model: nn.Module) -> None:
    """Training mode, except for modules that are frozen whole: their normalisation and dropout stay as in use."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


class _Objective(nn.Module):
    """The loss of a batch: one module, so that all that happens between inputs and loss is one forward pass."""

    def __init__(self, model: nn.Module, loss: LossFunction, schedule: Schedule, team: Team):
        super().__init__()
        self.model, self.loss, self.schedule, self.team = model, loss, schedule, team

    def forward(self, inputs: Inputs, targets: Mapping[str, Tensor]) -> Tensor:
        rows = self.team.rows(inputs, targets)
        with devices.autocast(self.schedule.device, self.schedule.precision):
            outputs = self._outputs(inputs, ALONE.rows(inputs, targets))
        return self.loss(self.team.whole(outputs, rows), self.team.whole(targets, rows))

    def _outputs(self, inputs: Inputs, rows: int) -> Any:
        try:
            return self.model(inputs)
        except ValueError as error:
            if rows > 1 or "more than 1 value per channel" not in str(error):
                raise
            raise ConfigError(
                "The last batch of an epoch has one sample alone, and this network normalises over the batch. "
                "Choose another BATCH_SIZE= (TEACHER_BATCH_SIZE= for a teacher trained on the way to a student)."
            ) from error


class _Run:
    """A run's moving parts, and their checkpoint."""

    def __init__(self, model, loss, schedule: Schedule, folder: Path, fingerprint: str, steps: int, team: Team):
        self.model, self.schedule, self.team = model.to(schedule.device), schedule, team
        self.objective = team.parallel(_Objective(self.model, loss, schedule, team))
        self.folder, self.fingerprint = folder, fingerprint
        self.optimizer = schedule.make_optimizer([p for p in model.parameters() if p.requires_grad])
        self.scheduler = schedule.make_scheduler(self.optimizer, steps)
        self.plateau = schedule.make_plateau(self.optimizer)
        self.averaged = _averaged(self.model, schedule.ema)
        self.scaler = devices.scaler(schedule.device, schedule.precision)
        self.progress = Progress()
        self.saved = time.monotonic()
        devices.seed_everything(schedule.seed)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none was better for as long as patience lasts."""
        done, best = self.progress.epoch, self.progress.best.get("epoch", self.progress.epoch)
        return done >= self.schedule.epochs or bool(self.schedule.patience and done - best >= self.schedule.patience)

    def train_epoch(self, batches: Batches, bar: tqdm) -> None:
        """The steps of the running epoch that are left."""
        training_mode(self.model)
        progress = self.progress
        total = torch.tensor(progress.loss_sum, dtype=torch.float64, device=self.schedule.device)
        for inputs, targets in batches(progress.epoch, progress.step):
            rows = self.team.rows(inputs, targets)
            self.team.seed(self.schedule.seed, progress.epoch, progress.step)
            total += self._step(inputs, targets).double() * rows
            progress.samples += rows
            progress.step += 1
            bar.update()
            if self._save_is_due():
                progress.loss_sum = total.item()
                self.save()
        progress.loss_sum = total.item()

    def _step(self, inputs: Inputs, targets: Mapping[str, Tensor]) -> Tensor:
        loss = self.objective(inputs, targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.schedule.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip_norm)
        self.progress.learning_rate = self.optimizer.param_groups[0]["lr"]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.averaged:
            self.averaged.update_parameters(self.model)
        self.scheduler.step()
        return loss.detach()

    def close_epoch(self, validate: Validate, start: float) -> None:
        """Validate, note the epoch in the history, keep its weights if they are the best."""
        progress, measured = self.progress, self._measured
        row = {"epoch": progress.epoch + 1, "train_loss": progress.loss_sum / max(progress.samples, 1)}
        row |= validate(measured.eval())
        self._check(row)
        progress.history.append(row | {"learning_rate": progress.learning_rate})
        progress.seconds.append(time.monotonic() - start)
        value = self._compared(row)
        if not progress.best or value < progress.best["value"]:
            weights = {name: t.detach().cpu().clone() for name, t in measured.state_dict().items()}
            progress.best = {"epoch": row["epoch"], "value": value, "weights": weights}
        if self.plateau:
            self.plateau.step(value)
        progress.epoch += 1
        progress.step, progress.loss_sum, progress.samples = 0, 0.0, 0
        if self.team.chief:
            write_table(self.folder / HISTORY, pd.DataFrame(progress.history))
        if self._save_is_due():
            self.save()

    def _compared(self, row: dict[str, float]) -> float:
        """What is lower in a better epoch.

        Raises
        ------
        ConfigError : the history has no such column.
        """
        name = self.schedule.stop_on
        if name not in row:
            raise ConfigError(f"STOP_ON={name} is no column of the history: there are {', '.join(row)}.")
        return row[name] if name.endswith(ERRORS) else -row[name]

    def _check(self, row: dict[str, float]) -> None:
        if not (math.isfinite(row["train_loss"]) and math.isfinite(row["val_loss"])):
            raise ConfigError(
                f"The loss is no longer a number after epoch {row['epoch']} (training {row['train_loss']}, validation "
                f"{row['val_loss']}). Lower LEARNING_RATE={self.schedule.learning_rate:g}, or use PRECISION=float32."
            )

    @property
    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds the state of."""
        parts = {"model": self.model, "scheduler": self.scheduler, "scaler": self.scaler, "optimizer": self.optimizer}
        optional = {"average": self.averaged, "plateau": self.plateau}
        return parts | {name: part for name, part in optional.items() if part}

    @property
    def _measured(self) -> nn.Module:
        """The network that is validated, and kept when it is the best."""
        return self.averaged.module if self.averaged else self.model

    def _save_is_due(self) -> bool:
        return self.team.chief and time.monotonic() - self.saved >= self.schedule.checkpoint_s

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "fingerprint": self.fingerprint,
            "progress": vars(self.progress),
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
            "generators": devices.generator_states(),
        }
        checkpoint.write(self.folder / CHECKPOINT, state)
        self.saved = time.monotonic()

    def restore(self, steps: int) -> None:
        """Continue from the checkpoint if this run has one, all of it; else nothing is changed."""
        path = self.folder / CHECKPOINT
        try:
            state = checkpoint.read(path, self.fingerprint, self.schedule.device)
            progress = self._checked(state, steps)
        except FileNotFoundError:
            return
        except Unusable as error:
            log.warning("%s %s: training starts anew", path, error)
            if self.team.chief:
                checkpoint.remove(path)
            return
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
        self.progress = progress
        devices.restore_generators(state["generators"])
        log.info("resuming after epoch %d, step %d", progress.epoch, progress.step)

    def _checked(self, state: dict[str, Any], steps: int) -> Progress:
        """The progress that a checkpoint holds, once all else in it was found to fit."""
        parts, generators = (state.get(name) for name in ("parts", "generators"))
        if not (isinstance(parts, dict) and parts.keys() == self._parts.keys()):
            raise Unusable("lacks a part of this run")
        for name in parts.keys() - {"optimizer"}:
            checkpoint.fits(parts[name], self._parts[name].state_dict(), name)
        checkpoint.fits_optimizer(parts["optimizer"], self.optimizer, OPTIMIZERS[self.schedule.optimizer][2])
        if not devices.are_generator_states(generators):
            raise Unusable("has no state of the generators")
        return checkpoint.progress(state.get("progress"), self.schedule.epochs, steps, self._measured.state_dict())


def _averaged(model: nn.Module, decay: float) -> AveragedModel | None:
    """A moving average of the network's weights, and of its buffers as they are; None without a decay."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True) if decay else None


class _Board:
    """TensorBoard scalars; written anew when a run resumes, so that no epoch stands there twice.

    Written here and now: the thread of torch's ``SummaryWriter`` prints a traceback of its own when the disk is full.
    """

    def __init__(self, folder: Path, progress: Progress):
        from tensorboard.summary.writer.record_writer import RecordWriter  # slow to import

        shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
        (folder / TENSORBOARD).mkdir()
        self.progress = progress
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"  # TensorBoard looks for such names
        self.records = RecordWriter((folder / TENSORBOARD / name).open("wb"))

    def __enter__(self) -> _Board:
        self._write(file_version="brain.Event:2")
        for row in range(len(self.progress.history)):
            self.add(row)
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()

    def add(self, row: int) -> None:
        """Add an epoch's numbers and its duration in seconds.

        Raises
        ------
        OSError : they cannot be written.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        numbers = self.progress.history[row] | {"seconds": self.progress.seconds[row]}
        epoch = numbers.pop("epoch")
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._write(step=epoch, summary=Summary(value=values))
        self.records.flush()

    def _write(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self.records.write(Event(wall_time=time.time(), **content).SerializeToString())
