"""The product's loops over faces of noise, and the same work on tensors that never leave the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from pipeline import models
from pipeline.compute import devices
from pipeline.config import Architecture
from pipeline.distillation import label_writer
from pipeline.distillation.ensemble import ALL_FOLDS, TeacherEnsemble
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.label_writer import LabelJob
from pipeline.distillation.labels import LabelStore
from pipeline.distillation.losses.table import LossOptions, total
from pipeline.distillation.targets import CachedTargets, OnlineTargets, TargetsByRole
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.inputs.views.plan import Drawn, Plan
from pipeline.models.heads import NetworkWithHeads
from pipeline.tasks import PAIN, objective
from pipeline.training import loop, supervised
from pipeline.training.schedule import Schedule
from pipeline.training.supervised import Lesson
from tests.benchmarks import pictures
from tests.benchmarks.gather import face_file
from tests.benchmarks.measure import Way

PLAN, ITSELF = Plan(seed=0), Plan(seed=0, augment=False)


@contextmanager
def noise(count: int) -> Iterator[Samples]:
    """Faces of noise in a file, as the align stage lays it out: what is in them does not change how long they take."""
    with TemporaryDirectory(dir=pictures.scratch()) as folder:
        columns = {"rgb": face_file(Path(folder) / "inputs.h5", count)}
        yield Samples(columns, np.arange(count), [f"{n:06d}" for n in range(count)], np.arange(count) % 2)


def ensemble(architecture: Architecture, device: str, precision: str) -> TeacherEnsemble:
    """A teacher with random weights."""
    device = devices.pick(device)
    architecture = replace(architecture, weights="random")
    network = models.build(architecture, PAIN.outputs).eval().to(device)
    card = models.describe(network, architecture, PAIN.outputs)
    return TeacherEnsemble((network,), (card,), batches.specs(card), device, precision)


def label_job(asked: TeacherEnsemble, samples: Samples, plan: Plan) -> LabelJob:
    """One teacher is to label all samples, all of them for training."""
    everyone = np.full(len(samples), ALL_FOLDS, np.int8)
    return LabelJob(asked, PAIN, samples, everyone, np.arange(len(samples)), plan)


def label_attrs(asked: TeacherEnsemble, plan: Plan) -> dict:
    """What the writer and the readers of labels ask for."""
    precision = devices.arithmetic(asked.device, asked.precision)
    return {"outputs": list(PAIN.outputs), "precision": precision, "views": plan.views}


class Labelling:
    """What the teacher-labels stage does, and the bare teacher."""

    def __init__(self, asked: TeacherEnsemble, samples: Samples, batch_size: int, views: int = 1):
        self._ensemble, self._samples, self._batch = asked, samples, batch_size
        plan = Plan(0, views, augment=views > 1)
        self._job, self._attrs = label_job(asked, samples, plan), label_attrs(asked, plan)

    def samples(self) -> int:
        """Label every sample, and write the labels."""
        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            return label_writer.write_samples(Path(folder), "", self._job, self._attrs, self._batch)

    def views(self) -> int:
        """Label every view, and write the labels."""
        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            label_writer.write_views(Path(folder), "", self._job, (), self._attrs, self._batch)
        return self._job.plan.views * len(self._samples)

    def bare(self) -> int:
        """The teacher alone, as often as there are batches of samples, on one random tensor on the device."""
        side = self._ensemble.specs["rgb"].size
        inputs = torch.randn(self._batch, 3, side, side, device=self._ensemble.device)
        return self._ask(lambda: inputs)

    def bare_with_view(self) -> int:
        """The same, and the resizing of one batch of samples on the device."""
        batch = resident_batch(self._samples, np.arange(self._batch), Drawn(), self._ensemble.device)
        return self._ask(lambda: batch.make(self._ensemble.specs))

    def _ask(self, inputs: Callable[[], torch.Tensor]) -> int:
        asked, steps = self._ensemble, len(self._samples) // self._batch
        for _ in range(steps):
            with devices.autocast(asked.device, asked.precision):
                models.outputs(asked.teachers[0], inputs(), ("logits",))["logits"].cpu()
        return steps * self._batch


def resident_batch(samples: Samples, index: np.ndarray, drawn: Drawn, device: str) -> batches.Batch:
    """One batch on the device, which no other one overwrites."""
    (batch,) = batches.stream(samples, [(index, drawn)], device)
    return replace(batch, raw={name: raw.clone() for name, raw in batch.raw.items()})


class Training:
    """Our training loop for a few steps, and the same steps on a tensor that never leaves the device.

    Parameters
    ----------
    architecture : of the student, random weights.
    samples : it learns from; whole batches of them.
    teachers : say what they think; by default the loss is that of the true labels.
    """

    def __init__(
        self,
        architecture: Architecture,
        samples: Samples,
        batch_size: int,
        device: str = "cpu",
        precision: str = "auto",
        teachers: TargetsByRole | None = None,
        plan: Plan = PLAN,
    ):
        network = models.build(replace(architecture, weights="random"), PAIN.outputs)
        loss = "hard" if teachers else "label"
        terms = objective.parse(loss)
        self.network_with_heads = NetworkWithHeads(network, terms).to(device)
        self._objective = total(terms, LossOptions())
        self._specs = batches.specs(models.describe(network, architecture, PAIN.outputs))
        self._samples, self._batch = samples, batch_size
        self._lesson = Lesson(PAIN, samples, samples, plan, loss, teachers=teachers)
        self._schedule = Schedule(
            epochs=1,
            learning_rate=1e-5,
            precision=precision,
            device=devices.pick(device),
            checkpoint_s=float("inf"),
        )

    def batches(self) -> loop.Batches:
        """The batches of an epoch."""
        return supervised.training_batches(self._lesson, self._specs, self._batch, 0, self._schedule.device)

    def ours(self) -> tuple[int, float]:
        """An epoch of our loop: samples, and the seconds from its first batch to its end."""
        clock: list[float] = []
        source = self.batches()

        def timed(epoch: int, first_step: int):
            clock.append(time.perf_counter())
            return source(epoch, first_step)

        def end(network_with_heads: torch.nn.Module) -> dict[str, float]:
            clock.append(time.perf_counter())
            return {"val_loss": 0.0}

        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            steps = len(self._samples) // self._batch
            loop.fit(self.network_with_heads, timed, self._objective, end, self._schedule, Path(folder), "", steps)
        return len(self._samples), clock[1] - clock[0]

    def resident(self, with_views: bool) -> Way:
        """The same steps on one batch on the device, its views made anew in every step or not at all."""
        device, precision = self._schedule.device, self._schedule.precision
        index = np.arange(self._batch)
        drawn = self._samples.views(self._lesson.plan).draw(index, 0)
        batch = resident_batch(self._samples, index, drawn, device)
        targets = {"label": KINDS[PAIN.kind].targets(self._samples.truth, index, drawn, PAIN).to(device)}
        if self._lesson.teachers:
            targets |= self._lesson.teachers(batch, 0)
        inputs = batch.make(self._specs)
        optimizer = self._schedule.make_optimizer([p for p in self.network_with_heads.parameters() if p.requires_grad])

        def way() -> int:
            loop.training_mode(self.network_with_heads)
            for _ in range(len(self._samples) // self._batch):
                seen = batch.make(self._specs) if with_views else inputs
                with devices.autocast(device, precision):
                    outputs = self.network_with_heads(seen)
                loss = self._objective(outputs, targets)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            loss.item()  # waits for the device
            return len(self._samples) // self._batch * self._batch

        return way


@contextmanager
def cached(asked: TeacherEnsemble, samples: Samples, batch_size: int) -> Iterator[TargetsByRole]:
    """The hard labels of a teacher from its cache."""
    with TemporaryDirectory(dir=pictures.scratch()) as folder:
        job, attrs = label_job(asked, samples, ITSELF), label_attrs(asked, ITSELF)
        label_writer.write_samples(Path(folder), "", job, attrs, batch_size)
        store = LabelStore.load(Path(folder), "", False)
        yield TargetsByRole({objective.ONE_TEACHER: CachedTargets(store, samples.sample_ids, ("hard",), asked.device)})


def online(asked: TeacherEnsemble) -> TargetsByRole:
    """The hard labels of a teacher that is asked in every step."""
    return TargetsByRole({objective.ONE_TEACHER: OnlineTargets(asked, ("hard",))})
