"""Learning to classify aligned faces: what training a teacher and training a student have in common.

Faces, labels, parts and teacher's answers meet here by sample id. The order of the faces and the new weights of a
network depend on the seed alone, their views on the plan: runs that differ by their teacher or loss differ by nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts.arrays import Columns
from pipeline.compute import devices, distributed
from pipeline.compute.distributed import ALONE, Team
from pipeline.config import TrainingConfig
from pipeline.distillation.losses.table import LossOptions, balanced_weights, total
from pipeline.errors import DataError
from pipeline.inputs import keyed_random, streaming
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import Drawn, InputSpec, Plan
from pipeline.models.heads import NetworkWithHeads
from pipeline.tasks import objective
from pipeline.training import loop

if TYPE_CHECKING:
    from pipeline.artifacts.store import Work


@dataclass(frozen=True)
class Faces:
    """The faces of one part.

    Parameters
    ----------
    images : uint8, shape (N, S, S, 3), of all parts; a memory map.
    rows : int64, shape (M,), this part's rows of ``images``.
    sample_ids : M names.
    labels : int64, shape (M,).
    """

    images: np.ndarray
    rows: np.ndarray
    sample_ids: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, left_out: np.ndarray) -> Faces:
        """The faces that are not left out: bool, shape (M,)."""
        kept = np.flatnonzero(~left_out)
        return Faces(self.images, self.rows[kept], [self.sample_ids[i] for i in kept], self.labels[kept])


class TargetProvider(Protocol):
    """Who says what the teacher thinks of the views of a batch: its cache, or the teacher itself."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each answer for one view."""

    def __call__(self, index: np.ndarray, view: int, images: Tensor, drawn: Drawn) -> dict[str, Tensor]:
        """LabelStore for one view of some training faces.

        Parameters
        ----------
        index : int64, shape (B,), which training faces.
        view : its number.
        images : uint8, the faces themselves (and their partners), on the device.
        drawn : the views' parameters.
        """


def join(samples: pd.DataFrame, split: pd.DataFrame, faces: Columns, part: str) -> Faces:
    """The faces of one part with their labels.

    Parameters
    ----------
    samples, split : tables of the ``index`` and ``split`` stages.
    faces : of the ``align`` stage.
    part : train, val or test.

    Raises
    ------
    DataError : the part is empty, or one of its samples is not indexed.
    ArtifactError : a sample has no face.
    """
    chosen = split.loc[split["part"] == part, "sample_id"]
    labels = samples.set_index("sample_id")["label"].reindex(chosen)
    if chosen.empty or labels.isna().any():
        raise DataError(
            f"The part {part} has {len(chosen)} samples, {labels.isna().sum()} of them not indexed: nothing can be "
            "learned from it. See the counts of the split: make status"
        )
    return Faces(faces["rgb"], faces.rows(chosen), list(chosen), labels.to_numpy(np.int64, copy=True))


def forward(
    model: nn.Module,
    images: np.ndarray,
    rows: np.ndarray,
    spec: InputSpec,
    batch_size: int,
    device: str,
    precision: str = "float32",
) -> Iterator[Tensor]:
    """Logits of the identity view, batch by batch.

    Parameters
    ----------
    images : uint8, shape (N, S, S, 3).
    rows : int64, shape (M,), in the order wanted.

    Yields
    ------
    float32, shape (B, C), on the device.
    """
    for _, batch in streaming.batches(images, rows, batch_size, device):
        with devices.autocast(device, precision):
            yield models.logits(model, views.normalise(batch, spec))


def training_batches(
    faces: Faces,
    plan: Plan,
    spec: InputSpec,
    batch_size: int,
    seed: int,
    classes: int,
    device: str,
    provider: TargetProvider | None = None,
    team: Team = ALONE,
) -> loop.Batches:
    """The batches of an epoch as ``training.fit`` wants them.

    Parameters
    ----------
    plan : of the views.
    seed : of the order.
    classes : number of classes, for the labels of mixed views.
    provider : says what the teacher thinks; None for a network without one.
    team : of which this process takes its slice of each batch.
    """
    drawer = views.Views(plan, keyed_random.keys(faces.sample_ids))

    def batches(epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        order = streaming.epoch_order(seed, epoch, len(faces))[first_step * batch_size :]
        view = plan.number(epoch)
        whole = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        chunks = [team.mine(batch) for batch in whole]
        drawn = [drawer.draw(chunk, view) for chunk in chunks]
        rows = [faces.rows[_with_partners(chunk, d)] for chunk, d in zip(chunks, drawn, strict=True)]
        stream = streaming.chunks(faces.images, rows, device)
        for batch, chunk, d, images in zip(whole, chunks, drawn, stream, strict=True):
            targets = team.mark(len(batch)) | {"label": _labels(faces.labels, chunk, d, classes).to(device)}
            if provider:
                targets |= provider(chunk, view, images, d)
            yield views.make(images, d, spec), targets

    return batches


def _with_partners(index: np.ndarray, drawn: Drawn) -> np.ndarray:
    return index if drawn.partners is None else np.concatenate([index, drawn.partners])


def _labels(labels: np.ndarray, index: np.ndarray, drawn: Drawn, classes: int) -> Tensor:
    """True classes, int64 (B,), or, of mixed views, the share of each class, float32 (B, C)."""
    own = torch.from_numpy(labels[index])
    if drawn.partners is None:
        return own
    kept = torch.from_numpy(drawn.kept)[:, None]
    both = [F.one_hot(y, classes).float() for y in (own, torch.from_numpy(labels[drawn.partners]))]
    return kept * both[0] + (1 - kept) * both[1]


def validation(
    faces: Faces,
    spec: InputSpec,
    batch_size: int,
    class_weights: Tensor | None,
    device: str,
    precision: str,
    team: Team = ALONE,
) -> loop.Validate:
    """Cross-entropy with the true labels and balanced accuracy, over the identity view; a team shares the faces."""
    truth = torch.from_numpy(faces.labels)

    def validate(network_with_heads: nn.Module) -> dict[str, float]:
        rows = team.mine(faces.rows)
        batches = forward(network_with_heads.network, faces.images, rows, spec, batch_size, device, precision)
        logits = team.whole(torch.cat(list(batches)), len(faces)).cpu()
        weights = None if class_weights is None else class_weights.cpu()
        return {
            "val_loss": F.cross_entropy(logits, truth, weight=weights).item(),
            "val_balanced_accuracy": balanced_accuracy(logits.argmax(1), truth),
        }

    return validate


def balanced_accuracy(predicted: Tensor, truth: Tensor) -> float:
    """The mean over the classes that occur of the share of their samples predicted right."""
    return float(np.mean([(predicted[truth == c] == c).double().mean().item() for c in truth.unique()]))


def train(
    config: TrainingConfig,
    loss: str,
    classes: tuple[str, ...],
    parts: Callable[[str], Faces],
    plan: Plan,
    work: Work,
    origin: Mapping[str, Any],
    provider: Callable[[Faces], TargetProvider] | None = None,
    temperature: float = 1.0,
) -> dict[str, Any]:
    """Train one network and save it with its card and history.

    Parameters
    ----------
    config : of a teacher or a student.
    loss : a name or a sum, as ``objectives.parse`` reads it.
    classes : names of the classes.
    parts : gives the faces of a part.
    plan : of the views.
    work : where the network goes; a killed run resumes there.
    origin : what the card says besides the network.
    provider : makes, of the training faces, who says what the teacher thinks of them.
    temperature : of the losses that soften logits.

    Returns
    -------
    The summary for the record.
    """
    device, team = devices.pick(config.device), distributed.team()
    learned, held_out = parts("train"), parts("val")
    weights = _class_weights(config.class_weights, learned.labels, classes, device)
    network = models.build(config.architecture, classes, config.seed)
    card = models.describe(network, config.architecture, classes)
    spec = models.InputSpec(**card["input"])
    answers = provider(learned) if provider else None
    terms = objective.parse(loss)
    network_with_heads = NetworkWithHeads(network, terms, answers.shapes() if answers else {}, config.seed)
    progress = loop.fit(
        network_with_heads,
        training_batches(learned, plan, spec, config.batch_size, config.seed, len(classes), device, answers, team),
        total(terms, LossOptions(temperature, weights)),
        validation(held_out, spec, config.batch_size, weights, device, config.precision, team),
        schedule(config, device),
        work.path,
        work.fingerprint,
        steps=-(-len(learned) // config.batch_size),
        title=work.node.slug,
        team=team,
    )
    best = progress.history[progress.best["epoch"] - 1]
    card |= {
        "loss": objective.canonical(loss),
        "precision": devices.arithmetic(device, config.precision),
        "best_epoch": best["epoch"],
        **origin,
    }
    if team.chief:
        models.save_model(work.path, network, card)
        loop.finish(work.path)
    return {
        "counts": {"train": len(learned), "val": len(held_out), "epochs": len(progress.history)},
        "skipped": [],
        "best": best,
    }


def schedule(config: TrainingConfig, device: str) -> loop.Schedule:
    """The part of a stage's config that the training loop reads."""
    return loop.Schedule(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        step_size=config.step_size,
        gamma=config.gamma,
        seed=config.seed,
        precision=config.precision,
        device=device,
        checkpoint_s=config.checkpoint_s,
    )


def _class_weights(kind: str, labels: np.ndarray, classes: tuple[str, ...], device: str) -> Tensor | None:
    counts = np.bincount(labels, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        raise DataError(
            f"No training face is {', '.join(absent)}: {len(labels)} faces, all of other classes. "
            "See the counts of the split: make status"
        )
    return balanced_weights(torch.from_numpy(labels), len(classes)).to(device) if kind == "balanced" else None
