"""What a finished network's training inputs look like to it, so that whoever uses it can tell what it has not seen."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from torch import Tensor, nn

from pipeline import models
from pipeline.compute.distributed import Team
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples, Specs
from pipeline.inputs.views.plan import Drawn
from pipeline.models import domain
from pipeline.models.domain import Domain, Moments
from pipeline.models.strangeness import Respects, Strangeness

log = logging.getLogger(__name__)


def learn(
    network: nn.Module, train: Samples, val: Samples, specs: Specs, batch_size: int, device: str, team: Team
) -> Domain | None:
    """What the training inputs look like, with the thresholds of the validation inputs; no views are drawn.

    Parameters
    ----------
    network : as it is saved, on the device.
    train, val : streamed once; a team shares them.
    specs : what the network reads.

    Returns
    -------
    By respect, without the features where the network has no pooled ones; None where it reads no pictures or its
    features are no numbers. The log says which.
    """
    unpictured = [name for name in specs if not batches.MODALITIES[name].pictured]
    if unpictured:
        log.info("what is unlike the training inputs is not flagged: it is told of pictures, not of %s", unpictured[0])
        return None
    pooled = _has_features(network)
    respects = Respects(specs).to(device)

    def measured(samples: Samples) -> Iterator[dict[str, Tensor]]:
        return _measured(network if pooled else None, respects, samples, specs, batch_size, device, team)

    try:
        moments: dict[str, Moments] = defaultdict(Moments)
        for numbers in measured(train):
            for name, values in numbers.items():
                moments[name].add(values.cpu().numpy())
        around = {name: domain.fit(one) for name, one in moments.items()}
    except ConfigError as error:
        log.info("what is unlike the training inputs is not flagged: %s", error)
        return None
    judge = Strangeness(around, specs).to(device)
    return domain.with_thresholds(around, np.concatenate([judge.distances(one).cpu() for one in measured(val)]))


def _has_features(network: nn.Module) -> bool:
    """Whether a network has pooled features; of one without, the log says so."""
    try:
        return bool(models.width(network, "hidden"))
    except ConfigError as error:
        log.info("what is unlike the training inputs is told by its look alone: %s", error)
        return False


def _measured(
    network: nn.Module | None,
    respects: Respects,
    samples: Samples,
    specs: Specs,
    batch_size: int,
    device: str,
    team: Team,
) -> Iterator[dict[str, Tensor]]:
    """The numbers of the samples by respect, batch by batch; the whole batch in every process."""
    read = dataclasses.replace(samples, columns={name: samples.columns[name] for name in specs})
    places = np.arange(len(samples))
    whole = [places[start : start + batch_size] for start in range(0, len(places), batch_size)]
    streamed = batches.stream(read, [(team.mine(rows), Drawn()) for rows in whole], device)
    for rows, batch in zip(whole, streamed, strict=True):
        inputs = batch.make(specs)
        features = None if network is None else models.outputs(network, inputs, ["hidden"])["hidden"]
        yield {name: team.whole(values, len(rows)) for name, values in respects(inputs, features).items()}
