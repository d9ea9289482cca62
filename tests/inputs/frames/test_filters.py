"""Filters of frames against their own definitions on small arrays."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage import color
from skimage.exposure import equalize_adapthist

from pipeline.errors import ConfigError, MissingDependencyError
from pipeline.inputs.frames import card, filters


def noise(height: int = 24, width: int = 17, channels: int = 3, low: int = 30, high: int = 200) -> np.ndarray:
    return np.random.default_rng(5).integers(low, high, (height, width, channels), np.uint8)


def test_stretch_spreads_every_channel_and_minmax_all_together():
    frame = np.array([[[10, 100, 7], [20, 100, 9]], [[30, 100, 17], [10, 100, 7]]], np.uint8)
    assert filters.stretch(frame).tolist() == [
        [[0, 100, 0], [128, 100, 51]],
        [[255, 100, 255], [0, 100, 0]],
    ]
    expected = np.round((frame.astype(float) - 7) * 255 / 93)
    np.testing.assert_array_equal(filters.minmax(frame), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_median_replaces_what_is_unlikely_among_its_neighbours(channels):
    frame = noise(12, 11, channels)
    frame[3:9, 2:9] = 90
    frame[5, 5] = 255
    expected = frame.copy()
    for c in range(channels):
        padded = np.pad(frame[:, :, c].astype(float), 1, mode="edge")
        for y in range(12):
            for x in range(11):
                around = padded[y : y + 3, x : x + 3]
                middle = np.median(around)
                mad = np.median(np.abs(around - middle))
                if abs(float(frame[y, x, c]) - middle) > 3 * 1.4826 * mad:
                    expected[y, x, c] = middle
    made = filters.median(frame)
    np.testing.assert_array_equal(made, expected)
    assert made[5, 5].tolist() == [90] * channels
    assert (made != frame).sum() < made.size / 4


def test_clahe_equalises_the_grey_or_the_lightness_alone():
    grey = noise(33, 40, 1)
    expected = 255 * equalize_adapthist(grey[:, :, 0] / 255, (5, 5), 2 / 256, 256)
    np.testing.assert_array_equal(filters.clahe(grey)[:, :, 0], np.round(expected))
    frame = np.stack([np.linspace(90, 120, 40)] * 32).astype(np.uint8)[:, :, None] + np.array([0, 5, 10], np.uint8)
    before, after = color.rgb2lab(frame), color.rgb2lab(filters.clahe(frame))
    assert np.ptp(after[:, :, 0]) > 3 * np.ptp(before[:, :, 0])
    inside = (after[:, :, 0] > 20) & (after[:, :, 0] < 80)  # elsewhere no colour of that hue is left
    assert np.abs(after[inside][:, 1:] - before[inside][:, 1:]).max() < 3


@pytest.mark.parametrize("name", card.FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_of_one_value_stays_and_no_filter_changes_its_input(name, channels):
    flat = np.full((24, 30, channels), 77, np.uint8)
    made = filters.STEPS[name](flat)
    assert (made.dtype, made.shape) == (np.uint8, flat.shape)
    assert np.abs(made.astype(int) - 77).max() <= 1  # LAB and back
    frame = noise(24, 30, channels)
    kept = frame.copy()
    assert filters.STEPS[name](frame).shape == frame.shape
    np.testing.assert_array_equal(frame, kept)


def test_every_filter_of_the_card_is_there_in_one_of_two_places():
    assert set(filters.STEPS) == set(card.FILTERS)
    assert filters.before(card.FILTERS) == [filters.stretch, filters.clahe, filters.median]
    assert filters.after(card.FILTERS) == [filters.minmax]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strech", "strech is no filter, is it stretch"),
        ("clahe,sharpen", "sharpen is no filter. There are stretch, clahe, median, minmax: FILTERS=stretch,clahe"),
        ("median,median", "names one filter twice"),
        ("minmax,clahe", "minmax is taken of the resized frame and comes last"),
    ],
)
def test_what_is_no_list_of_filters_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        card.filters_of(text)


def test_a_list_keeps_its_order():
    assert card.filters_of(" Median, stretch ,minmax") == ("median", "stretch", "minmax")
    assert card.filters_of("") == ()


def test_without_its_package_a_filter_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    filters.check(("stretch", "median", "minmax"))
    with pytest.raises(MissingDependencyError, match=r"needs the package scikit-image: pip install -e '.\[filters\]'"):
        filters.check(("stretch", "clahe"))
