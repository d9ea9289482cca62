"""Believable artifacts of a task of several labels, with teachers that read more than their students.

``python -m tests.fakes.multilabel OUT`` writes them and a report over them, to look at; with ``budget``, of students
that know some of the labels; with ``sweep``, of four losses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import DEMO_SETS, Architecture, IndexConfig, ReportConfig, ResizeConfig, SplitConfig
from pipeline.evaluation.embedding import FILE
from pipeline.tasks import TASKS, Task
from pipeline.tasks.fire_smoke import ORIGINAL as SUMS
from pipeline.tasks.objective import canonical
from tests.fakes import frames
from tests.fakes.classify import Fakes

FIRE_SMOKE = TASKS["fire-smoke"]
NETWORKS = {
    "resnet": (Architecture("dual:resnet10t", image_size=112, weights="shipped", label="resnet10t-112"), 9_800_000, 1),
    "resnet_rgb": (Architecture("resnet10t", image_size=112, weights="shipped", label="resnet10t-112"), 4_900_000, 0.5),
    "swin": (Architecture("dual:swin_tiny_patch4_window7_224", image_size=112, weights="random"), 9_100_000, 1.8),
    "cnn4": (Architecture("cnn4", image_size=112, weights="random"), 400_000, 0.1),
}
SKILL = {"teacher-resnet": 2.6, "teacher-resnet_rgb": 1.6, "teacher-swin": 2.2}
SKILL |= {"resnet": 1.7, "resnet_rgb": 1.45, "swin": 1.5, "none": 1.2}
HARDER = (0.6, 1.0)  # how clearly each label is seen
ORIGINAL = tuple(map(canonical, SUMS))
BLOCKS = {"by": "blocks", "length": 30, "gap": 10}


class FrameFakes(Fakes):
    """A store with every artifact that a report on frames reads.

    Parameters
    ----------
    root : where the artifacts go.
    clips : of six frames each.
    size : side of a frame in pixels.
    task : of kind ``multilabel``, whose labels are fire and smoke.
    grouping : how frames became groups, as the index says it.
    """

    networks, skill = NETWORKS, SKILL

    def __init__(
        self, root: Path, clips: int = 80, size: int = 112, task: Task = FIRE_SMOKE, grouping: dict | None = None
    ):
        self.store, self.size, self.task, self.grouping = ArtifactStore(root), size, task, grouping or {"by": "clip"}
        self.table, self.attributes, self.detected = frames.samples_table(clips), frames.ATTRIBUTES, None
        self.samples = Node("index", "samples", 1, IndexConfig(data=str(DEMO_SETS / task.demo)), {}, self._index)
        self.inputs = Node("resize", "inputs", 1, ResizeConfig(), {"samples": self.samples}, self._resize)
        self.split = Node("split", "split", 1, SplitConfig(), {"samples": self.samples}, self._split)

    def models(self, seeds: int = 3, teachers: tuple[str, ...] = ("resnet", "resnet_rgb", "swin")) -> list[Node]:
        """Teachers of both modalities and the twin of one, and the student of each and of none in some seeds."""
        students = [self.model("cnn4", t, s) for t in (*teachers, "none") for s in range(seeds)]
        return [*map(self.model, teachers), *students]

    def budget(self, seeds: int = 3, budgets: tuple[float, ...] = (10, 0)) -> list[Node]:
        """A teacher and its twin, and their students and that of none, who know few of the labels, and all."""
        teachers, seeds = ("resnet", "resnet_rgb"), range(seeds)
        taught = [
            self.model("cnn4", t, s, labelled=float(n)) for t in (*teachers, "none") for n in budgets for s in seeds
        ]
        return [*map(self.model, teachers), *taught]

    def sweep(self, seeds: int = 3) -> list[Node]:
        """Both teachers, and the student of each by four losses, and of none."""
        teachers, seeds = ("resnet", "resnet_rgb"), range(seeds)
        taught = [self.model("cnn4", t, s, loss=loss) for t in teachers for loss in ORIGINAL for s in seeds]
        return [*map(self.model, teachers), *taught, *(self.model("cnn4", "none", s) for s in seeds)]

    def _index(self, config, work) -> dict:
        arrays.write_table(work.path / "samples.csv", self.table)
        skipped = [{"file": "rgb/007_2.jpg", "reason": "IR frame: truncated: 12 of 88 kB"}]
        counts = {"pictures": 2 * len(self.table), "samples": len(self.table), "skipped": 1}
        summary = {"counts": counts, "skipped": skipped, "targets": list(self.task.outputs), "dataset": "frames"}
        return summary | {"attributes": list(self.attributes), "grouping": self.grouping}

    def _resize(self, config, work, samples) -> dict:
        n, size = len(self.table), self.size
        ids = arrays.sample_id_column(self.table["sample_id"].tolist())
        layout = {"rgb": ((n, size, size, 3), np.uint8), "ir": ((n, size, size, 1), np.uint8)}
        layout |= {"sample_id": ((n,), ids.dtype)}
        writer = arrays.open_writer(work.path / "inputs.h5", "inputs", work.fingerprint, layout, {})
        for rows in writer.pending():
            halves = [frames.draw(row, size) for _, row in self.table.iloc[rows].iterrows()]
            rgb, ir = (np.stack(half) for half in zip(*halves, strict=True))
            writer.write(rows, rgb=rgb, ir=ir, sample_id=ids[rows])
        writer.finish()
        scale = {"mean": [0.4], "std": [0.2]}
        scales = {"rgb": {name: 3 * value for name, value in scale.items()}, "ir": scale}
        return {"counts": {"frames": n}, "skipped": [], "scales": scales}

    def _split(self, config, work, samples) -> dict:
        clip = self.table["subject_id"].str.removeprefix("clip").astype(int) // 2 % 20
        part = np.select([clip < 10, clip < 14], ["train", "val"], "test")
        if config.crossed:
            fold, following = clip % int(config.cv), (config.fold + 1) % int(config.cv)
            part = np.select([fold == config.fold, fold == following], ["test", "val"], "train")
        if config.by != "subject":
            part = np.take(["train", "val", "test"], np.arange(len(self.table)) % 3)
        frame = self.table[["sample_id", "subject_id"]].assign(part=part)
        arrays.write_table(work.path / "split.csv", frame)
        return {"counts": frame["part"].value_counts().to_dict(), "skipped": []}

    def _read(self, config) -> dict:
        size, name = config.architecture.image_size, getattr(config, "student", config.teacher)
        both = name in SKILL and not name.endswith("_rgb")
        return {
            modality: {"size": size, "mean": [0.5] * channels, "std": [0.5] * channels}
            for modality, channels in {"rgb": 3, "ir": 1}.items()
            if modality == "rgb" or both
        }

    def _hidden(self, model: Node, frame: pd.DataFrame, work) -> None:
        test = frame[frame["part"] == "test"]
        rng = np.random.default_rng(len(model.slug))
        logits = test[[f"logit_{name}" for name in self.task.outputs]].to_numpy()
        hidden = logits @ rng.normal(size=(logits.shape[1], 16)) + rng.normal(0, 0.5, (len(test), 16))
        ids = arrays.sample_id_column(test["sample_id"].tolist())
        layout = {"hidden": (hidden.shape, np.float16), "sample_id": (ids.shape, ids.dtype)}
        writer = arrays.open_writer(work.path / FILE, "hidden", work.fingerprint, layout, {})
        for rows in writer.pending():
            writer.write(rows, hidden=hidden[rows].astype(np.float16), sample_id=ids[rows])
        writer.finish()

    def _logits(self, skill: float, seed: int) -> np.ndarray:
        own, shape = np.random.default_rng(seed), (len(self.table), len(self.task.outputs))
        truth = 2 * self.table[list(self.task.outputs)].to_numpy() - 1
        groups = self.table["subject_id"].str.removeprefix("clip").astype(int).to_numpy()
        common = np.random.default_rng(7).normal(0, 0.7, (groups.max() + 1, shape[1]))[groups]
        noise = np.random.default_rng(8).normal(0, 0.5, shape) + own.normal(0, 0.6, shape)
        return (truth * skill * np.array(HARDER) + common + noise - 0.4).astype(np.float32)


def build(root: Path, clips: int = 80, seeds: int = 3, which: str = "models") -> Artifact:
    """Fake artifacts with the real report over them."""
    from stages import report

    fakes = FrameFakes(root, clips)
    config = fakes.config(ReportConfig, replicates=500)
    return fakes.store.build(fakes.report(report.run, getattr(fakes, which)(seeds), config))[0]


if __name__ == "__main__":
    [which] = [name for name in sys.argv[2:] if name in ("budget", "sweep")] or ["models"]
    print(build(Path(sys.argv[1]), which=which).path)
