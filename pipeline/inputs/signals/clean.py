"""From a recorded window to what networks read: gaps, smoothing, outliers, rate, length and scale.

The order is that of the original (specs of BioVid's skin conductance), with these departures. Gaps are interpolated and
outliers drawn in to the limit: to drop them would shift the time of all that follows. Outliers lie on both sides.
Windows are filled up with NaN, which networks see as unknown, not as a fall to the minimum. A window without any
variation becomes zeros where the original divided by nothing.

Everything takes and gives float arrays with time first and channels last, NaN where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import signal

SAME_RATE = 1e-3  # rates that differ by at most this share are one: clocks and rounded times do
LARGEST_FACTOR = 1000  # of the whole numbers that say the ratio of two rates, unless the rates lie further apart
# Below this share of its own size, what a window varies by is the rounding of float32: it is constant.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Cleaned:
    """One window before it is scaled.

    Attributes
    ----------
    values : float32, shape (steps, C), at the rate that was wanted; NaN in a channel of which nothing was measured.
    repaired : share of the recorded steps that were interpolated or clipped, in any channel.
    interpolated, clipped : the same of one reason alone.
    """

    values: np.ndarray
    repaired: float
    interpolated: float
    clipped: float


def cleaned(
    values: np.ndarray, rate_hz: float, wanted_hz: float, smooth_window: int, smooth_order: int, outliers: float
) -> Cleaned:
    """A window without gaps and outliers, smoothed, at the rate that is wanted.

    Parameters
    ----------
    values : float64, shape (T, C), NaN or infinite where nothing was measured.
    rate_hz, wanted_hz : steps a second, as recorded and as wanted.
    smooth_window, smooth_order, outliers : as of ``smoothed`` and ``clipped``.
    """
    whole, filled = interpolated(values)
    there = ~filled.all(axis=0)
    smooth = smoothed(whole[:, there], smooth_window, smooth_order)
    inside, outside = clipped(smooth, outliers)
    made = np.full((steps_at(len(values), rate_hz, wanted_hz), len(there)), np.nan, np.float32)
    if there.any():
        made[:, there] = resampled(inside, rate_hz, wanted_hz)
    marked = filled.any(axis=1), outside.any(axis=1)
    return Cleaned(made, *(float(steps.mean()) if len(steps) else 0.0 for steps in (marked[0] | marked[1], *marked)))


def interpolated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaps bridged by straight lines; before the first value and after the last, these are held.

    Parameters
    ----------
    values : float64, shape (T, C), NaN or infinite where nothing was measured.

    Returns
    -------
    whole : float64, shape (T, C); a channel without any value stays NaN.
    filled : bool, shape (T, C).
    """
    measured, steps = np.isfinite(values), np.arange(len(values))
    whole = np.where(measured, values, np.nan)
    for column, there in zip(whole.T, measured.T, strict=True):  # the columns are views of ``whole``
        if there.any() and not there.all():
            column[~there] = np.interp(steps[~there], steps[there], column[there])
    return whole, ~measured


def smoothed(values: np.ndarray, window: int, order: int) -> np.ndarray:
    """Savitzky-Golay's filter along time: at each step the polynomial that fits its neighbourhood best.

    Parameters
    ----------
    values : float64, shape (T, C).
    window : steps of the neighbourhood, odd; 1: nothing is smoothed. Shorter signals stay as they are.
    order : of the polynomial, below ``window``.

    Source: Savitzky and Golay 1964; the ends are the polynomial of the first and the last whole neighbourhood.
    """
    if window == 1 or len(values) < window or not values.size:  # scipy fits no polynomial to nothing
        return values
    return signal.savgol_filter(values, window, order, axis=0, mode="interp")


def clipped(values: np.ndarray, deviations: float) -> tuple[np.ndarray, np.ndarray]:
    """Outliers drawn in to the limits, which lie as many standard deviations from the mean, on both sides.

    Parameters
    ----------
    values : float64, shape (T, C).
    deviations : of the window's own channel; 0: nothing is an outlier.

    Returns
    -------
    inside : float64, shape (T, C).
    outside : bool, shape (T, C), which were.
    """
    if not deviations or not values.size:
        return values, np.zeros(values.shape, bool)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    low, high = mean - deviations * deviation, mean + deviations * deviation
    varies = deviation > ROUNDING * np.abs(mean)
    outside = varies & ((values < low) | (values > high))
    return np.where(outside, np.clip(values, low, high), values), outside


def resampled(values: np.ndarray, rate_hz: float, wanted_hz: float) -> np.ndarray:
    """The signal at another rate, low-pass filtered below half the smaller one before steps are left out.

    Parameters
    ----------
    values : float64, shape (T, C).

    Returns
    -------
    float64, shape (``steps_at(T, rate_hz, wanted_hz)``, C); step 0 is the same moment.

    The filter is scipy's polyphase one (Kaiser window, beta 5). The line through both ends is taken away before and
    added after: a signal far from zero does not ring at its ends, and a level keeps its height, which the phases of the
    filter weigh differently.
    """
    ratio = _ratio(rate_hz, wanted_hz)
    if ratio == 1 or not values.size:
        return values
    slope = (values[-1] - values[0]) / max(1, len(values) - 1)  # a recorded step
    line = values[0] + slope * np.arange(len(values))[:, None]
    apart = signal.resample_poly(values - line, ratio.numerator, ratio.denominator, axis=0)
    return apart + values[0] + slope * (np.arange(len(apart)) * float(1 / ratio))[:, None]


def steps_at(steps: int, rate_hz: float, wanted_hz: float) -> int:
    """How many steps a window of ``steps`` steps has at another rate."""
    ratio = _ratio(rate_hz, wanted_hz)
    return -(-steps * ratio.numerator // ratio.denominator)


def same_rate(rate_hz: float, wanted_hz: float) -> bool:
    """Whether two rates are one but for the clock's error."""
    return abs(wanted_hz - rate_hz) <= SAME_RATE * rate_hz


def _ratio(rate_hz: float, wanted_hz: float) -> Fraction:
    """Wanted by recorded, in whole numbers so small that the filter between them is short."""
    if same_rate(rate_hz, wanted_hz):
        return Fraction(1)
    apart = max(wanted_hz / rate_hz, rate_hz / wanted_hz)
    ratio = Fraction(apart).limit_denominator(max(1, int(LARGEST_FACTOR / apart)))
    return ratio if wanted_hz > rate_hz else 1 / ratio


def padded(values: np.ndarray, steps: int) -> np.ndarray:
    """A window of exactly so many steps: filled up with NaN at its end, or cut there; shape (steps, C)."""
    short = steps - len(values)
    return np.pad(values, ((0, short), (0, 0)), constant_values=np.nan) if short > 0 else values[:steps]


# A scaling gives, of all windows of one subject (n, T, C), what is subtracted of each and what it is divided by, both
# float64 of shape (n, C).
Limits = tuple[np.ndarray, np.ndarray]


def _by_window(windows: np.ndarray) -> Limits:
    """Each window from 0 to 1, as the original has it: level and size of a response are lost."""
    low, high = (reduce.reduce(windows, axis=1).astype(np.float64) for reduce in (np.fmin, np.fmax))  # NaN is passed by
    return low, high - low


def _by_subject(windows: np.ndarray) -> Limits:
    """Mean and standard deviation over all that was recorded of the subject."""
    of_one = windows.reshape(-1, windows.shape[-1]).astype(np.float64)
    known = np.isfinite(of_one)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, of_one, 0).sum(axis=0) / count
    deviation = np.sqrt(np.square(np.where(known, of_one - mean, 0)).sum(axis=0) / count)
    shape = (len(windows), windows.shape[-1])
    return np.broadcast_to(mean, shape), np.broadcast_to(deviation, shape)


def _not_at_all(windows: np.ndarray) -> Limits:
    shape = (len(windows), windows.shape[-1])
    return np.zeros(shape), np.ones(shape)


SCALINGS: dict[str, Callable[[np.ndarray], Limits]] = {
    "window": _by_window,
    "subject": _by_subject,
    "none": _not_at_all,
}


def limits(scaling: str, windows: np.ndarray, subjects: Sequence[str]) -> Limits:
    """What is subtracted of each window, and what it is then divided by.

    No labels are needed: ``subject`` reads all windows of a subject, whichever part of the split they are in.

    Parameters
    ----------
    scaling : one of ``SCALINGS``.
    windows : float32, shape (N, T, C), cleaned; or anything that gives rows for an array of row numbers.
    subjects : whose windows they are, N.

    Returns
    -------
    centre, width : float64, shape (N, C).
    """
    rows: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        rows.setdefault(subject, []).append(row)
    centre = np.zeros((windows.shape[0], windows.shape[2]))
    width = np.ones_like(centre)
    for places in rows.values():
        centre[places], width[places] = SCALINGS[scaling](windows[np.array(places)])
    return centre, width


def scaled(windows: np.ndarray, centre: np.ndarray, width: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The windows as networks read them.

    Parameters
    ----------
    windows : float32, shape (N, T, C), cleaned.
    centre, width : float64, shape (N, C), of ``limits``.
    lengths : int, shape (N,), steps before the padding.

    Returns
    -------
    float32, shape (N, T, C): NaN after a window's end and nowhere else. A channel that does not vary, or of which
    nothing was measured, is 0 from the first step to the last.
    """
    apart = windows - centre[:, None]
    varies = width > ROUNDING * np.abs(centre)
    values = np.divide(apart, width[:, None], out=np.zeros_like(apart), where=varies[:, None] & np.isfinite(apart))
    values[np.arange(windows.shape[1]) >= np.asarray(lengths)[:, None]] = np.nan
    return values.astype(np.float32)
