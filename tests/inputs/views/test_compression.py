"""Lossy compression on the device: as near to JPEG as it says, and without jumps."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from pipeline.inputs.views.compression import BASE, compressed


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """A smooth picture with a fine grain, float32, (1, 3, 112, 112)."""
    drawn = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 10, 10, generator=drawn)
    smooth = F.interpolate(coarse, size=(BASE, BASE), mode="bicubic", align_corners=False)
    picture = (smooth + 0.02 * torch.randn(1, 3, BASE, BASE, generator=drawn)).clamp(0, 1)
    return (picture * 255).round() / 255


def factors(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


def as_jpeg(picture: torch.Tensor, quality: int) -> torch.Tensor:
    """The picture as Pillow reads it again after it was saved, colours as fine as the rest."""
    buffer = io.BytesIO()
    pixels = (picture[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize(("quality", "factor"), [(25, 2.0), (50, 1.0), (80, 0.4)])
def test_it_is_nearer_to_a_jpeg_file_than_to_the_picture(picture, quality, factor):
    ours, file = compressed(picture, factors(factor)), as_jpeg(picture, quality)
    lost = (file - picture).square().mean().sqrt()
    assert (ours - file).square().mean().sqrt() < 0.5 * lost
    assert (ours - picture).square().mean().sqrt() == pytest.approx(lost.item(), rel=0.15)


def test_steps_of_nothing_change_nothing(picture):
    torch.testing.assert_close(compressed(picture, factors(1e-4)), picture, atol=1e-3, rtol=0)


def test_a_hair_less_light_moves_no_number_by_a_step(picture):
    """What rounds would turn some last bits into steps, of 0.05 and more of one wave."""
    before, after = (compressed(0.9 * picture + shift, factors(2.0)) for shift in (0, 1e-6))
    assert (before - after).abs().max() < 5e-5


@pytest.mark.parametrize("side", [56, 224])
def test_every_side_gets_what_the_base_side_gets(picture, side):
    resized = F.interpolate(picture, size=(side, side), mode="bilinear", align_corners=False)
    found = compressed(resized, factors(2.0))
    assert found.shape[-1] == side
    expected = F.interpolate(compressed(picture, factors(2.0)), size=(side, side), mode="area")
    assert (found - expected).abs().mean() < 0.02
