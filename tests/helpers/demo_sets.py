"""Parts of the shipped demo sets, small enough to go all the way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from pipeline.config import DEMO_SETS
from pipeline.tasks import Task


def demo_part(folder: Path, task: Task, subjects: int) -> Path:
    """So many of the demo set's people for each word of the target, or so many who show all, as a set of its own; or so
    many clips of frames.
    """
    source = DEMO_SETS / task.demo
    if task.prepare == "resize":
        return _clips(folder, source, subjects)
    truth = pd.read_csv(source / "truth.csv", dtype=str)
    last = truth.groupby("file").tail(1)  # of pictures of two halves the one that shows something
    if task.prepare == "window":
        some = last[last["subject_id"].isin(last["subject_id"].unique()[:subjects])]
    else:
        some = last.groupby(last["expression"].where(last["expression"].isin(task.outputs), "no_pain")).head(subjects)
    for file in some["file"]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, folder / file)
    shutil.copyfile(source / "truth.csv", folder / "truth.csv")
    return folder


def _clips(folder: Path, source: Path, count: int) -> Path:
    frames = pd.read_csv(source / "frames.csv", dtype=str)
    some = frames[frames["clip"].isin(frames["clip"].unique()[:count])]
    for file in (*some["rgb_frame"], *some["ir_frame"]):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, folder / file)
    some.to_csv(folder / "frames.csv", index=False)
    return folder
