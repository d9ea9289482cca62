"""Made-up clips of a drone's frames, each in RGB and in infrared."""

from __future__ import annotations

import numpy as np
import pandas as pd

ATTRIBUTES = ("segment",)
OF_CLIP = 6  # frames


def samples_table(clips: int) -> pd.DataFrame:
    """``samples.csv`` of clips that burn, smoke, do both or neither; each is of one of five segments of a flight."""
    rows = []
    for clip in range(clips):
        for turn in range(OF_CLIP):
            fire, smoke = (clip + turn // 4) % 2, int(clip % 3 > 0 and turn < 5)
            file = f"rgb/{clip:03d}_{turn}.jpg"
            row = {"sample_id": f"{file}#full", "file": file, "ir_file": f"ir/{clip:03d}_{turn}.jpg", "region": "full"}
            row |= {"x0": 0, "y0": 0, "x1": 320, "y1": 240, "subject_id": f"clip{clip:03d}"}
            rows.append(row | {"fire": fire, "smoke": smoke, "segment": f"flight {clip % 5}"})
    return pd.DataFrame(rows)


def draw(row: pd.Series, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame's halves, uint8, shapes (size, size, 3) and (size, size, 1): fire is hot, and smoke hides it in RGB."""
    rng = np.random.default_rng(list(row["sample_id"].encode()))
    y, x = np.mgrid[:size, :size] / size
    centre_x, centre_y = 0.3 + 0.4 * rng.random(2)
    near = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / 0.01)
    rgb = np.stack([0.25 + 0.1 * np.sin(9 * x), 0.4 + 0.1 * np.sin(7 * y), np.full_like(x, 0.2)], axis=-1)
    rgb = rgb + row["fire"] * near[..., None] * np.array([0.7, 0.3, -0.1])
    cover = row["smoke"] * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / 0.08)[..., None]
    rgb = rgb * (1 - 0.9 * cover) + 0.75 * 0.9 * cover
    heat = 0.3 + 0.6 * row["fire"] * near
    return tuple((255 * np.clip(image, 0, 1)).astype(np.uint8) for image in (rgb, heat[..., None]))
