"""Believable artifacts of a task that asks for a number: how strong the expression of pain is on a face.

``python -m tests.fakes.regress OUT`` writes them and a report over them, to look at; with ``sweep``, of many models;
with ``budget``, of students that know some of the labels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import DEMO_SETS, AlignConfig, IndexConfig, ReportConfig, SplitConfig
from pipeline.tasks import TASKS, Task
from tests.fakes import people
from tests.fakes.classify import Fakes

INTENSITY = TASKS["intensity"]
OF_VIDEO = 12  # frames
CALM = 0.35  # of the videos nothing is to be seen
SKILL = {"teacher-resnet": 0.75, "teacher-swin": 0.88, "resnet": 0.68, "swin": 0.8, "none": 0.6}
LOSSES = {"soft": 0.0, "label,soft": 0.04, "label,hint": -0.1}  # what each adds to the skill


def samples_table(subjects: int, task: Task) -> pd.DataFrame:
    """``samples.csv`` of videos of people whose pain comes and goes: one of every subject, two of every third."""
    rng, rows, (low, high) = np.random.default_rng(3), [], task.bounds
    for number in range(subjects):
        person = {
            "gender": ["Man", "Woman"][number // 2 % 2],
            "age_group": ["Young", "Old"][number // 4 % 2],
            "age": int(rng.integers(18, 85)),
        }
        for video in range(1 + (number % 3 == 0)):
            peak = 0 if rng.random() < CALM else rng.gamma(1.6, 0.17)
            for frame in range(OF_VIDEO):
                share = min(1.0, peak * np.sin(np.pi * (frame + 0.5) / OF_VIDEO))
                file = f"{number:03d}/v{video}/{frame:03d}.png"
                row = {"sample_id": f"{file}#full", "file": file, "region": "full"}
                row |= {"x0": 0, "y0": 0, "x1": 320, "y1": 360, "subject_id": f"{number:03d}"}
                row |= {"sequence": f"{number:03d}/v{video}", task.target: float(round(low + share * (high - low)))}
                rows.append(row | person)
    return pd.DataFrame(rows)


def draw_face(row: pd.Series, size: int, task: Task) -> np.ndarray:
    """A cartoon that screws up its eyes and bares its teeth the more, the higher its number, uint8, (size, size, 3)."""
    rng, (low, high) = np.random.default_rng(int(row["subject_id"])), task.bounds
    much = (row[task.target] - low) / (high - low)
    skin = tuple(int(v) for v in rng.integers((90, 60, 45), (245, 200, 170)))
    image = Image.new("RGB", (256, 256), tuple(int(v) for v in rng.integers(120, 230, 3)))
    pen, dark = ImageDraw.Draw(image), tuple(v // 4 for v in skin)
    pen.ellipse((48, 24, 208, 236), fill=skin)
    for x, inward in ((98, 1), (158, -1)):
        eye = 10 * (1 - much) + 1
        pen.ellipse((x - 15, 101 - eye, x + 15, 101 + eye), fill="white")
        pen.ellipse((x - 6, 101 - eye, x + 6, 101 + eye), fill=dark)
        pen.line((x - 20 * inward, 78, x + 18 * inward, 78 + 12 * much), fill=dark, width=6)
    pen.rectangle((98, 185 - 12 * much, 158, 188 + 12 * much), fill=people.CLOSED, outline=(130, 40, 40), width=5)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


class NumberFakes(Fakes):
    """A store with every artifact that a report on numbers reads.

    Parameters
    ----------
    root : where the artifacts go.
    subjects : with one video or two.
    size : side of a face in pixels.
    task : of kind ``regress``, of one number.
    """

    skill, losses, usual_loss = SKILL, LOSSES, "soft"

    def __init__(self, root: Path, subjects: int = 90, size: int = 256, task: Task = INTENSITY):
        self.store, self.size, self.task = ArtifactStore(root), size, task
        self.table, self.attributes = samples_table(subjects, task), ("gender", "age_group", "age")
        missed = self.table["sample_id"].iloc[[5, 41]]
        self.detected = ~self.table["sample_id"].isin(missed)
        self.samples = Node("index", "samples", 1, IndexConfig(data=str(DEMO_SETS / task.demo)), {}, self._index)
        self.inputs = Node("align", "inputs", 1, AlignConfig(), {"samples": self.samples}, self._align)
        self.split = Node("split", "split", 1, SplitConfig(), {"samples": self.samples}, self._split)

    def _draw(self, row: pd.Series) -> np.ndarray:
        return draw_face(row, self.size, self.task)

    def _history(self, config, rng: np.random.Generator) -> pd.DataFrame:
        task, epoch = self.task, np.arange(1, config.epochs + 1)
        fall = np.exp(-epoch / 3)
        columns = {
            "epoch": epoch,
            "train_loss": 0.01 + 0.03 * fall + rng.normal(0, 0.0005, len(epoch)),
            "val_loss": 0.014 + 0.03 * fall + 0.0004 * epoch + rng.normal(0, 0.0008, len(epoch)),
            f"val_{task.headline}": 0.72 - 0.9 * fall + rng.normal(0, 0.01, len(epoch)),
            "val_mae": 0.9 + 1.2 * fall + rng.normal(0, 0.02, len(epoch)),
        }
        return pd.DataFrame(columns | {"learning_rate": config.learning_rate})

    def _labels(self, config, work, **inputs) -> dict:
        split = arrays.read_table(inputs["split"].file("split.csv"))
        drawn = config.views if config.views > 1 else 0
        counts = {"samples": len(split), "views": config.views, "views_computed": drawn, "views_copied": 0}
        for part, error in {"train": 0.7 if config.folds else 0.31, "val": 0.84, "test": 0.87}.items():
            counts[part] = int((split["part"] == part).sum())
            counts[f"{part}_error"] = error
        return {"counts": counts, "skipped": [], "bytes_per_view": 4.0, "feature_bytes_per_view": 0.0}

    def _logits(self, skill: float, seed: int) -> np.ndarray:
        """Shares of the range: the less the skill, the nearer to the mean of all and the noisier."""
        low, high = self.task.bounds
        truth = (self.table[self.task.target].to_numpy() - low) / (high - low)
        own, common = np.random.default_rng(seed), np.random.default_rng(7)
        subjects = self.table["subject_id"].astype(int).to_numpy()
        person = common.normal(0, 0.06, subjects.max() + 1)[subjects]
        noise = common.normal(0, 0.1, len(truth)) + own.normal(0, 0.06, len(truth))
        shares = truth.mean() + skill * (truth - truth.mean()) + (1.4 - skill) * (person + noise)
        return shares[:, None].astype(np.float32)


def build(root: Path, subjects: int = 90, seeds: int = 3, which: str = "models") -> Artifact:
    """Fake artifacts with the real report over them."""
    from stages import report

    fakes = NumberFakes(root, subjects)
    config = fakes.config(ReportConfig, replicates=500)
    return fakes.store.build(fakes.report(report.run, getattr(fakes, which)(seeds), config))[0]


if __name__ == "__main__":
    [which] = [name for name in sys.argv[2:] if name in ("budget", "sweep")] or ["models"]
    print(build(Path(sys.argv[1]), which=which).path)
