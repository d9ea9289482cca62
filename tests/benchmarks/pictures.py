"""Pictures to measure with: rendered once at SynPAIN's size, and as many copies of pictures as wanted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pipeline.config import REPOSITORY, SynthesizeConfig
from pipeline.inputs.datasets.synpain import parse
from stages import synthesize

SCRATCH = REPOSITORY / "cache" / "bench"  # kept: rendering takes longer than what is measured with it
HEIGHT = 736  # of SynPAIN's pictures, 1312 px wide


def rendered(pairs: int) -> Path:
    """A folder of so many side-by-side pictures of 1312 x 736 pixels; rendered when they are not there yet."""
    recipe = SynthesizeConfig(n=pairs, seed=7, height=HEIGHT, quality=92)
    return synthesize.run(recipe, SCRATCH / f"pictures-{pairs}-{HEIGHT}")


def multiplied(source: Path, out: Path, count: int) -> Path:
    """Copies of side-by-side pictures under names of other subjects, ``count`` pictures in all.

    Each gets a few bytes after its end, which no decoder reads: equal files would be duplicates to the pipeline.
    """
    files = sorted(source.glob("*.jpg"))
    files = [files[i] for i in np.random.default_rng(0).permutation(len(files))]  # both classes from the start
    contents = [(parse(file.name), file.read_bytes()) for file in files]
    out.mkdir(parents=True)
    for number in range(count):
        entry, content = contents[number % len(contents)]
        words = Path(entry.file).stem.split("_")[1:]
        name = "_".join((f"{entry.subject_id[:5]}{number:07d}", *words)) + ".jpg"
        (out / name).write_bytes(content + number.to_bytes(4, "big"))
    return out


def scratch() -> Path:
    """A folder on the disk of the cache, for what is removed after a measurement."""
    os.makedirs(SCRATCH, exist_ok=True)
    return SCRATCH
