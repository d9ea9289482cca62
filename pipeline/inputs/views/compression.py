"""Pictures as a small JPEG file would give them back: blocks of 8 x 8 pixels whose fine waves are rounded away.

The steps are those of JPEG's tables (ITU-T T.81, annex K), without the coarser grid of its colours and without its
lossless half. Rounding jumps where a number is half a step, and would turn the last bit of a sum into a step; so it is
replaced by x - sin(2 pi x) / (2 pi), twice, which is as flat at whole steps and has no jumps. A picture then depends
on its own values alone to rounding, whatever batch it is in.
"""

from __future__ import annotations

from functools import cache
from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BASE = 112  # side in pixels at which pictures are compressed, whatever the network's: 14 blocks of 8
BLOCK = 8
LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
# Luma and two differences of colour, of red, green and blue: ITU-R BT.601, as JFIF has it.
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def compressed(pictures: Tensor, factors: Tensor) -> Tensor:
    """Pictures after a lossy compression.

    Parameters
    ----------
    pictures : float32, shape (B, 3, s, s), RGB from 0 to 1.
    factors : float32, shape (B, 1, 1, 1), > 0, of the steps of JPEG's tables: 1 is quality 50, 0.4 is 80, 2.5 is 20.

    Returns
    -------
    float32, shape (B, 3, s, s), 0 to 1; nothing finer than ``BASE`` pixels a side is left.
    """
    side, (to_ycc, to_rgb, waves, steps) = pictures.shape[-1], _tables(pictures.device)
    colours = to_ycc @ _resized(pictures, BASE).flatten(2)  # (B, 3, BASE * BASE)
    batch, across = len(colours), BASE // BLOCK
    blocks = colours.view(batch, 3, across, BLOCK, across, BLOCK).transpose(3, 4)  # (B, 3, rows, columns, 8, 8)
    steps = steps * factors[:, None]  # (B, 3, 1, 1, 64)
    numbers = blocks.flatten(4) @ waves.T / steps
    for _ in range(2):
        numbers = numbers - torch.sin(2 * pi * numbers) / (2 * pi)
    blocks = ((numbers * steps) @ waves).unflatten(-1, (BLOCK, BLOCK))
    colours = to_rgb @ blocks.transpose(3, 4).reshape(batch, 3, BASE * BASE)
    return _resized(colours.clamp_(0, 1).view(batch, 3, BASE, BASE), side)


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Matrices to colours of JPEG and back, the waves of a block (64, 64), and the steps (3, 1, 1, 64) of 0..1."""
    number = np.arange(BLOCK)
    wave = np.cos(pi * (2 * number + 1) * number[:, None] / (2 * BLOCK)) * (2 / BLOCK) ** 0.5
    wave[0] /= 2**0.5  # orthonormal: its transpose is its inverse
    luma, chroma = (np.array(table.split(), float) for table in (LUMA, CHROMA))
    steps = np.stack([luma, chroma, chroma])[:, None, None] / 255
    tables = np.array(YCC), np.linalg.inv(YCC), np.kron(wave, wave), steps
    return tuple(torch.from_numpy(table.astype(np.float32)).to(device) for table in tables)


def _resized(pictures: Tensor, side: int) -> Tensor:
    """Pictures of another side: averaged where it is smaller, by straight lines where it is larger."""
    if pictures.shape[-1] == side:
        return pictures
    if pictures.shape[-1] > side:
        return F.interpolate(pictures, size=(side, side), mode="area")
    return F.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)
