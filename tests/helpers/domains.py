"""Small networks that know what their training inputs looked like, and inputs that are like these or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline import models
from pipeline.artifacts import cards
from pipeline.compute.distributed import ALONE
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.training import familiar

WRITTEN_BY_SAVING = ("fingerprint", "sha256", "checksum")


def pictures(count: int, seed: int = 0, size: int = 64) -> np.ndarray:
    """Smooth pictures, uint8, (count, size, size, 3): a light disc, its place and tone drawn, on a dark ground."""
    drawn = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    centres, tones = 0.5 + 0.08 * drawn.normal(size=(2, count, 1, 1)), drawn.uniform(0.8, 1.2, (count, 3))
    light = np.exp(-((x - centres[0]) ** 2 + (y - centres[1]) ** 2) / 0.06)
    return np.clip(light[..., None] * tones[:, None, None] * 150 + 40, 0, 255).astype(np.uint8)


def noise(count: int, size: int = 64) -> np.ndarray:
    """Pictures of nothing, of the same shape."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def samples(rgb: np.ndarray) -> Samples:
    """Pictures as training reads them."""
    return Samples({"rgb": rgb}, np.arange(len(rgb)), [f"{number}.jpg#full" for number in range(len(rgb))])


def knowing(folder: Path, train: np.ndarray, val: np.ndarray) -> Path:
    """A saved network, saved again with what these inputs look like to it."""
    network, card = models.load_model(folder)
    around = familiar.learn(network, samples(train), samples(val), batches.specs(card), 32, "cpu", ALONE)
    entries = {name: entry for name, entry in card.items() if name not in WRITTEN_BY_SAVING}
    models.save_model(folder, network, entries, cards.read(folder)["fingerprint"], around)
    return folder
