"""Cleaning of signals: against values computed by hand, and against scipy and numpy themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate
from scipy import signal as scipy_signal

from pipeline.inputs.signals import clean

NAN = float("nan")


def column(*values: float) -> np.ndarray:
    """One channel, shape (T, 1)."""
    return np.array(values, dtype=np.float64)[:, None]


def waves(steps: int, rate_hz: float, *frequencies_hz: float) -> np.ndarray:
    """A sum of sines, shape (T, 1)."""
    times = np.arange(steps) / rate_hz
    return sum(np.sin(2 * np.pi * f * times) for f in frequencies_hz)[:, None]


def test_a_gap_is_bridged_by_a_line_and_the_ends_are_held():
    whole, filled = clean.interpolated(column(NAN, 1, NAN, NAN, 4, np.inf))
    assert whole[:, 0].tolist() == [1, 1, 2, 3, 4, 4]
    assert filled[:, 0].tolist() == [True, False, True, True, False, True]


def test_each_channel_has_gaps_of_its_own_and_one_of_nothing_stays_unknown():
    values = np.array([[0, NAN, NAN], [NAN, 2, NAN], [4, NAN, NAN]])
    whole, _ = clean.interpolated(values)
    assert whole[:, :2].tolist() == [[0, 2], [2, 2], [4, 2]]
    assert np.isnan(whole[:, 2]).all()


def test_a_gap_does_not_shift_what_comes_after_it():
    values = waves(512, 64, 1.0)
    values[100:110] = NAN
    whole, _ = clean.interpolated(values)
    assert np.array_equal(whole[110:], waves(512, 64, 1.0)[110:])
    times = np.arange(512)
    known = np.isfinite(values[:, 0])
    by_scipy = interpolate.interp1d(times[known], values[known, 0])(times)
    np.testing.assert_allclose(whole[:, 0], by_scipy, atol=1e-12)


def test_what_is_given_is_not_changed():
    values = column(1, NAN, 3, 100, *[2] * 30)
    before = values.copy()
    clean.cleaned(values, 8, 4, 5, 2, 3.0)
    np.testing.assert_array_equal(values, before)


def test_five_steps_and_a_parabola_have_the_weights_of_the_paper():
    """Savitzky and Golay 1964, table I: (-3, 12, 17, 12, -3) / 35."""
    smooth = clean.smoothed(column(0, 0, 0, 0, 35, 0, 0, 0, 0), 5, 2)
    assert smooth[2:7, 0] == pytest.approx([-3, 12, 17, 12, -3])


def test_a_parabola_is_kept_to_its_ends():
    parabola = column(*[0.5 * t**2 - 3 * t + 1 for t in range(20)])
    np.testing.assert_allclose(clean.smoothed(parabola, 5, 2), parabola, atol=1e-9)


def test_smoothing_is_scipys():
    values = np.random.default_rng(0).normal(size=(100, 2))
    np.testing.assert_array_equal(clean.smoothed(values, 11, 3), scipy_signal.savgol_filter(values, 11, 3, axis=0))


@pytest.mark.parametrize(("steps", "window"), [(4, 5), (20, 1)])
def test_what_is_shorter_than_the_neighbourhood_or_shall_not_be_smoothed_stays(steps, window):
    values = np.random.default_rng(0).normal(size=(steps, 1))
    assert clean.smoothed(values, window, 2 if window > 2 else 0) is values


def test_outliers_on_both_sides_are_drawn_in_to_the_limits():
    """Two of 100 steps: the mean is 0, the deviation sqrt(2 * 100 / 100) = sqrt(2), the limits are ±2 sqrt(2)."""
    values = column(*[0] * 49, 10, *[0] * 49, -10)
    inside, outside = clean.clipped(values, 2.0)
    assert inside[[49, 99], 0] == pytest.approx([2 * 2**0.5, -2 * 2**0.5])
    assert np.flatnonzero(outside).tolist() == [49, 99]
    assert not inside[np.setdiff1d(np.arange(100), [49, 99])].any()


def test_without_a_limit_nothing_is_an_outlier():
    values = column(*[0] * 99, 10)
    inside, outside = clean.clipped(values, 0.0)
    assert np.array_equal(inside, values)
    assert not outside.any()


@pytest.mark.parametrize("level", [0.0, 0.1, 7.3, -1e6])
def test_a_constant_window_has_no_outliers(level):
    inside, outside = clean.clipped(column(*[level] * 1000), 3.0)
    assert (inside == level).all()
    assert not outside.any()


def test_a_slow_wave_survives_a_lower_rate_and_a_fast_one_does_not_come_back_as_a_slow_one():
    slow, fast = waves(2816, 512, 1.0), waves(2816, 512, 30.0)
    lower = clean.resampled(slow + fast, 512, 32)
    assert lower.shape == (176, 1)
    inner = slice(20, -20)
    expected = waves(176, 32, 1.0)
    assert np.abs(lower - expected)[inner].max() < 0.02
    every_16th = (slow + fast)[::16]
    assert np.abs(every_16th - expected)[inner].max() > 0.5  # what the filter is for: 30 Hz looks like 2 Hz there


def test_a_lower_rate_is_scipys_and_a_level_far_from_zero_does_not_ring():
    values = 1000 + waves(300, 100, 0.5)
    lower = clean.resampled(values, 100, 25)
    line = np.linspace(values[0], values[-1], 300)
    by_scipy = scipy_signal.resample_poly(values - line, 1, 4, axis=0)
    np.testing.assert_allclose(lower, by_scipy + line[::4], rtol=1e-12)
    assert np.abs(lower - values[::4]).max() < 0.02
    assert np.abs(scipy_signal.resample_poly(values, 1, 4, axis=0) - values[::4]).max() > 100  # what the line is for


def test_a_line_is_a_line_at_any_rate():
    values = np.linspace([3, -1], [9, -1], 101)
    made = clean.resampled(values, 100, 40)
    np.testing.assert_allclose(made, np.linspace([3, -1], [9, -1], 41), rtol=1e-12)


def test_a_higher_rate_keeps_the_recorded_moments():
    values = waves(200, 50, 1.0)
    higher = clean.resampled(values, 50, 100)
    assert len(higher) == 400
    np.testing.assert_allclose(higher[::2][10:-10], values[10:-10], atol=5e-3)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.floats(1, 20_000), st.integers(1, 2000))
def test_the_number_of_steps_is_known_before_anything_is_read(steps, rate_hz, wanted_hz):
    made = clean.resampled(np.zeros((steps, 1)), rate_hz, wanted_hz)
    assert len(made) == clean.steps_at(steps, rate_hz, wanted_hz)
    lasts_s = steps / rate_hz
    assert len(made) / wanted_hz == pytest.approx(lasts_s, rel=0.002, abs=1.001 / wanted_hz)


def test_rates_that_differ_by_a_clocks_error_are_one():
    values = np.zeros((10, 1))
    assert clean.resampled(values, 511.98, 512) is values
    assert clean.steps_at(2816, 511.98, 512) == 2816
    assert not clean.same_rate(510, 512)


def test_a_short_window_ends_in_nan_and_a_long_one_is_cut():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert clean.padded(values, 2).tolist() == [[0, 1], [2, 3]]
    longer = clean.padded(values, 4)
    assert np.array_equal(longer[:3], values)
    assert np.isnan(longer[3]).all()


WINDOWS = np.array([[0, 2, 4, NAN], [10, 10, 10, 10], [1, 3, NAN, NAN]], np.float32)[:, :, None]
LENGTHS = [3, 4, 2]
PEOPLE = ["a", "b", "a"]


def in_scale(scaling: str, windows=WINDOWS, lengths=LENGTHS, people=PEOPLE) -> np.ndarray:
    """Windows of one channel after scaling, shape (N, T)."""
    return clean.scaled(windows, *clean.limits(scaling, windows, people), np.array(lengths))[:, :, 0]


def test_by_window_from_nought_to_one_and_a_constant_one_is_nought():
    np.testing.assert_array_equal(in_scale("window"), np.float32([[0, 0.5, 1, NAN], [0, 0, 0, 0], [0, 1, NAN, NAN]]))


def test_by_subject_over_all_windows_of_the_subject():
    """Of a: 0, 2, 4, 1, 3: mean 2, deviation sqrt(2). Of b: 10 alone, which does not vary."""
    root = 2**0.5
    expected = [[-root, 0, root, NAN], [0, 0, 0, 0], [-1 / root, 1 / root, NAN, NAN]]
    np.testing.assert_allclose(in_scale("subject"), expected, rtol=1e-6)


def test_without_scaling_the_values_are_the_recorded_ones():
    np.testing.assert_array_equal(in_scale("none"), WINDOWS[:, :, 0])


@pytest.mark.parametrize("scaling", clean.SCALINGS)
def test_nan_stands_after_the_end_and_nowhere_else(scaling):
    windows = np.concatenate(
        [WINDOWS, np.full_like(WINDOWS, NAN)], axis=2
    )  # nothing was measured in the second channel
    found = clean.scaled(windows, *clean.limits(scaling, windows, PEOPLE), np.array(LENGTHS))
    after = np.arange(4) >= np.array(LENGTHS)[:, None]
    assert np.array_equal(np.isnan(found), np.broadcast_to(after[:, :, None], found.shape))
    assert not found[:, :, 1][~after].any()
    assert found.dtype == np.float32


@pytest.mark.parametrize("level", [0.1, 5.3, 1e4])
@pytest.mark.parametrize("scaling", ["window", "subject"])
def test_the_rounding_of_a_constant_window_is_not_blown_up(scaling, level):
    values = column(*[level] * 501)
    made = clean.cleaned(values, 100, 40, 5, 2, 3.0).values
    windows = np.stack([made, made])
    assert not in_scale(scaling, windows, [len(made)] * 2, ["a", "a"]).any()


def test_subject_scaling_keeps_what_window_scaling_destroys():
    """A large response stays larger than a small one of the same person, and persons become alike."""
    shape = np.sin(np.linspace(0, np.pi, 50))
    windows = np.stack([2 + shape, 2 + 3 * shape, 20 + 10 * shape, 20 + 30 * shape]).astype(np.float32)[:, :, None]
    people, lengths = ["a", "a", "b", "b"], [50] * 4
    by_subject, by_window = (in_scale(name, windows, lengths, people) for name in ("subject", "window"))
    sizes = np.ptp(by_subject, axis=1)
    assert sizes[1] == pytest.approx(3 * sizes[0], rel=1e-4)
    assert sizes[2:] == pytest.approx(sizes[:2], rel=1e-4)
    assert np.ptp(by_window, axis=1) == pytest.approx([1, 1, 1, 1])


def test_a_window_through_all_steps_against_scipy_by_hand():
    rng = np.random.default_rng(1)
    values = 5 + waves(2816, 512, 0.3) + 0.01 * rng.normal(size=(2816, 1))
    values[700:720] = NAN
    values[1500] = 60
    made = clean.cleaned(values, 512, 64, 5, 2, 3.0)
    known = np.isfinite(values[:, 0])
    line = np.interp(np.arange(2816), np.flatnonzero(known), values[known, 0])
    smooth = scipy_signal.savgol_filter(line, 5, 2)
    limits = smooth.mean() - 3 * smooth.std(), smooth.mean() + 3 * smooth.std()
    inside = np.clip(smooth, *limits)
    straight = np.linspace(inside[0], inside[-1], 2816)
    expected = scipy_signal.resample_poly(inside - straight, 1, 8) + straight[::8]
    np.testing.assert_allclose(made.values[:, 0], expected.astype(np.float32), rtol=1e-6)
    outside = int(((smooth < limits[0]) | (smooth > limits[1])).sum())
    assert outside >= 3  # the spike, spread by the filter
    assert made.interpolated == 20 / 2816
    assert made.clipped == outside / 2816
    assert made.repaired == (20 + outside) / 2816


@pytest.mark.parametrize("steps", [0, 1, 2, 4])
def test_the_shortest_windows_pass(steps):
    made = clean.cleaned(np.ones((steps, 2)), 64, 32, 5, 2, 3.0)
    assert made.values.shape == (-(-steps // 2), 2)
    assert (made.values == 1).all()
    assert made.repaired == 0


def test_a_window_of_which_nothing_was_measured_has_its_length_at_another_rate_too():
    made = clean.cleaned(np.full((100, 2), NAN), 64, 16, 5, 2, 3.0)
    assert made.values.shape == (25, 2)
    assert np.isnan(made.values).all()
    assert (made.repaired, made.interpolated, made.clipped) == (1, 1, 0)
