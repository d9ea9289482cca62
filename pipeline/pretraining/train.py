"""Pretraining a backbone on synthetic faces: the batches of an epoch, the validation, and the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.compute import devices
from pipeline.config import PretrainConfig
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples, Specs
from pipeline.inputs.sampling import epoch_order
from pipeline.inputs.views.image import GROUP, PARAMETERS, view_points
from pipeline.inputs.views.plan import Plan, broken_look
from pipeline.pretraining import network as pretrained_network
from pipeline.pretraining import targets as face_targets
from pipeline.training import loop, supervised
from pipeline.training.schedule import Schedule

FLIP = PARAMETERS.index("flip")
WEIGHT_DECAY = 0.05
WARMUP = 0.05  # share of the epochs


def training_batches(
    faces: Samples, specs: Specs, config: PretrainConfig, guide: nn.Module | None, device: str
) -> loop.Batches:
    """The batches of an epoch as ``loop.fit`` wants them; epoch e trains on view e.

    Parameters
    ----------
    faces : aligned faces; their truth is a ``FaceTargets``.
    """
    views = faces.views(Plan(config.seed, strong=broken_look(config.views_strength, "align")))

    def epoch_batches(epoch: int, first_step: int) -> Iterator[tuple[Tensor, dict[str, Any]]]:
        order = epoch_order(config.seed, epoch, len(faces))[first_step * config.batch_size :]
        parts = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
        for batch in batches.stream(faces, [(part, views.draw(part, epoch)) for part in parts], device):
            truth, drawn = faces.truth[batch.index], batch.drawn.parameters[GROUP]
            points = face_targets.mirrored(view_points(truth.landmarks, drawn), drawn[:, FLIP] > 0)
            inputs = batch.make(specs)
            with devices.autocast(device, config.precision):
                maps = pretrained_network.guide_targets(guide, inputs) if guide else []
            yield inputs, {"truth": torch.from_numpy(truth.targets(points)).to(device), "maps": maps}

    return epoch_batches


def train(
    config: PretrainConfig,
    faces: Samples,
    held_out: Samples,
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
    truth = held_out.truth
    model = models.build(config.architecture, truth.outputs, config.seed)
    card = models.describe(model, config.architecture, truth.outputs)
    specs = batches.specs(card)
    size = card["inputs"]["rgb"]["size"]
    guide = guide.to(device) if guide else None
    network = pretrained_network.PretrainedNetwork(model, pretrained_network.guide_channels(guide, size), size)
    loss = pretrained_network.FaceLoss(len(truth.units), len(truth.names), config.guide_weight)

    def outputs_of() -> np.ndarray:
        outputs = supervised.forward(model, held_out, specs, config.batch_size, device)
        return torch.cat(list(outputs)).cpu().numpy()

    def validate(_: nn.Module) -> dict[str, float]:
        outputs = outputs_of()
        scores = face_targets.scores(outputs, truth)
        return {
            "val_loss": loss.of_truth(torch.from_numpy(outputs), torch.from_numpy(truth.targets())).item(),
            "val_correlation": scores["mean_correlation"],
            "val_nme": scores["nme"],
        }

    steps = -(-len(faces) // config.batch_size)
    epoch_batches = training_batches(faces, specs, config, guide, device)
    progress = loop.fit(
        network, epoch_batches, loss, validate, _schedule(config, device), folder, fingerprint, steps, title
    )
    models.save_model(folder, model, card, fingerprint)
    loop.finish(folder)
    return {
        "steps": steps * config.epochs,
        "best_epoch": progress.best["epoch"],
        "seconds": round(sum(progress.seconds), 1),
        "device": device,
        "scores": face_targets.scores(outputs_of(), truth),
    }


def _schedule(config: PretrainConfig, device: str) -> Schedule:
    """AdamW under a warm-up and half a cosine: small transformers need both from random weights."""
    return Schedule(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        optimizer="adamw",
        weight_decay=WEIGHT_DECAY,
        schedule="cosine",
        warmup_epochs=max(round(WARMUP * config.epochs), 1),
        seed=config.seed,
        precision=config.precision,
        device=device,
    )
