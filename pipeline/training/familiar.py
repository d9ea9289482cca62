"""What a finished network's training inputs look like to it, so that whoever uses it can tell what it has not seen."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator

import numpy as np
from torch import nn

from pipeline import models
from pipeline.compute.distributed import Team
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples, Specs
from pipeline.inputs.views.plan import Drawn
from pipeline.models import domain
from pipeline.models.domain import Domain, Moments

log = logging.getLogger(__name__)


def learn(
    network: nn.Module, train: Samples, val: Samples, specs: Specs, batch_size: int, device: str, team: Team
) -> Domain | None:
    """The domain of the training inputs, its threshold that of the validation inputs; no views are drawn.

    Parameters
    ----------
    network : as it is saved, on the device.
    train, val : streamed once; a team shares them.
    specs : what the network reads.

    Returns
    -------
    None where the network reads no pictures or has no pooled features, which the log says.
    """
    unpictured = [name for name in specs if not batches.MODALITIES[name].pictured]
    if unpictured:
        log.info("what is unlike the training inputs is not flagged: it is told of pictures, not of %s", unpictured[0])
        return None
    try:
        models.width(network, "hidden")
        moments = Moments()
        for hidden in _features(network, train, specs, batch_size, device, team):
            moments.add(hidden)
    except ConfigError as error:
        log.info("what is unlike the training inputs is not flagged: %s", error)
        return None
    around = domain.fit(moments)
    distances = [around.score(hidden) for hidden in _features(network, val, specs, batch_size, device, team)]
    return domain.with_threshold(around, np.concatenate(distances))


def _features(
    network: nn.Module, samples: Samples, specs: Specs, batch_size: int, device: str, team: Team
) -> Iterator[np.ndarray]:
    """Pooled features of the samples, batch by batch, float32, shape (B, D); the whole batch in every process."""
    read = dataclasses.replace(samples, columns={name: samples.columns[name] for name in specs})
    places = np.arange(len(samples))
    whole = [places[start : start + batch_size] for start in range(0, len(places), batch_size)]
    streamed = batches.stream(read, [(team.mine(rows), Drawn()) for rows in whole], device)
    for rows, batch in zip(whole, streamed, strict=True):
        hidden = models.outputs(network, batch.make(specs), ["hidden"])["hidden"]
        yield team.whole(hidden, len(rows)).cpu().numpy()
