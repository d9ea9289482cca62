"""Learning from prepared inputs: what training a teacher and training a student have in common.

Inputs, truth, parts and teachers' targets meet here by sample id. The order of the samples and the new weights of a
network depend on the seed alone, their views on the plan: runs that differ by their teacher or loss differ by nothing
else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts.arrays import Columns
from pipeline.artifacts.tables import listed
from pipeline.compute import devices, distributed
from pipeline.compute.distributed import ALONE, Team
from pipeline.config import TrainingConfig, as_dict
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.losses.table import LossOptions, total
from pipeline.distillation.targets import TargetsByRole
from pipeline.errors import DataError
from pipeline.inputs import batches, sampling
from pipeline.inputs.batches import Samples, Specs
from pipeline.inputs.views.plan import Plan
from pipeline.models.domain import Domain
from pipeline.models.heads import NetworkWithHeads
from pipeline.tasks import Task, objective
from pipeline.training import familiar, loop
from pipeline.training.schedule import Schedule

if TYPE_CHECKING:
    from pipeline.artifacts.store import Work


def join(
    table: pd.DataFrame, split: pd.DataFrame, inputs: Columns, part: str, task: Task, modalities: Sequence[str]
) -> Samples:
    """The samples of one part of which the dataset answers the task's question, with the answer.

    Parameters
    ----------
    table, split : of the ``index`` and ``split`` stages.
    inputs : prepared.
    part : train, val or test.
    task : names the columns of ``table`` that answer.
    modalities : that are read.

    Raises
    ------
    DataError : the table has no such column or lacks a sample of the part, or the part has none that answers.
    ArtifactError : a sample has no input.
    """
    chosen = split.loc[split["part"] == part, "sample_id"]
    if unknown := [name for name in task.targets if name not in table]:
        raise DataError(
            f"The dataset says nothing of {', '.join(unknown)}, which TASK={task.name} asks for: samples.csv has "
            f"{', '.join(table.columns)}. Choose another task or dataset"
        )
    missing = chosen[~chosen.isin(table["sample_id"])]
    if len(missing):
        raise DataError(
            f"The part {part} has {len(chosen)} samples, and samples.csv lacks {len(missing)} of them, such as "
            f"{missing.iloc[0]}: the split is of another index. See the counts of both: make status"
        )
    truth, places = KINDS[task.kind].read(table.set_index("sample_id").reindex(chosen), task)
    if not len(places):
        raise DataError(
            f"The part {part} has {len(chosen)} samples, and none of them says anything of {', '.join(task.targets)} "
            f"that TASK={task.name} knows ({listed(task.outputs, 7)}): nothing can be learned from it. "
            "See the counts of the split: make status"
        )
    names = chosen.iloc[places]
    return Samples({name: inputs[name] for name in dict.fromkeys(modalities)}, inputs.rows(names), list(names), truth)


def forward(
    model: nn.Module,
    samples: Samples,
    specs: Specs,
    batch_size: int,
    device: str,
    precision: str = "float32",
    places: np.ndarray | None = None,
) -> Iterator[Tensor]:
    """Raw outputs for the samples themselves, batch by batch.

    Parameters
    ----------
    samples : whose columns the network reads.
    specs : what it reads of them.
    places : int64, which samples, in the order wanted; by default all.

    Yields
    ------
    float32, shape (B, C), on the device.
    """
    places = np.arange(len(samples)) if places is None else places
    for batch in batches.identity(samples, places, batch_size, device):
        with devices.autocast(device, precision):
            yield models.logits(model, batch.make(specs))


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on, and how.

    Parameters
    ----------
    task : what it is asked.
    train, val : the samples.
    plan : of the views.
    loss : a name or a sum, as ``objective.parse`` reads it.
    temperature : of the losses that soften logits.
    teachers : what each teacher says of the training samples; None without one.
    roles : of the teachers.
    epoch : samples that an epoch has as many steps for; 0: those of ``train``. Fewer are seen more than once.
    scales : by modality ``mean`` and ``std`` of each channel of the prepared inputs, where they were measured.
    constants : of the losses of points that have some.
    seen : whose inputs are those that the network is said to have seen; None: ``train``. Where only some labels are
        known, all of the training part: a few faces do not tell how faces look.
    """

    task: Task
    train: Samples
    val: Samples
    plan: Plan
    loss: str
    temperature: float = 1.0
    teachers: TargetsByRole | None = None
    roles: tuple[str, ...] = (objective.ONE_TEACHER,)
    epoch: int = 0
    scales: Mapping[str, Mapping[str, Sequence[float]]] | None = None
    constants: str = "paper"
    seen: Samples | None = None

    def steps(self, batch_size: int) -> int:
        """Steps of an epoch."""
        return -(-(self.epoch or len(self.train)) // batch_size)


def training_batches(
    lesson: Lesson, specs: Specs, batch_size: int, seed: int, device: str, balance: str = "shuffle", team: Team = ALONE
) -> loop.Batches:
    """The batches of an epoch as ``loop.fit`` wants them.

    Whole passes over the samples follow each other, each in an order and with a view of its own; an epoch is one pass,
    or, where the lesson says so, as many steps of them.

    Parameters
    ----------
    specs : what the network reads.
    seed : of the order.
    balance : ``shuffle``: every sample once; ``balanced``: strata alike.
    team : of which this process takes its slice of each batch.
    """
    samples, kind = lesson.train, KINDS[lesson.task.kind]
    views = samples.views(lesson.plan)
    classes = kind.strata(samples.truth) if balance == "balanced" else None
    steps, of_a_pass = lesson.steps(batch_size), -(-len(samples) // batch_size)

    def epoch_batches(epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        places = [divmod(step, of_a_pass) for step in range(epoch * steps + first_step, (epoch + 1) * steps)]
        orders = {one: sampling.epoch_order(seed, one, len(samples), classes) for one in {one for one, _ in places}}
        whole = [orders[one][step * batch_size : (step + 1) * batch_size] for one, step in places]
        numbers = [lesson.plan.number(one) for one, _ in places]
        parts = [(mine, views.draw(mine, view)) for mine, view in zip(map(team.mine, whole), numbers, strict=True)]
        streamed = batches.stream(samples, parts, device)
        for rows, view, batch in zip(map(len, whole), numbers, streamed, strict=True):
            label = kind.targets(samples.truth, batch.index, batch.drawn, lesson.task).to(device)
            targets = team.mark(rows) | {"label": label}
            if lesson.teachers:
                targets |= lesson.teachers(batch, view)
            yield batch.make(specs), targets

    return epoch_batches


def validation(
    lesson: Lesson, specs: Specs, batch_size: int, weights: Tensor | None, device: str, precision: str, team: Team
) -> loop.Validate:
    """The row of the history that the task's kind gives, over the validation samples; a team shares them."""
    samples, kind = lesson.val, KINDS[lesson.task.kind]

    def validate(network: nn.Module) -> dict[str, float]:
        places = team.mine(np.arange(len(samples)))
        outputs = torch.cat(list(forward(network.network, samples, specs, batch_size, device, precision, places)))
        whole = team.whole(outputs, len(samples)).cpu()
        return kind.validate(whole, samples.truth, None if weights is None else weights.cpu(), lesson.task)

    return validate


def train(config: TrainingConfig, lesson: Lesson, work: Work, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network from its first weights and save it with its card and history.

    Parameters
    ----------
    config : of a teacher or a student.
    lesson : what it learns.
    work : where the network goes; a killed run resumes there.
    origin : what the card says besides the network.

    Returns
    -------
    The summary for the record.
    """
    shapes = {name: column.shape[1:] for name, column in lesson.train.columns.items()}
    inputs = models.reads(config.architecture, shapes, lesson.scales)
    network = models.build(config.architecture, lesson.task.numbers, config.seed, inputs)
    card = models.describe(network, config.architecture, lesson.task.numbers, inputs)
    summary, domain = teach(network, batches.specs(card), config, lesson, work)
    card |= {
        "task": as_dict(lesson.task),
        "loss": objective.canonical(lesson.loss),
        "precision": devices.arithmetic(devices.pick(config.device), config.precision),
        "best_epoch": summary["best"]["epoch"],
        **origin,
    }
    if distributed.team().chief:
        models.save_model(work.path, network, card, work.fingerprint, domain)
        loop.finish(work.path)
    return summary


def teach(
    network: nn.Module, specs: Specs, config: TrainingConfig, lesson: Lesson, work: Work
) -> tuple[dict[str, Any], Domain | None]:
    """Train a network as it is and learn what its training inputs look like to it; its checkpoint is left in place.

    Parameters
    ----------
    network : changed in place; it ends with the weights of its best epoch, on the config's device.
    specs : what it reads.
    config, lesson, work : as of ``train``.

    Returns
    -------
    The summary for the record, and the domain as of ``familiar.learn``.
    """
    device, team, kind = devices.pick(config.device), distributed.team(), KINDS[lesson.task.kind]
    kind.check(lesson.train.truth, lesson.task)
    known = kind.known(lesson.train.truth)
    weights = kind.weights(config.class_weights, lesson.train.truth[known], lesson.task)
    weights = None if weights is None else weights.to(device)
    terms = objective.parse(lesson.loss)
    of_targets = lesson.teachers.shapes() if lesson.teachers else {}
    options = LossOptions(
        lesson.temperature, weights, config.label_smoothing, partial=not known.all(), constants=lesson.constants
    )
    progress = loop.fit(
        NetworkWithHeads(network, terms, of_targets, config.seed),
        training_batches(lesson, specs, config.batch_size, config.seed, device, config.sampling, team),
        total(terms, options, lesson.roles, lesson.task.kind),
        validation(lesson, specs, config.batch_size, weights, device, config.precision, team),
        schedule(config, device),
        work.path,
        work.fingerprint,
        steps=lesson.steps(config.batch_size),
        title=work.node.slug,
        team=team,
    )
    domain = familiar.learn(network, lesson.seen or lesson.train, lesson.val, specs, config.batch_size, device, team)
    counts = {"train": len(lesson.train), "val": len(lesson.val), "epochs": len(progress.history)}
    best = progress.history[progress.best["epoch"] - 1]
    return {"counts": counts, "skipped": [], "best": best}, domain


def schedule(config: TrainingConfig, device: str) -> Schedule:
    """The part of a stage's config that the training loop reads."""
    read = {field.name for field in dataclasses.fields(Schedule)} - {"device"}
    return Schedule(**{name: getattr(config, name) for name in read}, device=device)
