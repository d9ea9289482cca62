"""Made-up recordings in BioVid's form, and the sample table of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ("gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
RATE_HZ, SECONDS = 64, 5.5


def recording(subject: int, level: int, turn: int, steps: int = int(RATE_HZ * SECONDS)) -> np.ndarray:
    """What five channels show of a window, float64, shape (steps, 5): the skin answers the more, the higher the level.

    A person's own level and gain differ from others'.
    """
    rng, times = np.random.default_rng([subject, level, turn]), np.arange(steps) / RATE_HZ
    own, gain = 2 + 3 * subject, 0.2 + 0.3 * subject
    rise = np.clip(times - 1.5, 0, None)
    values = rng.normal(scale=0.01, size=(steps, len(COLUMNS)))
    values[:, 0] = own + gain * (level * rise * np.exp(-rise) + values[:, 0])
    values[:, 1] += np.exp(-0.5 * ((times % 0.8 - 0.4) / 0.02) ** 2)  # beats
    return values


def write(path: Path, values: np.ndarray, rate_hz: float = RATE_HZ) -> None:
    """A file with BioVid's header, one row a step; what is NaN is an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(values, columns=list(COLUMNS))
    table.insert(0, "time", np.arange(len(values)) / rate_hz)
    table.to_csv(path, sep="\t", index=False, float_format="%.9g")


def name(subject: int, level: int, turn: int) -> str:
    """A file's path in the form of a folder for each subject."""
    person = f"{71600 + subject:06d}_{'mw'[subject % 2]}_{20 + subject}"
    return f"{person}/{person}-{LEVELS[level]}-{turn:03d}_bio.csv"


def dataset(folder: Path, subjects: int, turns: int) -> Path:
    """A folder of every subject, with so many windows of each level."""
    for subject in range(subjects):
        for level in range(len(LEVELS)):
            for turn in range(turns):
                write(folder / name(subject, level, turn), recording(subject, level, turn))
    return folder
