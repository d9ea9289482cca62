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
from pipeline.distillation import labels as label_store
from pipeline.distillation.ensemble import ALL_FOLDS, TeacherEnsemble
from pipeline.distillation.losses.table import LossOptions, total
from pipeline.inputs import keyed_random
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import Plan
from pipeline.models.heads import NetworkWithHeads
from pipeline.tasks import PAIN, objective
from pipeline.training import loop, supervised
from pipeline.training.supervised import Faces, TargetProvider
from tests.benchmarks import pictures
from tests.benchmarks.gather import face_file
from tests.benchmarks.measure import Way

PLAN = Plan(seed=0)


@contextmanager
def noise(count: int) -> Iterator[Faces]:
    """Faces of noise in a file, as the align stage lays it out: what is in them does not change how long they take."""
    with TemporaryDirectory(dir=pictures.scratch()) as folder:
        images = face_file(Path(folder) / "inputs.h5", count)
        yield Faces(images, np.arange(count), [f"{n:06d}" for n in range(count)], np.arange(count) % 2)


def ensemble(architecture: Architecture, device: str, precision: str) -> TeacherEnsemble:
    """A teacher with random weights."""
    device = devices.pick(device)
    architecture = replace(architecture, weights="random")
    network = models.build(architecture, PAIN.outputs).eval().to(device)
    card = models.describe(network, architecture, PAIN.outputs)
    return TeacherEnsemble((network,), (card,), models.InputSpec(**card["inputs"]["rgb"]), device, precision)


class Labelling:
    """What the teacher-labels stage does, and the bare teacher."""

    def __init__(self, asked: TeacherEnsemble, faces: Faces, batch_size: int, drawn: int = 1):
        self._panel, self._faces, self._batch = asked, faces, batch_size
        everyone = np.full(len(faces), ALL_FOLDS, np.int8)
        plan = Plan(0, drawn, augment=drawn > 1)
        self._job = label_writer.LabelJob(asked, faces.images, faces.sample_ids, everyone, faces.rows, plan)
        self._attrs = {"classes": list(PAIN.outputs), "precision": devices.arithmetic(asked.device, asked.precision)}

    def faces(self) -> int:
        """Label every face, and write the answers."""
        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            return label_writer.write_faces(Path(folder), "", self._job, self._attrs, self._batch)

    def views(self) -> int:
        """Label every view, and write the answers."""
        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            label_writer.write_views(Path(folder), "", self._job, (), self._attrs, self._batch)
        return self._job.plan.views * len(self._faces)

    def bare(self) -> int:
        """The teacher alone, as often as there are batches of faces, on one random tensor on the device."""
        side = self._panel.spec.size
        inputs = torch.randn(self._batch, 3, side, side, device=self._panel.device)
        return self._ask(lambda: inputs)

    def bare_with_view(self) -> int:
        """The same, and the resizing of one batch of faces on the device."""
        faces = torch.from_numpy(np.array(self._faces.images[: self._batch])).to(self._panel.device)
        return self._ask(lambda: views.normalise(faces, self._panel.spec))

    def _ask(self, inputs: Callable[[], torch.Tensor]) -> int:
        asked, steps = self._panel, len(self._faces) // self._batch
        for _ in range(steps):
            with devices.autocast(asked.device, asked.precision):
                models.outputs(asked.teachers[0], inputs(), ("logits",))["logits"].cpu()
        return steps * self._batch


class Training:
    """Our training loop for a few steps, and the same steps on a tensor that never leaves the device.

    Parameters
    ----------
    architecture : of the student, random weights.
    faces : it learns from; whole batches of them.
    provider : says what the teacher thinks; by default the loss is that of the true labels.
    """

    def __init__(
        self,
        architecture: Architecture,
        faces: Faces,
        batch_size: int,
        device: str = "cpu",
        precision: str = "auto",
        provider: TargetProvider | None = None,
        plan: Plan = PLAN,
    ):
        network = models.build(replace(architecture, weights="random"), PAIN.outputs)
        terms = objective.parse("hard" if provider else "label")
        self.network_with_heads = NetworkWithHeads(network, terms).to(device)
        self._objective = total(terms, LossOptions())
        self._spec = models.InputSpec(**models.describe(network, architecture, PAIN.outputs)["input"])
        self._faces, self._batch, self._plan, self._provider = faces, batch_size, plan, provider
        self._schedule = loop.Schedule(
            1, 1e-5, 1, 1.0, precision=precision, device=devices.pick(device), checkpoint_s=float("inf")
        )

    def batches(self) -> loop.Batches:
        """The batches of an epoch."""
        return supervised.training_batches(
            *(self._faces, self._plan, self._spec, self._batch, 0, len(PAIN.outputs), self._schedule.device),
            self._provider,
        )

    def ours(self) -> tuple[int, float]:
        """An epoch of our loop: faces, and the seconds from its first batch to its end."""
        clock: list[float] = []
        source = self.batches()

        def timed(epoch: int, first_step: int):
            clock.append(time.perf_counter())
            return source(epoch, first_step)

        def end(network_with_heads: torch.nn.Module) -> dict[str, float]:
            clock.append(time.perf_counter())
            return {"val_loss": 0.0}

        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            steps = len(self._faces) // self._batch
            loop.fit(self.network_with_heads, timed, self._objective, end, self._schedule, Path(folder), "", steps)
        return len(self._faces), clock[1] - clock[0]

    def resident(self, with_views: bool) -> Way:
        """The same steps on one batch on the device, its views made anew in every step or not at all."""
        device, precision = self._schedule.device, self._schedule.precision
        index = np.arange(self._batch)
        images = torch.from_numpy(np.array(self._faces.images[self._faces.rows[index]])).to(device)
        drawn = views.Views(self._plan, keyed_random.keys(self._faces.sample_ids)).draw(index, 0)
        targets = {"label": torch.from_numpy(self._faces.labels[index]).to(device)}
        if self._provider:
            targets |= self._provider(index, 0, images, drawn)
        inputs = views.make(images, drawn, self._spec)
        optimizer = self._schedule.optimizer([p for p in self.network_with_heads.parameters() if p.requires_grad])

        def way() -> int:
            loop.training_mode(self.network_with_heads)
            for _ in range(len(self._faces) // self._batch):
                seen = views.make(images, drawn, self._spec) if with_views else inputs
                with devices.autocast(device, precision):
                    outputs = self.network_with_heads(seen)
                loss = self._objective(outputs, targets)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            loss.item()  # waits for the device
            return len(self._faces) // self._batch * self._batch

        return way


@contextmanager
def cached(asked: TeacherEnsemble, faces: Faces, batch_size: int) -> Iterator[Callable[[Faces], TargetProvider]]:
    """The hard answers of a teacher from its cache."""
    with TemporaryDirectory(dir=pictures.scratch()) as folder:
        everyone = np.full(len(faces), ALL_FOLDS, np.int8)
        job = label_writer.LabelJob(asked, faces.images, faces.sample_ids, everyone, faces.rows, Plan(0, augment=False))
        attrs = {"classes": list(PAIN.outputs), "precision": asked.precision, "views": 1}
        label_writer.write_faces(Path(folder), "", job, attrs, batch_size)
        yield label_store.CachedTargets(
            label_store.LabelStore.load(Path(folder), "", False), faces.sample_ids, ("hard",), asked.device
        )
