"""The one way from prepared inputs to a network: draw views, add mixing partners, gather rows, make on the device.

Teachers and students in training, labelling, pretraining and evaluation all read their batches here. What differs
between modalities is an entry of ``MODALITIES``; nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.artifacts.columns import Column
from pipeline.inputs import keyed_random, streaming
from pipeline.inputs.views import image, signal, strong
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.plan import Draw, Drawn, Plan, Views
from pipeline.inputs.views.signal import SignalSpec

Specs = Mapping[str, Any]  # by modality, what a network reads of it
Part = tuple[np.ndarray, Drawn]  # which samples, and the views drawn of them


class Modality(NamedTuple):
    """How one modality becomes a network's input.

    Parameters
    ----------
    spec : class of what a network reads, made from its entry in the model's card.
    make : of raw inputs (B, ...) on the device, drawn views and a spec: float32, as the network reads them.
    blank : one raw input of nothing that fits a spec, on a device.
    draws : by group, what is drawn for a view of it and how; modalities that name one group show one geometry.
    pictured : whether it is a picture.
    strong : by how inputs were prepared, what is drawn besides for a strong view of it; empty where it has no look.
    """

    spec: Callable[..., Any]
    make: Callable[[Tensor, Drawn, Any], Tensor]
    blank: Callable[[Any, str], Tensor]
    draws: Mapping[str, Draw]
    pictured: bool
    strong: Mapping[str, Mapping[str, Draw]] = {}


def _blank_picture(spec: InputSpec, device: str) -> Tensor:
    return torch.zeros((1, spec.size, spec.size, len(spec.mean)), dtype=torch.uint8, device=device)


def _blank_signal(spec: SignalSpec, device: str) -> Tensor:
    return torch.zeros((1, spec.length, spec.channels), device=device)


MODALITIES = {
    "rgb": Modality(InputSpec, image.make, _blank_picture, image.DRAWS, pictured=True, strong=strong.DRAWS),
    "ir": Modality(InputSpec, image.make_uncoloured, _blank_picture, image.DRAWS, pictured=True),
    "signal": Modality(SignalSpec, signal.make, _blank_signal, signal.DRAWS, pictured=False),
}


def specs(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a network reads, by modality, from its card."""
    return {name: MODALITIES[name].spec(**entry) for name, entry in card["inputs"].items()}


@dataclass(frozen=True)
class Samples:
    """The samples of one part and what is true of them.

    Parameters
    ----------
    columns : by modality the prepared inputs of all parts, shape (N, ...); of a file, verified as they are read.
    rows : int64, shape (M,), this part's rows of the columns.
    sample_ids : M names.
    truth : of the M samples, as their task's kind reads it; picked by an array of places.
    """

    columns: Mapping[str, Column | np.ndarray]
    rows: np.ndarray
    sample_ids: list[str]
    truth: Any = None

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: np.ndarray) -> Samples:
        """The samples at some places, int64."""
        truth = None if self.truth is None else self.truth[places]
        return Samples(self.columns, self.rows[places], [self.sample_ids[i] for i in places], truth)

    def views(self, plan: Plan) -> Views:
        """Their views under a plan, with all that is drawn for any of their modalities."""
        draws: dict[str, Draw] = {}
        for modality in map(MODALITIES.__getitem__, self.columns):
            draws |= {**modality.draws, **modality.strong.get(plan.strong, {})}
        return Views(plan, keyed_random.keys(self.sample_ids), draws)


@dataclass(frozen=True)
class Batch:
    """Views of some samples, before they are made for one network or another.

    Parameters
    ----------
    index : int64, shape (B,), which samples.
    drawn : their views.
    raw : by modality the inputs themselves, on the device, mixing partners after them.
    """

    index: np.ndarray
    drawn: Drawn
    raw: Mapping[str, Tensor]

    def make(self, wanted: Specs) -> Tensor | dict[str, Tensor]:
        """The views as a network reads them: a tensor, or tensors by modality where it reads several."""
        made = {name: MODALITIES[name].make(self.raw[name], self.drawn, spec) for name, spec in wanted.items()}
        return made if len(made) > 1 else next(iter(made.values()))


def blank(wanted: Specs, device: str) -> Batch:
    """A batch of one sample in which nothing is to be seen, for the shapes of what networks answer."""
    raw = {name: MODALITIES[name].blank(spec, device) for name, spec in wanted.items()}
    return Batch(np.zeros(1, np.int64), Drawn(), raw)


def stream(samples: Samples, parts: Sequence[Part], device: str) -> Iterator[Batch]:
    """Gather batch after batch, one ahead of its use.

    Parameters
    ----------
    parts : for each batch the places of its samples and the views drawn of them; batches may differ in length.
    device : where the batches go. On a CPU the raw inputs are reused: they hold until the next batch is asked for.
    """
    rows = [samples.rows[_with_partners(index, drawn)] for index, drawn in parts]
    columns = [streaming.chunks(column, rows, device) for column in samples.columns.values()]
    for (index, drawn), *raw in zip(parts, *columns, strict=True):
        yield Batch(index, drawn, dict(zip(samples.columns, raw, strict=True)))


def identity(samples: Samples, places: np.ndarray, batch_size: int, device: str) -> Iterator[Batch]:
    """The samples themselves at some places, int64, in that order."""
    parts = [(places[start : start + batch_size], Drawn()) for start in range(0, len(places), batch_size)]
    return stream(samples, parts, device)


def _with_partners(index: np.ndarray, drawn: Drawn) -> np.ndarray:
    return index if drawn.partners is None else np.concatenate([index, drawn.partners])
