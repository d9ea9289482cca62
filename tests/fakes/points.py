"""Believable artifacts of a task of facial points, with a tough and a tolerant teacher and students of either and both.

``python -m tests.fakes.points OUT`` writes them and a report over them, to look at.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import DEMO_SETS, AlignConfig, Architecture, IndexConfig, ReportConfig, SplitConfig
from pipeline.inputs.sample_table import POINTS
from pipeline.tasks import TASKS, Task
from tests.fakes import people
from tests.fakes.classify import Fakes

LANDMARKS = TASKS["landmarks"]
TEACHERS = ("tough", "tolerant")
BOTH = "+".join(TEACHERS)
NETWORKS = dict.fromkeys(
    TEACHERS, (Architecture("efficientnet_b3", image_size=224, weights="random"), 10_905_000, 0.99)
)
NETWORKS |= {"mobilenetv2": (Architecture("mobilenetv2_100", image_size=224, weights="random"), 2_398_000, 0.31)}
LOSSES = {"none": "label", "tough": "label,soft", "tolerant": "label,soft", BOTH: "kd"}
SKILL = {"teacher-tough": 2.6, "teacher-tolerant": 2.0, f"teacher-{BOTH}": 2.4}  # the last is the mean of their answers
SKILL |= {"none": 1.0, "tough": 1.4, "tolerant": 1.25, BOTH: 1.8}
OFF = 0.03  # how far points lie off without skill, as a share of the face's side
OFF_JAW = 1.7  # times as far: the jaw has no corners
GRID = 256  # on which faces are drawn
SOFTENED, SHOWN_SOFT = 0.75, 12  # share of what is special of a shape that is left, and shapes that are written
SIDES, TURNS = (190.0, 300.0), 0.25  # of faces in their pictures: pixels, and radians either way
AXES = tuple(enumerate(("x", "y")))
ATTRIBUTES = (*people.ATTRIBUTES, "subset")


class PointFakes(Fakes):
    """A store with every artifact that a report on points reads.

    Parameters
    ----------
    root : where the artifacts go.
    subjects : of two faces each.
    size : side of a face in pixels.
    """

    networks, skill = NETWORKS, SKILL

    def __init__(self, root: Path, subjects: int = 240, size: int = 256, task: Task = LANDMARKS):
        self.store, self.size, self.task, self.attributes = ArtifactStore(root), size, task, ATTRIBUTES
        self.table, self.shares, self.warp = samples_table(subjects, task)
        missed = self.table["sample_id"].iloc[[5, 69, 78]]  # the last two are tested
        self.detected = ~self.table["sample_id"].isin(missed)
        self.samples = Node("index", "samples", 1, IndexConfig(data=str(DEMO_SETS / task.demo)), {}, self._index)
        self.inputs = Node("align", "inputs", 1, AlignConfig(), {"samples": self.samples}, self._align)
        self.split = Node("split", "split", 1, SplitConfig(), {"samples": self.samples}, self._split)

    def model(self, name: str, teacher: str = "", seed: int = 0, **recipe) -> Node:
        """As of other kinds, each student with a loss that fits its teachers."""
        return super().model(name, teacher, seed, **({"loss": LOSSES[teacher]} if teacher else {}) | recipe)

    def models(self, seeds: int = 3) -> list[Node]:
        """Both teachers, and the student of each, of both and of none in some seeds."""
        students = [self.model("mobilenetv2", t, s) for t in (*TEACHERS, BOTH, "none") for s in range(seeds)]
        return [*map(self.model, TEACHERS), *students]

    def reported(self, models: list[Node]) -> dict[str, Node]:
        """What a report reads of some models: they, their evaluations and the labels of each of their teachers."""
        taught = {m.config.teacher for m in models if m.stage == "distill"} - {"none"}
        caches = map(self.labels, sorted({name for teacher in taught for name in teacher.split("+")}))
        inputs = {node.slug: node for node in caches} | {f"model-{model.slug}": model for model in models}
        return inputs | {f"evaluation-{model.slug}": self.evaluation(model) for model in models}

    def _index(self, config, work) -> dict:
        hidden = self.table.filter(regex=rf"^({self.task.target}|warp_)").columns
        arrays.write_table(work.path / "samples.csv", self.table.drop(columns=hidden))
        self._keep_points(work)
        skipped = [{"file": "ibug/image_077.jpg", "reason": "67 points where 68 were expected"}]
        counts = {"pictures": len(self.table) + 1, "samples": len(self.table), "skipped": 1}
        summary = {"counts": counts, "skipped": skipped, "targets": [self.task.target], "dataset": "300w"}
        return summary | {"attributes": list(self.attributes)}

    def _keep_points(self, work) -> None:
        names = [f"{self.task.target}_{number}_{axis}" for number in range(len(self.task.outputs)) for axis in "xy"]
        points = self.table[names].to_numpy(np.float32).reshape(len(self.table), -1, 2)
        columns = {self.task.target: points, "sample_id": arrays.sample_id_column(self.table["sample_id"].tolist())}
        layout = {name: (column.shape, column.dtype) for name, column in columns.items()}
        writer = arrays.open_writer(work.path / POINTS, "points", work.fingerprint, layout, {})
        for rows in writer.pending():
            writer.write(rows, **{name: column[rows] for name, column in columns.items()})
        writer.finish()

    def _align(self, config, work, samples) -> dict:
        n, path = len(self.table), work.path / "inputs.h5"
        ids = arrays.sample_id_column(self.table["sample_id"].tolist())
        layout = {
            "rgb": ((n, self.size, self.size, 3), np.uint8),
            "sample_id": ((n,), ids.dtype),
            "detected": ((n,), np.uint8),
            "warp": ((n, 2, 3), np.float64),
        }
        writer = arrays.open_writer(path, "inputs", work.fingerprint, layout, {})
        for rows in writer.pending():
            faces = zip(self.table.iloc[rows].iterrows(), self.shares[rows], strict=True)
            images = np.stack([draw(row, shape, self.size) for (_, row), shape in faces])
            detected = self.detected.to_numpy()[rows]
            writer.write(rows, rgb=images, sample_id=ids[rows], detected=detected, warp=self.warp[rows])
        writer.finish()
        missed = self.table["sample_id"][~self.detected]
        skipped = [{"sample_id": name, "reason": "no face found in two looks: centre crop used"} for name in missed]
        counts = {"faces": n, "detected": int(self.detected.sum()), "second_look": 3, "fallback": len(missed)}
        return {"counts": counts, "skipped": skipped}

    def _model(self, config, work, **inputs) -> dict:
        summary = super()._model(config, work, **inputs)
        if getattr(config, "student", config.teacher) != "tolerant":
            return summary
        shapes = self.shares[:SHOWN_SOFT]
        soft = shapes.mean(axis=0) + SOFTENED * (shapes - shapes.mean(axis=0))
        columns = {f"label_{p}_{axis}": shapes[:, i, a] for i, p in enumerate(self.task.outputs) for a, axis in AXES}
        columns |= {f"soft_{p}_{axis}": soft[:, i, a] for i, p in enumerate(self.task.outputs) for a, axis in AXES}
        frame = pd.DataFrame({"sample_id": self.table["sample_id"].head(SHOWN_SOFT)} | columns)
        arrays.write_table(work.path / "soft_points.csv", frame)
        model = {"components": 14, "share": 0.9, "aligned": True, "residual_nme": 0.0113}
        return summary | {"shape_model": model}

    def _labels(self, config, work, **inputs) -> dict:
        summary = super()._labels(config, work, **inputs)
        counts = {name: count for name, count in summary["counts"].items() if not name.endswith("_disagrees")}
        nme = 0.12 * np.exp(-self.skill[f"teacher-{config.teacher}"] / 2)
        counts |= {f"{part}_nme": share * nme for part, share in {"train": 0.5, "val": 1.0, "test": 1.05}.items()}
        return summary | {"counts": counts, "bytes_per_view": 544.0}

    def _history(self, config, rng: np.random.Generator) -> pd.DataFrame:
        """``history.csv`` of a training whose errors fall."""
        epoch = np.arange(1, config.epochs + 1)
        name = config.teacher if hasattr(config, "student") else f"teacher-{config.teacher}"
        fall, least = np.exp(-epoch / 3), 0.1 * np.exp(-self.skill[name] / 2)
        columns = {
            "epoch": epoch,
            "train_loss": 0.0004 + 0.004 * fall + rng.normal(0, 0.00003, len(epoch)),
            "val_loss": 0.0006 + 0.004 * fall + 0.00002 * epoch + rng.normal(0, 0.00005, len(epoch)),
            f"val_{self.task.headline}": least + 0.15 * fall + rng.normal(0, 0.001, len(epoch)),
        }
        return pd.DataFrame(columns | {"learning_rate": config.learning_rate})

    def _logits(self, skill: float, seed: int) -> np.ndarray:
        """Points that lie off the less, the more skill there is, farther in the same hard faces and along the jaw."""
        own, (n, k) = np.random.default_rng(seed), self.shares.shape[:2]
        hard = np.random.default_rng(7).lognormal(0, 0.45, n)[:, None, None]
        region = np.where(np.arange(k) < 17, OFF_JAW, 1.0)[:, None]
        together = 0.5 * own.normal(0, 1, (n, 1, 2)) + own.normal(0, 0.8, (n, k, 2))
        return (self.shares + OFF * np.exp(-skill / 2) * hard * region * together).reshape(n, 2 * k).astype(np.float32)


def samples_table(subjects: int, task: Task) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The sample table of faces with expressions, their points, and the way from their pictures to their inputs.

    Returns
    -------
    table : one row a face, with the columns that `pipeline.inputs.sample_table` adds.
    shares : float64 (N, 68, 2), the points in shares of the input's side.
    warp : float64 (N, 2, 3).
    """
    table = people.samples_table(subjects, TASKS["expression"]).drop(columns="source")
    rng, count = np.random.default_rng(3), len(table)
    shares = np.stack([face(name) for name in table[TASKS["expression"].target]]) / GRID - 0.5
    shares += rng.normal(0, 0.004, shares.shape)
    side, turn = rng.uniform(*SIDES, count), rng.uniform(-TURNS, TURNS, count)
    a, b = np.cos(turn) / side, np.sin(turn) / side
    turned = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], axis=1)  # (N, 2, 2)
    centre = rng.uniform((130, 150), (190, 210), (count, 2))
    warp = np.concatenate([turned, -np.einsum("nij,nj->ni", turned, centre)[..., None]], axis=2)
    pixels = np.einsum("nij,nkj->nki", np.linalg.inv(turned), shares) + centre[:, None]
    columns = {task.target: np.ones(count)}
    columns |= {f"{task.target}_{i}_{axis}": pixels[:, i, a] for i in range(pixels.shape[1]) for a, axis in AXES}
    columns |= {f"warp_{place}": values for place, values in enumerate(warp.reshape(count, 6).T)}
    table["subset"] = np.where(table[TASKS["expression"].target] == "surprise", "challenging", "common")
    return table.join(pd.DataFrame(columns)), shares, warp


def face(expression: str) -> np.ndarray:
    """The 68 points of the cartoon of an expression, float64 (68, 2), on a grid of 256."""
    inner, outer, eye, curve, gap = people.EXPRESSIONS[expression]
    turn = np.linspace(-0.1, np.pi + 0.1, 17)
    jaw = np.stack([128 - 80 * np.cos(turn), 130 + 106 * np.sin(turn)], axis=1)
    brows = np.concatenate([np.linspace((78, outer), (116, inner), 5), np.linspace((140, inner), (178, outer), 5)])
    nose = np.concatenate([np.linspace((128, 106), (128, 142), 4), [(114, 152), (121, 155), (128, 157)]])
    nose = np.concatenate([nose, [(135, 155), (142, 152)]])
    half = 0.43 * eye
    one = np.array([(-15, 0), (-7, -half), (7, -half), (15, 0), (7, half), (-7, half)])
    eyes = np.concatenate([one + (98, 102), one + (158, 102)])
    return np.concatenate([jaw, brows, nose, eyes, _mouth(curve, gap)])


def _mouth(curve: float, gap: float) -> np.ndarray:
    """The outer and the inner lips, shape (20, 2)."""

    def lips(width: float, count: int, lower: np.ndarray, thick: float) -> np.ndarray:
        along = np.concatenate([np.linspace(-1, 1, count), np.linspace(1, -1, count)[1:-1]])
        height = 185 - curve * along**2 + curve / 2 + lower * (gap * (1 - along**2) + thick) - (1 - lower) * thick
        return np.stack([128 + width * along, np.where(np.abs(along) == 1, 185 - curve / 2, height)], axis=1)

    outer, inner = np.repeat([0.0, 1.0], (7, 5)), np.repeat([0.0, 1.0], (5, 3))
    return np.concatenate([lips(32, 7, outer, 4), lips(26, 5, inner, 0)])


def draw(row: pd.Series, shape: np.ndarray, size: int) -> np.ndarray:
    """The cartoon of a face with a nose where its points say, uint8, shape (size, size, 3)."""
    image = Image.fromarray(people.draw_face(row, GRID, TASKS["expression"]))
    nose = [tuple((place + 0.5) * GRID) for place in shape[[27, 30, 31, 33, 35]]]
    ImageDraw.Draw(image).line(nose, fill=(90, 50, 40), width=4)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def build(root: Path, subjects: int = 240, seeds: int = 3) -> Artifact:
    """Fake artifacts with the real report over them."""
    from stages import report

    fakes = PointFakes(root, subjects)
    config = fakes.config(ReportConfig, replicates=500)
    return fakes.store.build(fakes.report(report.run, fakes.models(seeds), config))[0]


if __name__ == "__main__":
    print(build(Path(sys.argv[1])).path)
