"""What is written is read on its ground, and a scale of numbers has one direction."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from pipeline.serving import colors


def contrast(one: str, other: str) -> float:
    """WCAG 2's, of two colours."""
    lights = []
    for color in (one, other):
        levels = np.array(ImageColor.getrgb(color)) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(lights) / min(lights)


def test_white_letters_are_read_on_every_class_and_on_what_is_not_called():
    for color in (*colors.PALETTE, colors.STRIP):
        assert contrast(color, "white") >= 4.5, color
        assert colors.letters(color) == "white"


def test_letters_are_read_all_along_the_scale():
    grounds = [colors.on_scale(share) for share in np.linspace(0, 1, 200)]
    assert min(contrast(ground, colors.letters(ground)) for ground in grounds) >= 4.5
    assert {colors.letters(ground) for ground in grounds} == {"white", "black"}


def test_the_scale_grows_lighter_all_the_way():
    lights = [contrast(colors.on_scale(share), "black") for share in np.linspace(0, 1, 200)]
    assert (np.diff(lights) >= 0).all()
    assert lights[0] < 2 < 10 < lights[-1]


def test_the_scale_is_even_between_its_colours():
    assert [colors.on_scale(share) for share in np.linspace(0, 1, 5)] == list(colors.SCALE)
    assert colors.on_scale(0.125) == "#402a70"  # halfway from #440154 to #3b528b, of two halves the even one


def test_classes_beyond_the_palette_begin_it_again():
    assert colors.of_class(len(colors.PALETTE) + 1) == colors.PALETTE[1]
