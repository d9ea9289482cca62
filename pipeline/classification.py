"""Learning to classify aligned faces: what training a teacher and training a student have in common.

Faces, labels, parts and teacher's answers meet here by sample id. The order of the faces, their views and the new
weights of a network depend on the seed alone, never on the teacher: runs that differ by their teacher alone differ by
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import counter, devices, models, streaming, training, views
from pipeline.config import TrainingConfig
from pipeline.errors import DataError
from pipeline.losses import LOSSES, balanced_weights
from pipeline.stores import Columns
from pipeline.views import InputSpec


@dataclass(frozen=True)
class Faces:
    """The faces of one part.

    Parameters
    ----------
    images : uint8, shape (N, S, S, 3), of all parts; a memory map.
    rows : int64, shape (M,), this part's rows of ``images``.
    sample_keys : uint64, shape (M,), from which views are drawn.
    targets : int64 arrays of shape (M,): ``label``, and ``teacher`` where there is one.
    """

    images: np.ndarray
    rows: np.ndarray
    sample_keys: np.ndarray
    targets: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)


def join(
    samples: pd.DataFrame, split: pd.DataFrame, faces: Columns, part: str, answers: Columns | None = None
) -> Faces:
    """The faces of one part with their labels, and a teacher's hard answers where a teacher is given.

    Parameters
    ----------
    samples, split : tables of the ``index`` and ``split`` stages.
    faces : of the ``align`` stage.
    part : train, val or test.
    answers : of the ``teacher_labels`` stage.

    Raises
    ------
    DataError : the part is empty, or one of its samples is not indexed.
    ArtifactError : a sample has no face, or the teacher has not labelled it.
    """
    chosen = split.loc[split["part"] == part, "sample_id"]
    labels = samples.set_index("sample_id")["label"].reindex(chosen)
    if chosen.empty or labels.isna().any():
        raise DataError(
            f"The part {part} has {len(chosen)} samples, {labels.isna().sum()} of them not indexed: nothing can be "
            "learned from it. See the counts of the split: make status"
        )
    targets = {"label": labels.to_numpy(np.int64, copy=True)}
    if answers is not None:
        targets["teacher"] = np.asarray(answers["hard"][answers.rows(chosen), 0])
    return Faces(faces["images"], faces.rows(chosen), counter.keys(chosen), targets)


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
    faces: Faces, spec: InputSpec, batch_size: int, seed: int, augment: bool, device: str
) -> training.Batches:
    """The batches of an epoch as ``training.fit`` wants them; with ``augment``, epoch e trains on view e."""

    def batches(epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        order = streaming.epoch_order(seed, epoch, len(faces))[first_step * batch_size :]
        parameters = views.view_parameters(seed, faces.sample_keys[order], epoch)
        targets = {name: torch.from_numpy(values[order]).to(device) for name, values in faces.targets.items()}
        start = 0
        for rows, images in streaming.batches(faces.images, faces.rows[order], batch_size, device):
            here = slice(start, start + len(rows))
            inputs = views.augment(images, parameters[here], spec) if augment else views.normalise(images, spec)
            yield inputs, {name: values[here] for name, values in targets.items()}
            start = here.stop

    return batches


def validation(
    faces: Faces, spec: InputSpec, batch_size: int, class_weights: Tensor | None, device: str, precision: str
) -> training.Validate:
    """Cross-entropy with the true labels and balanced accuracy, over the identity view."""
    truth = torch.from_numpy(faces.targets["label"])

    def validate(model: nn.Module) -> dict[str, float]:
        batches = forward(model, faces.images, faces.rows, spec, batch_size, device, precision)
        logits = torch.cat(list(batches)).cpu()
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
    folder: Path,
    fingerprint: str,
    title: str,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """Train one network and save it with its card and history.

    Parameters
    ----------
    config : of a teacher or a student.
    loss : key of ``LOSSES``.
    classes : names of the classes.
    parts : gives the faces of a part.
    folder : where the network goes; a killed run resumes there.
    fingerprint : of the run.
    title : of the progress bar.
    origin : what the card says besides the network.

    Returns
    -------
    The summary for the record.
    """
    device = devices.pick(config.device)
    learned, held_out = parts("train"), parts("val")
    weights = _class_weights(config.class_weights, learned.targets["label"], classes, device)
    model = models.build(config.architecture, classes, config.seed)
    card = models.describe(model, config.architecture, classes)
    spec = models.InputSpec(**card["input"])
    progress = training.fit(
        model,
        training_batches(learned, spec, config.batch_size, config.seed, config.augment, device),
        partial(LOSSES[loss].function, class_weights=weights),
        validation(held_out, spec, config.batch_size, weights, device, config.precision),
        schedule(config, device),
        folder,
        fingerprint,
        steps=-(-len(learned) // config.batch_size),
        title=title,
    )
    best = progress.history[progress.best["epoch"] - 1]
    card |= {"loss": loss, "precision": devices.arithmetic(device, config.precision), "best_epoch": best["epoch"]}
    models.save_model(folder, model, card | dict(origin))
    training.finish(folder)
    return {
        "counts": {"train": len(learned), "val": len(held_out), "epochs": len(progress.history)},
        "skipped": [],
        "best": best,
    }


def schedule(config: TrainingConfig, device: str) -> training.Schedule:
    """The part of a stage's config that the training loop reads."""
    return training.Schedule(
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
