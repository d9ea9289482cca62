"""Whether two frames are a pair."""

from __future__ import annotations

import pytest
from PIL import Image

from pipeline.inputs.frames.inspection import inspect


def pair(tmp_path, first, second):
    for name, size in (("rgb.png", first), ("ir.png", second)):
        Image.new("RGB", size).save(tmp_path / name)
    return inspect(tmp_path / "rgb.png", {"ir": tmp_path / "ir.png"})[0]


@pytest.mark.parametrize("second", [(320, 240), (160, 120), (161, 119), (640, 480)])
def test_halves_of_one_aspect_are_a_pair_whatever_their_sizes(tmp_path, second):
    assert pair(tmp_path, (320, 240), second) == {"full": (0, 0, 320, 240)}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ((320, 240), (240, 320), "other aspect: RGB frame, 320 x 240 pixels; IR frame, 240 x 320 pixels"),
        ((320, 240), (330, 240), "other aspect"),
        ((23, 23), (46, 46), "too small: RGB frame, 23 x 23 pixels, each needs 24 x 24"),
        ((46, 46), (23, 23), "too small: IR frame, 23 x 23 pixels"),
    ],
)
def test_what_makes_no_pair_is_said(tmp_path, first, second, reason):
    assert pair(tmp_path, first, second).startswith(reason)


def test_the_half_that_cannot_be_read_is_named(tmp_path):
    Image.effect_noise((40, 40), 50).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:600])
    good, bad, none = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    assert inspect(good, {"ir": bad})[0].startswith("unreadable: IR frame, ")
    assert inspect(bad, {"ir": good})[0].startswith("unreadable: RGB frame, ")
    assert inspect(good, {"ir": none})[0] == "missing: IR frame, there is no such file"
    assert inspect(good, {"ir": good}, compared=True)[1] is not None
