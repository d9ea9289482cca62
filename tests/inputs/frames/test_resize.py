"""Frames as networks read them: resized as a whole, without aliasing, infrared as one channel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.frames import resize
from pipeline.inputs.frames.card import Preparation


def settings(size: int = 32, *filters: str) -> Preparation:
    return Preparation(size, filters, {})


def test_a_frame_is_resized_as_a_whole_and_nothing_aliases():
    stripes = np.zeros((200, 300, 3), np.uint8)
    stripes[:, ::2] = 200
    stripes[:, 150:, 2] = 0
    made = resize.prepared(stripes, "rgb", settings(40))
    assert (made.shape, made.dtype) == ((40, 40, 3), np.uint8)
    assert np.abs(made[:, 1:-1, 0].astype(int) - 100).max() <= 4
    assert made[:, 22:, 2].max() == 0
    assert made[:, 1:18, 2].min() > 90


def test_infrared_is_its_luma_and_a_grey_file_keeps_its_levels():
    coloured = np.zeros((32, 32, 3), np.uint8)
    coloured[:] = (200, 100, 50)
    assert np.unique(resize.prepared(coloured, "ir", settings())).tolist() == [round(0.299 * 200 + 58.7 + 5.7)]
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    np.testing.assert_array_equal(resize.prepared(grey, "ir", settings(16)), grey[:, :, :1])


def test_filters_come_before_the_resize_and_minmax_after():
    frame = np.full((64, 64, 3), 100, np.uint8)
    frame[10, 10] = 255  # a pixel that the median takes away and a stretch makes all there is
    frame[:, 32:] = 120
    plain = resize.prepared(frame, "rgb", settings(16))
    assert plain[2, 2].max() > 100
    assert resize.prepared(frame, "rgb", settings(16, "median"))[2, 2].tolist() == [100] * 3
    spread = resize.prepared(frame, "rgb", settings(16, "median", "minmax"))
    assert (spread.min(), spread.max()) == (0, 255)
    assert resize.prepared(frame, "rgb", settings(16, "stretch", "median")).max() == round(20 * 255 / 155)


def test_a_region_is_cut_before(tmp_path):
    image = np.zeros((50, 80, 3), np.uint8)
    image[:, 40:] = 255
    assert resize.prepared(image, "rgb", settings(), (40, 0, 80, 50)).min() == 255


def test_moments_are_those_of_numpy():
    frames = np.random.default_rng(0).integers(0, 256, (10, 9, 9, 3), np.uint8)
    frames[..., 2] = 51
    moments = resize.Moments()
    for start in (0, 4, 8):
        moments.add(frames[start : start + 4])
    scale = moments.scale()
    pixels = frames.reshape(-1, 3) / 255
    np.testing.assert_allclose(scale["mean"], pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(scale["std"][:2], pixels.std(0)[:2], rtol=1e-10)
    assert scale["std"][2] == resize.LEAST_STD


def test_a_frame_that_went_bad_is_named_with_its_half(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    row = ({"rgb": tmp_path / "a.png", "ir": tmp_path / "b.png"}, (0, 0, 40, 40))
    with pytest.raises(DataError, match=r"b.png, the IR frame of a sample, could be read .* cannot now: empty file"):
        resize.block_of(slice(0, 1), [row], settings())
