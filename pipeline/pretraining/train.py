"""Pretraining a backbone on synthetic faces: the batches of an epoch, the validation, and the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.compute import devices
from pipeline.config import PretrainConfig
from pipeline.inputs import streaming
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import InputSpec
from pipeline.pretraining import network as pretrained_network
from pipeline.pretraining import targets as face_targets
from pipeline.pretraining.targets import FaceTargets
from pipeline.training import loop, supervised

FLIP = views.PARAMETERS.index("flip")


@dataclass(frozen=True)
class Faces:
    """Aligned faces whose truth is known.

    Parameters
    ----------
    images : uint8, shape (N, S, S, 3); a memory map.
    rows : int64, shape (M,), rows of ``images``, ascending.
    sample_keys : uint64, shape (M,), from which views are drawn.
    known : of the M faces.
    """

    images: np.ndarray
    rows: np.ndarray
    sample_keys: np.ndarray
    known: FaceTargets

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: np.ndarray) -> Faces:
        """The faces at some places, bool of shape (M,)."""
        return Faces(self.images, self.rows[chosen], self.sample_keys[chosen], self.known.rows(chosen))


def training_batches(
    faces: Faces, spec: InputSpec, config: PretrainConfig, guide: nn.Module | None, device: str
) -> loop.Batches:
    """The batches of an epoch as ``training.fit`` wants them; epoch e trains on view e."""

    def batches(epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Any]]]:
        order = streaming.epoch_order(config.seed, epoch, len(faces))[first_step * config.batch_size :]
        parameters = views.view_parameters(config.seed, faces.sample_keys[order], epoch)
        stream = streaming.batches(faces.images, faces.rows[order], config.batch_size, device)
        for number, (rows, images) in enumerate(stream):
            start = number * config.batch_size
            here = slice(start, start + len(rows))
            known, drawn = faces.known.rows(order[here]), parameters[here]
            points = face_targets.mirrored(views.view_points(known.landmarks, drawn), drawn[:, FLIP] > 0)
            inputs = views.augment(images, drawn, spec)
            with devices.autocast(device, config.precision):
                maps = pretrained_network.guide_targets(guide, inputs) if guide else []
            yield inputs, {"truth": torch.from_numpy(known.targets(points)).to(device), "maps": maps}

    return batches


def train(
    config: PretrainConfig,
    faces: Faces,
    held_out: Faces,
    guide: nn.Module | None,
    folder: Path,
    fingerprint: str,
    title: str,
) -> dict[str, Any]:
    """Pretrain one backbone and save it with its card and history.

    Parameters
    ----------
    config : its architecture, seed and schedule.
    faces, held_out : of disjoint identities.
    guide : a trained convolutional network that leads the features, or None.
    folder : where the network goes; a killed run resumes there.
    fingerprint : of the run.
    title : of the progress bar.

    Returns
    -------
    Steps, best epoch, seconds, device and the scores on the held-out faces.
    """
    device = devices.pick(config.device)
    known = held_out.known
    spec = models.input_spec(config.architecture)
    model = models.build(config.architecture, known.outputs, config.seed)
    guide = guide.to(device) if guide else None
    network = pretrained_network.PretrainedNetwork(
        model, pretrained_network.guide_channels(guide, spec.size), spec.size
    )
    loss = pretrained_network.FaceLoss(len(known.units), len(known.names), config.guide_weight)

    def answers() -> np.ndarray:
        outputs = supervised.forward(model, held_out.images, held_out.rows, spec, config.batch_size, device)
        return torch.cat(list(outputs)).cpu().numpy()

    def validate(_: nn.Module) -> dict[str, float]:
        outputs = answers()
        found = face_targets.scores(outputs, known)
        return {
            "val_loss": loss.of_truth(torch.from_numpy(outputs), torch.from_numpy(known.targets())).item(),
            "val_correlation": found["mean_correlation"],
            "val_nme": found["nme"],
        }

    steps = -(-len(faces) // config.batch_size)
    batches = training_batches(faces, spec, config, guide, device)
    progress = loop.fit(network, batches, loss, validate, _schedule(config, device), folder, fingerprint, steps, title)
    models.save_model(folder, model, models.describe(model, config.architecture, known.outputs))
    loop.finish(folder)
    return {
        "steps": steps * config.epochs,
        "best_epoch": progress.best["epoch"],
        "seconds": round(sum(progress.seconds), 1),
        "device": device,
        "scores": face_targets.scores(answers(), known),
    }


def _schedule(config: PretrainConfig, device: str) -> pretrained_network.Cosine:
    return pretrained_network.Cosine(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        step_size=1,
        gamma=1.0,
        seed=config.seed,
        precision=config.precision,
        device=device,
    )
