"""From a column of times to the sampling rate, and the place of each row in an even grid of it.

A recorder's clock jitters, is rounded, and stands in seconds, milliseconds or microseconds; rows may be missing. The
rate is read off the rows that follow each other; where one or more are missing between two rows, their places stay
free, so that nothing after them shifts in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6}  # in a second
# Without a unit the times have that in which the rate lies here: at 4 Hz a step is 0.25 s, 250 ms or 250,000 us, so
# that only one can. BioVid's microseconds are of 512 Hz.
LEAST_HZ, MOST_HZ = 4.0, 4000.0
NAMED_HZ = (1.0, 20_000.0)  # where the column names the unit
WHOLE = 1e-3  # a rate so near to a whole number is that number
MOST_MISSING = 0.2  # share of steps that may be missing: what lies between is made up
MOST_IRREGULAR = 0.2  # share of steps whose length is neither one nor two
LEAST_STEPS = 16


@dataclass(frozen=True)
class Clock:
    """What the times say.

    Attributes
    ----------
    rate_hz : of the even grid.
    rows : int, shape (n,): the rows that are used.
    places : int, shape (n,): where each of them is in the grid, ascending from 0.
    repairs : what was done, each as ``kind: detail``.
    """

    rate_hz: float
    rows: np.ndarray
    places: np.ndarray
    repairs: tuple[str, ...]


def read(times: np.ndarray, unit: str = "") -> Clock:
    """The rate and the grid of a column of times.

    Rules: a row without a time, or whose time does not lie between its neighbours', is left out, of rows of one moment
    all but the first. The place of what is left out stays free.

    Parameters
    ----------
    times : float64, shape (N,), NaN where there is no number.
    unit : ``s``, ``ms`` or ``us``; empty where the column does not say.

    Raises
    ------
    DataError : there are too few rows, the clock stands still, runs backwards or unevenly, too much is missing, or the
        rate is none that signals of the body have; the message is the reason alone.
    """
    rows = np.flatnonzero(np.isfinite(times))
    if len(rows) < LEAST_STEPS <= len(times):
        raise DataError(f"no time: {len(times) - len(rows):,} of {len(times):,} rows have none")
    if len(rows) < LEAST_STEPS:
        raise DataError(f"too short: {len(times)} steps, at least {LEAST_STEPS} are needed")
    rows = rows[np.diff(times[rows], prepend=-np.inf) != 0]
    _check_moves(len(rows), len(times))
    rows = rows[_in_order(times[rows])]
    seconds = times[rows]
    if (back := np.flatnonzero(np.diff(seconds) <= 0)).size:
        raise DataError(f"time: the clock runs backwards after row {rows[back[0]] + 1:,}")
    steps = _steps(np.diff(seconds))
    total = int(steps.sum()) + 1
    rate_hz = _rate((total - 1) / float(seconds[-1] - seconds[0]), unit)
    missing = total - len(rows)
    if missing > MOST_MISSING * total:
        raise DataError(
            f"gaps: {missing:,} of {total:,} steps are missing, at most {MOST_MISSING:.0%} are interpolated"
        )
    places = np.concatenate([[0], np.cumsum(steps)])
    return Clock(rate_hz, rows, places, _repairs(len(times) - len(rows), missing, total))


def _check_moves(different: int, rows: int) -> None:
    if different < max(LEAST_STEPS, (1 - MOST_MISSING) * rows):
        raise DataError(f"time: the clock stands still, it shows {different:,} moments in {rows:,} rows")


def _in_order(times: np.ndarray) -> np.ndarray:
    """Which times do not break an order that their neighbours keep, bool of the same shape."""
    before = np.concatenate([[-np.inf], times[:-1]])
    after = np.concatenate([times[1:], [np.inf]])
    return ~((before < after) & ((times <= before) | (times >= after)))


def _steps(lengths: np.ndarray) -> np.ndarray:
    """How many steps of the grid lie between rows, int64 of at least 1."""
    step = float(np.median(lengths))
    for _ in range(2):  # the median of rounded times is a rounded step, the mean of single steps is not
        counts = np.maximum(1.0, np.rint(lengths / step))
        step = float(lengths[counts == 1].mean()) if (counts == 1).any() else step
    if not counts.sum() < 2**53:
        raise DataError("time: the clock leaps further than it counts")
    irregular = float((np.abs(lengths / step - counts) > 0.25).mean())
    if irregular > MOST_IRREGULAR:
        raise DataError(f"time: {irregular:.0%} of the steps are of uneven length, at most {MOST_IRREGULAR:.0%} may be")
    return counts.astype(np.int64)


def _rate(per_unit: float, unit: str) -> float:
    """The rate in Hz of so many steps in a unit of time; a whole number where it is near to one."""
    least, most = NAMED_HZ if unit else (LEAST_HZ, MOST_HZ)
    rates_hz = [per_unit * UNITS[name] for name in ([unit] if unit else UNITS)]
    fitting = [rate for rate in rates_hz if least * (1 - WHOLE) <= rate <= most * (1 - WHOLE)]
    if not fitting:
        units = [unit] if unit else list(UNITS)
        shown = ", ".join(f"{rate:g} Hz if in {name}" for rate, name in zip(rates_hz, units, strict=True))
        raise DataError(f"rate: {shown}; expected {least:g} to {most:g} Hz")
    rate_hz, whole = fitting[0], round(fitting[0])
    return float(whole) if abs(rate_hz - whole) <= WHOLE * rate_hz else round(rate_hz, 3)


def _repairs(left_out: int, missing: int, total: int) -> tuple[str, ...]:
    repairs = []
    if left_out:
        repairs.append(f"time: {left_out:,} rows without a time of their own are left out")
    if missing:
        repairs.append(f"gaps: {missing:,} of {total:,} steps are missing")
    return tuple(repairs)
