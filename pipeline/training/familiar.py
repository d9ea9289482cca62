"""What a finished network's training inputs look like to it, so that whoever uses it can tell what it has not seen."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import models
from pipeline.compute.distributed import Team
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples, Specs
from pipeline.inputs.views.plan import Drawn
from pipeline.models import domain
from pipeline.models.domain import Domain, Moments
from pipeline.models.strangeness import Distances, Respects

log = logging.getLogger(__name__)


def learn(
    network: nn.Module, train: Samples, val: Samples, specs: Specs, batch_size: int, device: str, team: Team
) -> Domain | None:
    """What the training inputs look like, with the threshold of the validation inputs; no views are drawn.

    Parameters
    ----------
    network : as it is saved, on the device.
    train, val : streamed once; a team shares them.
    specs : what the network reads.

    Returns
    -------
    None where the network reads no pictures or its features are no numbers, which the log says.
    """
    unpictured = [name for name in specs if not batches.MODALITIES[name].pictured]
    if unpictured:
        log.info("what is unlike the training inputs is not flagged: it is told of pictures, not of %s", unpictured[0])
        return None
    measure = partial(_measured, network, _observable(network, specs, device), Respects(specs).to(device))

    def measured(samples: Samples) -> Iterator[dict[str, Tensor]]:
        return measure(samples, specs, batch_size, device, team)

    try:
        moments: dict[str, Moments] = defaultdict(Moments)
        for numbers in measured(train):
            for respect, values in numbers.items():
                moments[respect].add(values.cpu().numpy())
        around = {respect: domain.fit(one) for respect, one in moments.items()}
        around = {respect: one for respect, one in around.items() if moments[respect].varies}
        if not around:
            raise ConfigError("all training inputs look the same to the network")
    except ConfigError as error:
        log.info("what is unlike the training inputs is not flagged: %s", error)
        return None
    distances = Distances(around).to(device)
    return domain.calibrated(around, np.concatenate([distances(one).cpu() for one in measured(val)]))


def _observable(network: nn.Module, specs: Specs, device: str) -> tuple[str, ...]:
    """Which of the features that count a network has; of those that it has not, the log says so."""
    blank, kinds = batches.blank(specs, device).make(specs), []
    for kind in ("hidden", "layers"):
        try:
            with torch.no_grad():
                models.observe(network.eval(), blank, [kind])
            kinds.append(kind)
        except ConfigError as error:
            log.info("what is unlike the training inputs is told without its %s: %s", kind, error)
    return tuple(kinds)


def _measured(
    network: nn.Module,
    kinds: Sequence[str],
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
        with torch.no_grad():
            observed = models.observe(network.eval(), inputs, kinds)
        yield {respect: team.whole(values, len(rows)) for respect, values in respects(inputs, observed).items()}
