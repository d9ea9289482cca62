"""Augmented views of signals: drawn from (view seed, sample, view number), made on the device by whole batches.

A view is a shift and a mild warp of time, a change of amplitude about the window's mean, a jitter and a masked stretch.
All of it is drawn in shares of the window and of the signal's own deviation: a teacher that reads 512 steps a second
and a student that reads 32 see the same view. That is why the jitter is no number for each step but a sum of waves,
0.4 to 12 Hz in a window of 5.5 s: white noise of one rate is another signal at the next.

NaN is where nothing is known: after the end of a window that is shorter than others, and in a masked stretch. What is
moved beyond an end holds the end's value. A mixed view has a stretch of another sample's time in it, or is an average
of both, known where both are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ArtifactError
from pipeline.inputs.keyed_random import uniform
from pipeline.inputs.views.plan import Draw, Drawn

GROUP = "signal"  # of PARAMETERS among all that is drawn for a view
WAVES = 16  # of the jitter
FREQUENCIES = np.geomspace(2, 64, WAVES)  # waves in a window
PHASES = tuple(f"phase_{number}" for number in range(WAVES))
PARAMETERS = ("shift", "warp", "scale", "jitter", "mask_start", "mask_width", *PHASES)
IDENTITY = np.array([0, 0, 1, 0, 0, 0] + [0] * WAVES, dtype=np.float32)
FIRST = 16  # part of a key: that of the first of PARAMETERS, after those of pictures and mixtures

LARGEST_SHIFT = 0.05  # of the window: a quarter of a second of 5.5
LARGEST_WARP = 0.1  # time runs faster by at most this share, and slower elsewhere
SCALE = 0.2  # amplitude is drawn from 1 - SCALE to 1 + SCALE
LARGEST_JITTER = 0.05  # its deviation, as a share of the signal's own
WIDEST_MASK = 0.1  # of what is known of the window
GOLDEN_ANGLE = pi * (3 - 5**0.5)  # between the phases of neighbouring channels: no two jitter alike


@dataclass(frozen=True)
class SignalSpec:
    """What a network reads: windows of ``length`` steps of ``channels`` channels, as they were prepared."""

    length: int
    channels: int


def view_parameters(view_seed: int, sample_keys: np.ndarray, view: int | np.ndarray) -> np.ndarray:
    """Draw one view of each sample.

    Parameters
    ----------
    view_seed : seed of all views of a run.
    sample_keys : uint64, shape (N,), from ``keyed_random.keys(sample_ids)``.
    view : number of the view, for all or for each.

    Returns
    -------
    float32, shape (N, 22), columns ``PARAMETERS``: the shift as a share of the window; the warp as a share of time's
    speed; the factor of amplitude; the jitter's deviation as a share of the signal's; start and width of the masked
    stretch as shares of what is known; and the phase of each wave of the jitter in radians.
    """
    view = np.broadcast_to(np.asarray(view, np.uint64), sample_keys.shape)
    numbers = np.arange(FIRST, FIRST + len(PARAMETERS), dtype=np.uint64)
    draws = uniform(view_seed, sample_keys[:, None], view[:, None], numbers[None, :])  # (N, 22)
    signed = 2 * draws - 1
    width = WIDEST_MASK * draws[:, 5]
    columns = (
        LARGEST_SHIFT * signed[:, 0],
        LARGEST_WARP * signed[:, 1],
        1 + SCALE * signed[:, 2],
        LARGEST_JITTER * draws[:, 3],
        (1 - width) * draws[:, 4],
        width,
    )
    return np.concatenate([np.stack(columns, axis=1), 2 * pi * draws[:, 6:]], axis=1).astype(np.float32)


DRAWS: dict[str, Draw] = {GROUP: view_parameters}


def make(signals: Tensor, drawn: Drawn, spec: SignalSpec) -> Tensor:
    """The views of a batch, as the network reads them.

    Parameters
    ----------
    signals : float32, shape (B, T, C), on any device; where views are mixed (2 B, T, C), partners second.
    drawn : the B views.
    spec : what the network reads: T and C.

    Returns
    -------
    float32, shape (B, C, T), on the same device; NaN where nothing is known.

    Raises
    ------
    ArtifactError : the network reads other windows.
    """
    if tuple(signals.shape[1:]) != (spec.length, spec.channels):
        raise ArtifactError(
            f"The network reads windows of {spec.length} steps in {spec.channels} channels, these have "
            f"{signals.shape[1]} in {signals.shape[2]}: they were prepared in another way. Prepare them as the "
            "network's card says, or train it anew: make distill"
        )
    parameters = drawn.of(GROUP)
    values = signals.transpose(1, 2).to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if parameters is None:
        return values
    made = augment(values, parameters)
    if drawn.partners is None:
        return made
    own, partner = made.chunk(2)
    spans = torch.from_numpy(drawn.spans).to(made.device)
    kept = torch.from_numpy(drawn.kept).to(made.device).view(-1, 1, 1)
    times = torch.arange(spec.length, device=made.device) / spec.length
    outside = ~((times >= spans[:, :1]) & (times < spans[:, 1:]))[:, None]  # (B, 1, T)
    spanned = (spans[:, 1] > spans[:, 0]).view(-1, 1, 1)
    weight = torch.where(spanned, outside.to(own.dtype), kept)
    averaged = torch.lerp(partner, own, weight)
    return torch.where(weight == 1, own, torch.where(weight == 0, partner, averaged))


def augment(values: Tensor, parameters: np.ndarray) -> Tensor:
    """One view of each signal.

    Parameters
    ----------
    values : float32, shape (B, C, T), on any device; NaN where nothing is known.
    parameters : float32, shape (B, 22), from ``view_parameters``.

    Returns
    -------
    float32, shape (B, C, T), on the same device. With ``IDENTITY`` parameters it equals ``values``.
    """
    numbers = torch.from_numpy(parameters).to(values.device)
    drawn = {name: column.view(-1, 1, 1) for name, column in zip(PARAMETERS, numbers.T, strict=True)}
    steps = torch.arange(values.shape[-1], device=values.device)
    known = ~values.isnan().all(1, keepdim=True)  # (B, 1, T)
    count = (known * (steps + 1)).amax(-1, keepdim=True).clamp(min=1)  # steps up to the last known one
    moved = _moved(values, drawn, count).masked_fill(steps >= count, torch.nan)
    mean = moved.nanmean(-1, keepdim=True)
    apart = moved - mean
    deviation = apart.square().nanmean(-1, keepdim=True).sqrt()
    noise = deviation * drawn["jitter"] * _waves(values, numbers[:, -WAVES:])
    start, end = drawn["mask_start"] * count, (drawn["mask_start"] + drawn["mask_width"]) * count
    masked = (steps >= start) & (steps < end)
    return (moved + (drawn["scale"] - 1) * apart + noise).masked_fill(masked, torch.nan)


def _moved(values: Tensor, drawn: dict[str, Tensor], count: Tensor) -> Tensor:
    """The signals at other times, between steps by straight lines."""
    length = values.shape[-1]
    steps = torch.arange(length, device=values.device)
    warp = drawn["warp"] * torch.sin(2 * pi * steps / length) / (2 * pi)
    places = (steps + length * (drawn["shift"] + warp)).clamp(min=0).minimum(count - 1)  # (B, 1, T)
    before = places.floor()
    after = (before + 1).minimum(count - 1)
    first, second = (values.gather(-1, place.long().expand_as(values)) for place in (before, after))
    weight = places - before
    return torch.where(weight == 0, first, torch.lerp(first, second, weight))  # what is not reached may be unknown


def _waves(values: Tensor, phases: Tensor) -> Tensor:
    """A sum of waves of deviation 1, shape (B, C, T); without those that are too fast for so few steps."""
    _, channels, length = values.shape
    frequencies = torch.from_numpy(FREQUENCIES[length > 2 * FREQUENCIES]).float().to(values.device)
    phases = phases[:, None, : len(frequencies)] + GOLDEN_ANGLE * torch.arange(channels, device=values.device)[:, None]
    times = torch.arange(length, device=values.device) / length
    angles = 2 * pi * frequencies[:, None] * times  # (waves, T)
    sums = torch.cos(phases) @ torch.cos(angles) - torch.sin(phases) @ torch.sin(angles)
    return sums * (2 / WAVES) ** 0.5
