"""Frames of a video whose clips nobody names: blocks of neighbours, and gaps between them that are left out.

Two neighbouring frames show nearly the same. A block of them is one group, which goes into one part as a whole, and the
gap keeps the ends of two blocks apart, whatever parts these go into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.inputs.datasets.entries import DROPPED

BLOCKS = 120  # so many are aimed at
SHORTEST, LONGEST = 8, 100  # frames of a block
GAP = 10  # a gap has one frame for so many of a block, and one at least
REASON = f"{DROPPED}: it lies between two blocks of frames, which may be in two parts"

Key = tuple[tuple[str | int, ...], str]


def sizes(frames: int) -> tuple[int, int]:
    """The frames of a block and of a gap, for so many frames in all."""
    length = min(LONGEST, max(SHORTEST, frames // BLOCKS))
    return length, max(1, length // GAP)


def grouping(length: int, gap: int) -> dict[str, Any]:
    """What a listing says of such groups."""
    return {"by": "blocks", "length": length, "gap": gap}


def natural(name: str) -> Key:
    """What sorts names as people do, numbers as numbers: ``frame 9`` before ``frame 10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if number % 2 else part.casefold() for number, part in enumerate(parts)), name


def dealt(lengths: list[int], length: int, gap: int) -> Iterator[str]:
    """The block of each frame of some stretches, one after the other, as ``block-0007``; empty where it is in a gap.

    Parameters
    ----------
    lengths : frames of each stretch. No block spans two, and every stretch but the first begins with a gap.
    length, gap : frames of a block and of a gap.
    """
    block = 0
    for stretch, frames in enumerate(lengths):
        for place in range(frames):
            at = (place + (length if stretch else 0)) % (length + gap)
            block += at == 0
            yield f"block-{block:04d}" if at < length else ""
