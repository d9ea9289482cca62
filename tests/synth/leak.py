"""What the shipped skin conductance tells of its level: a forest's accuracy over unseen people, and over unseen windows
of people that it has seen. Run as ``python -m tests.synth.leak``; another folder of that form may be named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import savgol_filter
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

from pipeline.config import DEMO_SETS
from pipeline.synth.sessions import RATE_HZ

FOLDER = DEMO_SETS / "skin-conductance"
FOLDS = 8
TREES = 300


def read(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skin conductance in microsiemens, float (windows, steps), its level, 0-4, and whose it is."""
    truth = pd.read_csv(folder / "truth.csv")
    signals = [pd.read_csv(folder / file, sep="\t", usecols=["gsr"]).gsr.to_numpy() for file in truth.file]
    return np.stack(signals), truth.level.to_numpy(), truth.subject_id.to_numpy()


def scaled(signals: np.ndarray, people: np.ndarray, by: str) -> np.ndarray:
    """The signals as they are (``none``), each from 0 to 1 (``window``), or over the person's mean and deviation."""
    if by == "window":
        low = signals.min(axis=1, keepdims=True)
        return (signals - low) / np.ptp(signals, axis=1, keepdims=True)
    result = signals.copy()
    for person in np.unique(people) if by == "subject" else ():
        own = people == person
        result[own] = (signals[own] - signals[own].mean()) / signals[own].std()
    return result


def features(signals: np.ndarray) -> np.ndarray:
    """Level, range, slope, times and the heartbeat's ripple of each window, float (windows, features)."""
    smooth = savgol_filter(signals, 9, 2, axis=1)
    slope = np.diff(smooth, axis=1) * RATE_HZ
    ripple = (smooth - savgol_filter(signals, 65, 3, axis=1)) * np.hanning(signals.shape[1])
    spectrum = np.abs(np.fft.rfft(ripple, 2048, axis=1))
    rates_hz = np.fft.rfftfreq(2048, 1 / RATE_HZ)
    heart = (rates_hz > 0.7) & (rates_hz < 2)
    whole = [smooth.mean(1), smooth.min(1), smooth.max(1), smooth.std(1), np.ptp(smooth, axis=1)]
    times = [smooth.argmax(1), smooth.argmin(1), slope.argmax(1), (slope > 0.3 * slope.max(1, keepdims=True)).argmax(1)]
    steep = [slope.max(1), slope.min(1), np.clip(slope, 0, None).sum(1)]
    pulse = [rates_hz[heart][spectrum[:, heart].argmax(1)], spectrum[:, heart].max(1)]
    return np.stack([*whole, *times, *steep, *pulse, *smooth[:, ::44].T, *slope[:, ::32].T], axis=1)


def accuracy(inputs: np.ndarray, levels: np.ndarray, people: np.ndarray, unseen: str, trees: int = TREES) -> float:
    """Cross-validated accuracy where the folds are of people or of windows."""
    forest = ExtraTreesClassifier(trees, random_state=0)
    if unseen == "people":
        answers = cross_val_predict(forest, inputs, levels, groups=people, cv=GroupKFold(FOLDS))
    else:
        answers = cross_val_predict(forest, inputs, levels, cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0))
    return float((answers == levels).mean())


def main(folder: Path) -> None:
    signals, levels, people = read(folder)
    print(f"{len(levels)} windows of {len(np.unique(people))} people, {FOLDS} folds\n")
    print("| scaling | levels | unseen people | unseen windows |\n|---|---|---|---|")
    for by in ("none", "subject", "window"):
        inputs = features(scaled(signals, people, by))
        for name, rows in (("five", np.full(len(levels), True)), ("BL1, PA4", np.isin(levels, (0, 4)))):
            shares = (accuracy(inputs[rows], levels[rows], people[rows], unseen) for unseen in ("people", "windows"))
            print(f"| {by} | {name} | " + " | ".join(f"{100 * share:.1f}%" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
