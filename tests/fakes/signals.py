"""Made-up windows of skin conductance in BioVid's form: who was measured, at which level, and what was recorded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.tasks import Task

RATE_HZ, STEPS = 16.0, 88  # 5.5 s
ATTRIBUTES = ("sex", "age")
SHORTER = 8  # steps that are missing at the end of every seventh window


def samples_table(subjects: int, task: Task) -> pd.DataFrame:
    """``samples.csv`` of a dataset of signals: two windows of every subject, at two of the task's levels."""
    rng, rows = np.random.default_rng(0), []
    for number in range(subjects):
        sex, age = ("w", "m")[number // 2 % 2], int(rng.integers(20, 65))
        for turn in (0, 1):
            level = (3 * number + turn * (number % 3 + 1)) % len(task.outputs)
            file = f"1{number:05d}_{sex}_{age}/1{number:05d}_{sex}_{age}-{task.outputs[level]}-{turn:03d}_bio.csv"
            row = {"sample_id": f"{file}#full", "file": file, "region": "full", "subject_id": f"1{number:05d}"}
            row |= {task.target: str(level), "sex": sex, "age": age, "rate_hz": RATE_HZ}
            rows.append(row | {"steps": STEPS - SHORTER * (len(rows) % 7 == 6)})
    return pd.DataFrame(rows)


def record(row: pd.Series, task: Task) -> np.ndarray:
    """A prepared window, float32, shape (STEPS, 1), NaN after its end: a response that grows with the level."""
    rng = np.random.default_rng(list(row["sample_id"].encode()))
    time = np.arange(STEPS) / RATE_HZ
    level = float(row[task.target])
    onset = 1.5 - 0.1 * level + 0.2 * rng.normal()
    rise = np.clip(time - onset, 0, None)
    values = (0.3 + level) * rise * np.exp(-rise) + 0.1 * rng.normal(size=STEPS) + 0.2 * rng.normal()
    values[int(row["steps"]) :] = np.nan
    return values[:, None].astype(np.float32)


def examples(table: pd.DataFrame, task: Task) -> pd.DataFrame:
    """What was recorded of ten windows, before it was prepared: with a level, noise and a gap."""
    parts = []
    for _, row in table.head(10).iterrows():
        times = np.arange(4 * int(row["steps"])) / (4 * RATE_HZ)
        values = 5 + np.interp(times, np.arange(STEPS) / RATE_HZ, np.nan_to_num(record(row, task)[:, 0]))
        values[40:50] = np.nan
        parts.append(pd.DataFrame({"sample_id": row["sample_id"], "time_s": times, "gsr": values}))
    return pd.concat(parts, ignore_index=True)
