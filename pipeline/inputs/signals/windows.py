"""The one way from recordings to windows of one rate and one length: read, clean, fill up, scale.

``window`` makes the windows of a dataset, ``predict`` those of files that nobody has seen. Both do it by the same
lines: the window that a network was trained on is the one that is predicted, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_high
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.inputs.signals import clean, files
from pipeline.inputs.signals.card import Preparation

Row = tuple[Path, str]  # a file of signals, and which part of it
FEW = 128  # windows: of fewer, starting another process would take longer than it saves


def layout(rows: int, steps: int, channels: int) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The columns of ``inputs.h5`` but for the sample ids: shape and dtype by name.

    ``signal`` is NaN after the end of a window, and nowhere else; ``length`` counts the steps before; ``repaired`` is
    the share of the recorded steps that were interpolated or clipped.
    """
    return {
        "signal": ((rows, steps, channels), np.float32),
        "length": ((rows,), np.uint32),
        "repaired": ((rows,), np.float32),
    }


def raw_layout(rows: int, steps: int, channels: int) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The same before scaling, where NaN is in a channel of which nothing was measured as well; with the parts of
    ``repaired``, and the recorded steps."""
    more = {name: ((rows,), np.float32) for name in ("interpolated", "clipped")}
    return layout(rows, steps, channels) | more | {"recorded": ((rows,), np.uint32)}


def common_rate(rates_hz: Sequence[float], wanted_hz: float) -> float:
    """The rate of all windows: the one that is wanted, or (0) the middle one of the files'."""
    return float(wanted_hz) or float(median_high(rates_hz))


def common_steps(steps: Sequence[int], rates_hz: Sequence[float], rate_hz: float, seconds: float) -> int:
    """The steps of all windows: those of the longest, or of so many seconds (0: any) if that is less."""
    lengths = (clean.steps_at(n, own_hz, rate_hz) for n, own_hz in set(zip(steps, rates_hz, strict=True)))
    longest = max(lengths, default=1)
    return max(1, min(longest, round(seconds * rate_hz)) if seconds else longest)


def cleaned(rows: Sequence[Row], preparation: Preparation) -> dict[str, np.ndarray]:
    """The columns of ``raw_layout`` for some recordings.

    Raises
    ------
    DataError : one cannot be read, or lacks a channel; the message is the reason alone, as ``kind: detail``.
    """
    steps, channels = preparation.steps, len(preparation.channels)
    columns = {name: np.empty(shape, kind) for name, (shape, kind) in raw_layout(len(rows), steps, channels).items()}
    for number, (path, region) in enumerate(rows):
        recording = files.read(path, region, preparation.channels)
        window = clean.cleaned(
            recording.values,
            recording.rate_hz,
            preparation.rate_hz,
            preparation.smooth_window,
            preparation.smooth_order,
            preparation.outliers,
        )
        columns["signal"][number] = clean.padded(window.values, steps)
        columns["length"][number] = min(len(window.values), steps)
        columns["recorded"][number] = len(recording.values)
        for share in ("repaired", "interpolated", "clipped"):
            columns[share][number] = getattr(window, share)
    return columns


def cleaned_block(block: slice, rows: Sequence[Row], preparation: Preparation) -> tuple[slice, dict[str, np.ndarray]]:
    """A block of an indexed dataset, for whichever process takes it.

    Raises
    ------
    DataError : a file that was indexed cannot be read any more.
    """
    return block, _joined([_indexed(row, preparation) for row in rows])


def _indexed(row: Row, preparation: Preparation) -> dict[str, np.ndarray]:
    try:
        return cleaned([row], preparation)
    except DataError as error:
        raise DataError(
            f"{row[0]} could be read when it was indexed and cannot now: {error}. "
            "Restore it, or leave it out, and run the command again."
        ) from error


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def facts(columns: Mapping[str, Any], preparation: Preparation, rates_hz: np.ndarray) -> dict[str, np.ndarray]:
    """What was done to which windows, bool of shape (N,) by its name; ``empty`` bool of shape (N, C).

    Parameters
    ----------
    columns : of ``raw_layout``.
    rates_hz : of the files, shape (N,).
    """
    resampled = ~np.array([clean.same_rate(own_hz, preparation.rate_hz) for own_hz in rates_hz], bool)
    made = np.array(
        [
            clean.steps_at(n, own_hz, preparation.rate_hz)
            for n, own_hz in zip(columns["recorded"][:].tolist(), rates_hz, strict=True)
        ]
    )
    signal = columns["signal"]
    every = [_flat(signal[start : start + FEW]) for start in range(0, len(made), FEW)]
    constant, empty = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return {
        "interpolated": columns["interpolated"][:] > 0,
        "clipped": columns["clipped"][:] > 0,
        "resampled": resampled,
        "shorter": made < preparation.steps,
        "cut": made > preparation.steps,
        "constant": constant.any(axis=1),
        "empty": empty,
    }


def _flat(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which channels do not vary, and of which nothing was measured, both bool of shape (n, C)."""
    low, high = np.fmin.reduce(windows, axis=1), np.fmax.reduce(windows, axis=1)
    empty = np.isnan(low)
    return ~empty & (high - low <= clean.ROUNDING * np.maximum(np.abs(low), np.abs(high))), empty
