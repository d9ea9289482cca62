"""One recorded window from its file: a table with a row a step, or one of the windows of an ``.npz``.

What a recording lacks is repaired only where a rule says how; anything else is a reason. The rules: a cell that is no
finite number is a gap; steps that are missing between two times are gaps; the unit of time is that of the column's name
(``time_ms``), else the first of seconds, milliseconds and microseconds in which a window lasts at most ten minutes.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from pipeline.artifacts.raw_files import open_raw
from pipeline.artifacts.suffixes import quoted, suffix_of
from pipeline.artifacts.tables import listed
from pipeline.errors import DataError

WHOLE = "full"  # the region of a file that is one window
MOST_BYTES = 2**26  # of a table, unpacked: 100 windows of BioVid
MOST_ARCHIVE = 2**29  # of an .npz, unpacked
MOST_CHANNELS = 64
MOST_STEPS = 10_000_000
FEWEST_STEPS = 5
LONGEST_S, SHORTEST_S = 600.0, 0.25
MOST_GAPS = 0.5  # share of the steps without a value, in the channel that has most
MOST_RATE_HZ = 100_000.0
BIOVID_S = 5.5  # how long a window of BioVid lasts, where an .npz does not say its rate
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}

_TIME = re.compile(r"(?:time|timestamp|t)(?:[ _]*[\[(]?(?P<unit>s|sec|seconds|ms|us|µs)[\])]?)?", re.IGNORECASE)
_UNIT_WORDS = {"sec": "s", "seconds": "s", "µs": "us"}
_SEPARATORS = "\t;, "
_MEMBERS = {"x": ("x", "signals", "data"), "y": ("y", "labels", "level"), "rate": ("rate_hz", "fs", "sampling_rate")}


@dataclass(frozen=True)
class Recording:
    """One window as it was recorded.

    Attributes
    ----------
    values : float64, shape (steps, C), a step every ``1 / rate_hz`` seconds, NaN where nothing was measured.
    rate_hz : steps a second.
    channels : C names.
    """

    values: np.ndarray
    rate_hz: float
    channels: tuple[str, ...]

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.values)


def read(path: Path, region: str = WHOLE, channels: Sequence[str] = ()) -> Recording:
    """The window of one region of a file.

    Parameters
    ----------
    path : a table (``.csv``, ``.tsv``, ``.txt``, each also with ``.gz``) whose first column is the time, or an ``.npz``
        with ``x``, float, shape (windows, steps) or (windows, steps, channels), ``y``, the levels, and, where it says
        so, ``rate_hz`` and ``channels``.
    region : ``full``, or the window's number in an ``.npz``.
    channels : names, in the order wanted; by default all.

    Raises
    ------
    DataError : it cannot be used, or has no channel of a name; the message is the reason alone, as ``kind: detail``.
    OSError : as ``raw_files.open_raw``.
    """
    recording = _of_archive(path, region) if suffix_of(path.name) == ".npz" else _of_table(path, region)
    if not channels:
        return recording
    if lacking := [name for name in channels if name not in recording.channels]:
        raise DataError(f"no channel: it has no {lacking[0]}, it has {listed(recording.channels)}")
    places = [recording.channels.index(name) for name in channels]
    return Recording(recording.values[:, places], recording.rate_hz, tuple(channels))


def regions(path: Path) -> list[str]:
    """The windows of a file: the whole of a table, the numbers of an ``.npz``.

    Raises
    ------
    DataError : as ``read``; a table is not looked into.
    """
    return list(map(str, range(len(_windows(_opened(path)))))) if suffix_of(path.name) == ".npz" else [WHOLE]


def check(recording: Recording) -> None:
    """Refuse a recording of which nothing can be learned.

    Raises
    ------
    DataError : it is too short, too long, constant or mostly gaps in every channel; the message is the reason alone.
    """
    seconds = recording.steps / recording.rate_hz
    if recording.steps < FEWEST_STEPS or seconds < SHORTEST_S:
        raise DataError(f"too short: {recording.steps} steps in {seconds:.3g} s, at least {SHORTEST_S:g} s are needed")
    if seconds > LONGEST_S:
        raise DataError(f"too long: {seconds:.0f} s, a window has at most {LONGEST_S:g} s. Cut it into windows")
    gaps = np.isnan(recording.values).mean(axis=0)
    if gaps.min() > MOST_GAPS:
        raise DataError(f"gaps: {gaps.min():.0%} of the steps have no value, at most {MOST_GAPS:.0%} may")
    usable = recording.values[:, gaps <= MOST_GAPS]
    if (np.nanmax(usable, axis=0) <= np.nanmin(usable, axis=0)).all():
        names = [name for name, share in zip(recording.channels, gaps, strict=True) if share <= MOST_GAPS]
        raise DataError(f"constant: {listed(names)} never change")


def levels(path: Path) -> list[str]:
    """The level of each window of an ``.npz``, as text.

    Raises
    ------
    DataError : as ``read``; or it does not say them.
    """
    members = _opened(path)
    y = _member(members, "y")
    if y is None:
        raise DataError("no levels: it has no array y")
    if y.ndim != 1 or y.dtype.kind not in "iufUS":
        raise DataError(f"no levels: y is {y.dtype} of shape {y.shape}, expected one number or word a window")
    windows = _windows(members)
    if len(y) != len(windows):
        raise DataError(f"no levels: y has {len(y)} of them, x has {len(windows)} windows")
    return [_level(value) for value in y.tolist()]


def _level(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _of_table(path: Path, region: str) -> Recording:
    if region != WHOLE:
        raise DataError(f"no window: a table is one window, there is no number {quoted(region)}")
    text = _text(path)
    separator = _separator(text)
    frame = _parsed(text, separator)
    names = [str(name).strip() for name in frame.columns]
    _check_header(names)
    unit = _TIME.fullmatch(names[0])
    if unit is None:
        raise DataError(
            f"no time: the first column is {quoted(names[0])}, expected time; is the first line the header?"
        )
    columns = np.stack([_numbers(frame.iloc[:, place]) for place in range(len(names))], axis=1)
    times, values = columns[:, 0], columns[:, 1:]
    place, rate_hz = _grid(times, _unit(unit["unit"], times))
    whole = np.full((place[-1] + 1, values.shape[1]), np.nan)
    whole[place] = values
    return Recording(whole, rate_hz, tuple(names[1:]))


def _text(path: Path) -> str:
    """The text of a table, unpacked where it is compressed."""
    file, size = open_raw(path, MOST_BYTES)
    with file:
        content = _unpacked(file) if path.name.lower().endswith(".gz") else file.read(size)
    if not content:
        raise DataError("empty file: 0 bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"no text: {error.reason} at byte {error.start}") from error
    if "\0" in text:
        raise DataError(f"no text: byte {content.index(0)} is 0")
    return text


def _unpacked(file: BinaryIO) -> bytes:
    """What gzip packed, up to ``MOST_BYTES``."""
    unpacker, content = zlib.decompressobj(wbits=31), b""
    try:
        while piece := unpacker.unconsumed_tail or file.read(2**16):
            content += unpacker.decompress(piece, MOST_BYTES + 1 - len(content))
            if len(content) > MOST_BYTES:
                raise DataError(f"too large: more than {MOST_BYTES:,} bytes when unpacked")
            if unpacker.eof:
                break
    except zlib.error as error:
        raise DataError(f"damaged: it is no whole gzip file ({error})") from error
    if not unpacker.eof:
        raise DataError("damaged: the gzip file ends too early")
    return content


def _separator(text: str) -> str:
    head = text.partition("\n")[0]
    return max(_SEPARATORS, key=head.count) if any(mark in head for mark in _SEPARATORS) else "\t"


def _parsed(text: str, separator: str) -> pd.DataFrame:
    """The cells; numbers with a decimal comma where commas separate nothing."""
    head, _, body = text.partition("\n")
    decimal = "," if separator in "\t;" and "," in body and "." not in body else "."
    if head.count(separator) >= MOST_CHANNELS + 1:
        raise DataError(f"too many columns: {head.count(separator) + 1:,}, at most {MOST_CHANNELS + 1} are read")
    try:
        frame = pd.read_csv(
            StringIO(text),
            sep=separator,
            decimal=decimal,
            index_col=False,
            skip_blank_lines=True,
            quoting=3,
            on_bad_lines="error",
            dtype=None,
            keep_default_na=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        raise DataError(f"no table: {' '.join(str(error).split())[:200]}") from error
    if len(frame) > MOST_STEPS:
        raise DataError(f"too long: {len(frame):,} rows, at most {MOST_STEPS:,} are read")
    return frame


def _check_header(names: Sequence[str]) -> None:
    if len(names) < 2:
        raise DataError(f"no channel: the header is {quoted(' '.join(names))}, expected time and at least one channel")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"two columns: both are called {quoted(twice[0])}")


def _numbers(column: pd.Series) -> np.ndarray:
    """A column as float64; what is no finite number is NaN."""
    if column.dtype.kind not in "iuf":
        column = pd.to_numeric(column.astype(str).str.strip(), errors="coerce")
    values = column.to_numpy(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _unit(word: str | None, times: np.ndarray) -> float:
    """Seconds in one unit of the time column."""
    if word:
        return UNITS[_UNIT_WORDS.get(word.lower(), word.lower())]
    known = times[np.isfinite(times)]
    lasts = float(known.max() - known.min()) if len(known) else 0.0
    return next((seconds for seconds in UNITS.values() if lasts * seconds <= LONGEST_S), UNITS["us"])


def _grid(times: np.ndarray, unit: float) -> tuple[np.ndarray, float]:
    """The place of each row on an even grid of times, int64, ascending, and the grid's rate."""
    if len(times) < FEWEST_STEPS:
        raise DataError(f"too short: {len(times)} rows, at least {FEWEST_STEPS} are needed")
    if not np.isfinite(times).all():
        row = int(np.flatnonzero(~np.isfinite(times))[0])
        raise DataError(f"no time: row {row + 1} has none")
    steps = np.diff(times) * unit
    if (steps <= 0).any():
        row = int(np.flatnonzero(steps <= 0)[0])
        raise DataError(f"time: it does not go on from row {row + 1} to row {row + 2}")
    usual = float(np.median(steps))
    if not 1 / MOST_RATE_HZ <= usual <= LONGEST_S:
        raise DataError(f"time: a step takes {usual:.3g} s, expected {1 / MOST_RATE_HZ:g} s or more")
    counts = np.maximum(np.rint(steps / usual), 1)
    if counts.sum() > MOST_STEPS or counts.sum() * usual > LONGEST_S:
        raise DataError(f"too long: {counts.sum() * usual:.4g} s, a window has at most {LONGEST_S:g} s")
    if np.abs(steps / usual - counts).max() > 0.5 or (counts > 1).mean() > MOST_GAPS:
        raise DataError(f"time: its steps are uneven, {steps.min():.3g} to {steps.max():.3g} s")
    place = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    lasts = float(times[-1] - times[0]) * unit
    return place, round(place[-1] / lasts, 6)


def _of_archive(path: Path, region: str) -> Recording:
    members = _opened(path)
    windows = _windows(members)
    if not re.fullmatch(r"[0-9]{1,9}", region) or int(region) >= len(windows):
        raise DataError(f"no window: it has {len(windows)}, counted from 0, there is no number {quoted(region)}")
    values = np.atleast_2d(windows[int(region)].astype(np.float64).T).T  # (steps, C)
    return Recording(np.where(np.isfinite(values), values, np.nan), _rate(members, values), _channels(members, values))


def _windows(members: Mapping[str, np.ndarray]) -> np.ndarray:
    x = _member(members, "x")
    if x is None:
        raise DataError(f"no signals: it has no array x, it has {listed(sorted(members))}")
    if x.ndim not in (2, 3) or x.dtype.kind not in "iuf" or not x.size:
        raise DataError(
            f"no signals: x is {x.dtype} of shape {x.shape}, expected numbers of shape (windows, steps) or "
            "(windows, steps, channels)"
        )
    if x.ndim == 3 and x.shape[2] > MOST_CHANNELS:
        raise DataError(f"too many channels: {x.shape[2]}, at most {MOST_CHANNELS} are read")
    return x


def _rate(members: Mapping[str, np.ndarray], values: np.ndarray) -> float:
    rate = _member(members, "rate")
    if rate is None:
        return len(values) / BIOVID_S
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not 0 < float(rate.ravel()[0]) <= MOST_RATE_HZ:
        raise DataError(f"no rate: {quoted(rate)} is no number of steps a second")
    return float(rate.ravel()[0])


def _channels(members: Mapping[str, np.ndarray], values: np.ndarray) -> tuple[str, ...]:
    count = values.shape[1]
    if "channels" not in members:
        return ("gsr",) if count == 1 else tuple(f"channel_{number}" for number in range(count))
    names = tuple(map(_level, members["channels"].ravel().tolist()))
    if len(names) != count or len(set(names)) < count:
        raise DataError(f"no channels: {len(names)} names for {count} of them, or one twice")
    return names


def _member(members: Mapping[str, np.ndarray], meaning: str) -> np.ndarray | None:
    return next((members[name] for name in _MEMBERS[meaning] if name in members), None)


def _opened(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an ``.npz``; that of the last one is kept, for its windows are asked for one by one."""
    with _reasons():
        file, size = open_raw(path, MOST_ARCHIVE)
        file.close()
        return _arrays(path, size, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _arrays(path: Path, size: int, modified: int) -> Mapping[str, np.ndarray]:
    with _reasons():
        file, _ = open_raw(path, MOST_ARCHIVE)
        with file, zipfile.ZipFile(file) as archive:
            whole = sum(member.file_size for member in archive.infolist())
            if whole > MOST_ARCHIVE:
                raise DataError(f"too large: {whole:,} bytes when unpacked, at most {MOST_ARCHIVE:,} are read")
            found = {}
            for name in (name for name in archive.namelist() if name.endswith(".npy")):
                with archive.open(name) as member:
                    found[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
            return found


@contextmanager
def _reasons() -> Iterator[None]:
    """What numpy and zipfile say of a damaged archive, as a reason."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError, MemoryError) as error:
        raise DataError(f"damaged: it is no archive of arrays ({' '.join(str(error).split())[:200]})") from error
    except (RuntimeError, SyntaxError) as error:  # an encrypted member; a header that is no literal
        raise DataError(f"damaged: it is no archive of arrays ({' '.join(str(error).split())[:200]})") from error
