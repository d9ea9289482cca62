"""One recording of a file: text with a column of times, gzipped or not, or a window of a subject's ``.npz``.

What a file holds is told by its content, not by its name. An ``.npz`` holds ``x``, windows × steps or windows × steps ×
channels, ``y``, the levels, and perhaps ``rate_hz`` and ``channels``. Where nothing says at which rate it was recorded,
2,816 steps are BioVid's windows, of 5.5 s at 512 Hz; for any other length that is a reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.artifacts.raw_files import open_raw
from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import listed
from pipeline.errors import DataError
from pipeline.inputs.signals import clock, packed, sheet
from pipeline.inputs.signals.clock import LEAST_STEPS, MOST_MISSING
from pipeline.inputs.signals.sheet import MAX_NAME, TIME, channel_name

FULL = "full"  # the region of a file that is one recording
BIOVID_STEPS, BIOVID_HZ = 2816, 512.0
ARRAYS = ("x", "y", "rate_hz", "channels")
MOST = 1e9  # what is larger is no measurement, and its square no float32
CONSTANT = 1e-9  # of its size: what varies less is a number that was rounded in different ways


@dataclass(frozen=True)
class Recording:
    """One recording as it was made, but for what stands in ``repairs``.

    Attributes
    ----------
    values : float64, shape (steps, channels), time first, evenly spaced; NaN where nothing was measured.
    rate_hz : steps a second.
    channels : names of the channels.
    repairs : what was done by rule, each as ``kind: detail``; missing values are not filled in here.
    missing : steps of which the file has no row.
    """

    values: np.ndarray
    rate_hz: float
    channels: tuple[str, ...]
    repairs: tuple[str, ...] = ()
    missing: int = 0


def read(path: Path, region: str = FULL, channels: Sequence[str] = ("gsr",)) -> Recording:
    """Some channels of one recording.

    Parameters
    ----------
    path : the file.
    region : ``full``, or the number of a window in an ``.npz``.
    channels : their names in the header, case and units aside, in the order of the result.

    Raises
    ------
    DataError : it cannot be used, or has no such channel; the message is the reason alone, as ``kind: detail``.
    OSError : as ``raw_files.open_raw``.
    """
    whole = _window(path, region) if is_archive(path) else _table(path, region)
    wanted = [channel_name(name) for name in channels]
    if missing := [name for name in wanted if name not in whole.channels]:
        raise DataError(f"no channel: it has no {listed(missing)}, it has {listed(whole.channels) or 'none'}")
    values = np.ascontiguousarray(whole.values[:, [whole.channels.index(name) for name in wanted]])
    silent = dict(zip(wanted, (np.isnan(values).sum(axis=0) - whole.missing).tolist(), strict=True))
    more = [f"no number: {n:,} of {len(values):,} steps of {name} say nothing" for name, n in silent.items() if n]
    return Recording(values, whole.rate_hz, tuple(wanted), (*whole.repairs, *more), whole.missing)


def check(recording: Recording) -> None:
    """Refuse a recording of which a channel says nothing.

    Raises
    ------
    DataError : a channel is constant, or too much of it is missing; the message is the reason alone.
    """
    for name, values in zip(recording.channels, recording.values.T, strict=True):
        measured = values[np.isfinite(values)]
        missing = 1 - len(measured) / len(values)
        if not len(measured):
            raise DataError(f"no value: nothing was measured of {name}")
        if missing > MOST_MISSING:
            raise DataError(f"gaps: {missing:.0%} of {name} is missing, at most {MOST_MISSING:.0%} is interpolated")
        low, high = float(measured.min()), float(measured.max())
        if high - low <= CONSTANT * max(abs(low), abs(high)):
            raise DataError(f"constant: {name} is {low:g} throughout")


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of arrays, by how it begins.

    Raises
    ------
    DataError, OSError : as ``raw_files.open_raw``.
    """
    file, size = open_raw(path)
    with file:
        return file.read(min(size, len(packed.ZIP))) == packed.ZIP


def windows(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of a subject's ``.npz``: those of ``ARRAYS`` that it has, ``x`` and ``y`` among them.

    Raises
    ------
    DataError : it is no such file, one of the two is missing, or they do not fit each other.
    OSError : as ``raw_files.open_raw``.
    """
    status = os.stat(path)
    return _arrays(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)  # a subject's windows are asked for one after the other
def _arrays(path: Path, modified: int, size: int) -> Mapping[str, np.ndarray]:
    found = packed.arrays(*open_raw(path), ARRAYS)
    if missing := [name for name in ("x", "y") if name not in found]:
        raise DataError(f"no array: it has no {' and no '.join(missing)}")
    x, y = found["x"], found["y"]
    if x.ndim not in (2, 3) or x.dtype.kind not in "iuf":
        raise DataError(f"wrong array: x is {x.dtype} of shape {x.shape}, expected numbers of (windows, steps)")
    if y.shape not in ((len(x),), (len(x), 1)):
        raise DataError(f"wrong array: y is of shape {y.shape}, expected one level for each of {len(x)} windows")
    return found


def _window(path: Path, region: str) -> Recording:
    """One window of a subject's file, all channels."""
    found = windows(path)
    number = int(region) if region.isascii() and region.isdigit() and len(region) < 10 else -1
    if not 0 <= number < len(found["x"]):
        raise DataError(f"no window: it has {len(found['x'])}, from 0 on, not {quoted(region)}")
    values = found["x"][number].astype(np.float64)
    values = values if values.ndim == 2 else values[:, None]
    names = _names(found, values.shape[1])
    if len(values) < LEAST_STEPS:
        raise DataError(f"too short: {len(values)} steps, at least {LEAST_STEPS} are needed")
    rate_hz, repairs = _rate_of(found, len(values))
    return Recording(_measured(values), rate_hz, names, repairs)


def _names(found: Mapping[str, np.ndarray], channels: int) -> tuple[str, ...]:
    if "channels" not in found:
        if channels == 1:
            return ("gsr",)
        raise DataError(f"no channels: x has {channels} channels, an array of their names is needed")
    names = tuple(channel_name(str(name)[:MAX_NAME]) for name in found["channels"].ravel()[: channels + 1])
    if len(names) != channels:
        raise DataError(f"wrong array: {found['channels'].size} names of {channels} channels")
    return names


def _rate_of(found: Mapping[str, np.ndarray], steps: int) -> tuple[float, tuple[str, ...]]:
    """The rate that a subject's file names, or that of BioVid's windows."""
    if "rate_hz" not in found:
        return _biovids(steps, "no array rate_hz")
    rate = found["rate_hz"]
    least, most = clock.NAMED_HZ
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not least <= float(rate.ravel()[0]) <= most:
        raise DataError(f"rate: {quoted(rate.ravel()[:3])}, expected one number from {least:g} to {most:g} Hz")
    return float(rate.ravel()[0]), ()


def _biovids(steps: int, lacking: str) -> tuple[float, tuple[str, ...]]:
    if steps != BIOVID_STEPS:
        raise DataError(
            f"no time: it has {lacking} and {steps:,} steps; only {BIOVID_STEPS:,}, as BioVid's have, say a rate"
        )
    return BIOVID_HZ, (f"no time: {steps:,} steps are BioVid's, of {BIOVID_HZ:g} Hz",)


def _table(path: Path, region: str) -> Recording:
    """A text's recording, all channels."""
    if region != FULL:
        raise DataError(f"no window: a text is one recording, {FULL}, not {quoted(region)}")
    made = sheet.parse(_content(path))
    columns = [name for name in made.columns if name and name != TIME]
    values = _measured(made.values[:, [made.columns.index(name) for name in columns]])
    if TIME not in made.columns:
        rate_hz, repairs = _biovids(len(values), "no column of times")
        return Recording(values, rate_hz, tuple(columns), made.repairs + repairs)
    times = clock.read(made.values[:, made.columns.index(TIME)], made.unit)
    even = np.full((int(times.places[-1]) + 1, len(columns)), np.nan)
    even[times.places] = values[times.rows]
    return Recording(even, times.rate_hz, tuple(columns), made.repairs + times.repairs, len(even) - len(times.rows))


def _content(path: Path) -> bytes:
    """The text of a file, unpacked where it is gzipped."""
    file, size = open_raw(path, packed.MAX_TEXT_BYTES)
    with file:
        content = file.read(size)
    if not content:
        raise DataError("empty file: 0 bytes")
    return packed.gunzipped(content) if content.startswith(packed.GZIP) else content


def _measured(values: np.ndarray) -> np.ndarray:
    """Values with NaN for all that no instrument shows."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= MOST, values, np.nan)
