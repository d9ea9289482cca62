"""Believable artifacts made without pictures, networks or training, for tests of what reads them.

``python -m tests.fakes.classify OUT`` writes them and a report over them, to look at; with ``sweep``, of many models.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import (
    AlignConfig,
    Architecture,
    DistillConfig,
    EvaluateConfig,
    IndexConfig,
    LabelsConfig,
    ReportConfig,
    SplitConfig,
    TeacherConfig,
)
from pipeline.evaluation import predictions
from pipeline.reporting.drawing import plain

CLASSES = ["no_pain", "pain"]
SMALL_SWIN = Architecture(
    "swin_tiny_patch4_window7_224",
    options=(("embed_dim", 48), ("depths", (2, 2, 6, 2))),
    image_size=112,
    weights="shipped",
    label="small-swin",
)
NETWORKS = {
    "resnet": (Architecture("resnet10t", image_size=112, weights="shipped", trained="head"), 4_924_130, 0.49),
    "swin": (SMALL_SWIN, 7_600_000, 0.93),
    "deit": (Architecture("deit_tiny_distilled_patch16_224", image_size=112, weights="shipped"), 5_400_000, 0.54),
}
SKILL = {"teacher-resnet": 1.7, "teacher-swin": 2.6, "resnet": 1.9, "swin": 2.3, "none": 1.7}
LOSSES = {"hard": 0.0, "soft": 0.1, "label,hint": -0.1}  # what each adds to the skill


def samples_table(subjects: int) -> pd.DataFrame:
    """Two faces a subject: left neutral, right in pain or with another expression."""
    rng, rows = np.random.default_rng(0), []
    for number in range(subjects):
        subject, pain = f"1{number:05d}", number % 2
        person = {
            "gender": ["Man", "Woman"][number // 2 % 2],
            "age_group": ["Young", "Old"][number // 4 % 2],
            "ethnicity": ["Black", "South Asian", "Middle Eastern", "Caucasian", "Asian"][number // 8 % 5],
        }
        file = f"{subject}_{'Pain' if pain else 'NoPain'}_{person['gender']}_{person['age_group']}.jpg"
        for region, expressive in (("left", 0), ("right", 1)):
            rows.append(
                {
                    "sample_id": f"{file}#{region}",
                    "file": file,
                    "region": region,
                    **dict(zip(("x0", "y0", "x1", "y1"), (0, 0, 320, 360), strict=True)),
                    "label": pain * expressive,
                    "subject_id": subject,
                    "expressive": expressive,
                    **person,
                    "age": int(rng.integers(18, 85)),
                }
            )
    return pd.DataFrame(rows)


def draw_face(row: pd.Series, size: int) -> np.ndarray:
    """A cartoon whose brows, eyes and mouth follow the label."""
    rng = np.random.default_rng(int(row["subject_id"]))
    skin = tuple(int(v) for v in rng.integers((90, 60, 45), (245, 200, 170)))
    image = Image.new("RGB", (256, 256), tuple(int(v) for v in rng.integers(120, 230, 3)))
    pen = ImageDraw.Draw(image)
    pen.ellipse((48, 24, 208, 236), fill=skin)
    dark = tuple(v // 4 for v in skin)
    for x, inward in ((98, 1), (158, -1)):
        if row["label"]:
            pen.line((x - 18, 100, x + 18, 100), fill=dark, width=5)
            pen.line((x - 20 * inward, 78, x + 18 * inward, 90), fill=dark, width=7)
        else:
            pen.ellipse((x - 15, 92, x + 15, 110), fill="white")
            pen.ellipse((x - 6, 95, x + 6, 107), fill=dark)
            pen.line((x - 20, 78, x + 20, 78), fill=dark, width=6)
    if row["label"]:
        pen.rectangle((98, 178, 158, 196), fill=(250, 250, 245), outline=(130, 40, 40), width=5)
    elif row["expressive"]:
        pen.chord((90, 150, 166, 206), 0, 180, fill=(130, 40, 40))
    else:
        pen.line((98, 185, 158, 185), fill=(130, 40, 40), width=6)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


class Fakes:
    """A store with every artifact a report reads.

    Parameters
    ----------
    root : where the artifacts go.
    subjects : pairs of faces.
    size : side of a face in pixels.
    """

    def __init__(self, root: Path, subjects: int = 360, size: int = 256):
        self.store, self.size = ArtifactStore(root), size
        self.table = samples_table(subjects)
        missed = self.table["sample_id"].iloc[[5, 41]].tolist()
        self.detected = ~self.table["sample_id"].isin(missed)
        self.samples = Node("index", "samples", 1, IndexConfig(), {}, self._index)
        self.faces = Node("align", "faces", 1, AlignConfig(), {"samples": self.samples}, self._align)
        self.split = Node("split", "split", 1, SplitConfig(), {"samples": self.samples}, self._split)

    @property
    def data(self) -> dict[str, Node]:
        """The inputs that all stages share."""
        return {"samples": self.samples, "faces": self.faces, "split": self.split}

    def model(self, name: str, teacher: str = "", seed: int = 0, **recipe) -> Node:
        """A teacher (``teacher`` empty) or a student of a teacher, with more of its recipe where it is given."""
        if not teacher:
            config = TeacherConfig(teacher=name, architecture=NETWORKS[name][0], epochs=8)
            return Node("train_teacher", f"teacher-{name}", 1, config, self.data, self._model)
        recipe = {"loss": "label" if teacher == "none" else "hard"} | recipe
        config = DistillConfig(
            student=name, teacher=teacher, seed=seed, architecture=NETWORKS[name][0], epochs=8, **recipe
        )
        told = [] if teacher == "none" else [plain(config.loss)]
        told += [f"v{config.views}"] if config.views > 1 else []
        told += [config.mix] if config.mix != "none" else []
        told += [f"f{config.folds}"] if config.folds else []
        told += ["online"] if config.online else []
        slug = "-".join(["student", name, teacher, *told, f"s{seed}"])
        return Node("distill", slug, 1, config, self.data, self._model)

    def evaluation(self, model: Node) -> Node:
        """The evaluation of a model."""
        inputs = {**self.data, "model": model}
        return Node(
            "evaluate", f"evaluation-{model.slug}", 1, EvaluateConfig(replicates=200), inputs, self._evaluate(model)
        )

    def labels(self, teacher: str, views: int = 1, folds: int = 0) -> Node:
        """A teacher's answers: their record alone, a report reads no more of them."""
        config = LabelsConfig(teacher=teacher, views=views, folds=folds)
        told = [f"v{views}"] * (views > 1) + [f"f{folds}"] * bool(folds)
        inputs = {**self.data, "teacher": self.model(teacher)}
        return Node("teacher_labels", "-".join(["labels", teacher, *told]), 1, config, inputs, self._labels)

    def models(self, seeds: int = 3) -> list[Node]:
        """Both teachers, and the student of each and of none in some seeds."""
        students = [self.model("deit", t, s) for t in ("resnet", "swin", "none") for s in range(seeds)]
        return [self.model("resnet"), self.model("swin"), *students]

    def sweep(self, seeds: int = 3) -> list[Node]:
        """The same with three losses, with fixed labels and with six views, and with cross-fitted hard labels."""
        recipes = [{"loss": loss, "views": views} for loss in LOSSES for views in (1, 6)]
        recipes += [{"loss": "hard", "folds": 5}]
        taught = [self.model("deit", t, s, **r) for t in ("resnet", "swin") for r in recipes for s in range(seeds)]
        untaught = [self.model("deit", "none", s) for s in range(seeds)]
        return [self.model("resnet"), self.model("swin"), *taught, *untaught]

    def report(self, run, models: list[Node], config: ReportConfig | None = None) -> Node:
        """A report over some models and the labels behind them, made by the given stage function."""
        students = [m.config for m in models if m.stage == "distill" and m.config.teacher != "none"]
        caches = [self.labels(*which) for which in dict.fromkeys((c.teacher, c.views, c.folds) for c in students)]
        inputs = {**self.data, **{node.slug: node for node in caches}}
        inputs |= {f"model-{model.slug}": model for model in models}
        inputs |= {f"evaluation-{model.slug}": self.evaluation(model) for model in models}
        return Node("report", "report", 1, config or ReportConfig(replicates=500), inputs, run)

    def _labels(self, config, work, **inputs) -> dict:
        split = arrays.read_table(inputs["split"].file("split.csv"))
        drawn = config.views if config.views > 1 else 0
        counts = {"faces": len(split), "views": config.views, "views_computed": drawn, "views_copied": 0}
        for part, share in {"train": 0.09 if config.folds else 0.01, "val": 0.1, "test": 0.11}.items():
            counts[part] = int((split["part"] == part).sum())
            counts[f"{part}_disagrees"] = round(share * counts[part])
        return {"counts": counts, "skipped": [], "bytes_per_view": 9.0, "feature_bytes_per_view": 0.0}

    def _index(self, config, work) -> dict:
        arrays.write_table(work.path / "samples.csv", self.table)
        skipped = [{"file": "1000007_Pain_Man_Old.jpg", "reason": "truncated: 12 of 88 kB"}]
        counts = {"pictures": len(self.table) // 2 + 1, "samples": len(self.table), "skipped": 1}
        attributes = ["gender", "age_group", "ethnicity", "age"]
        return {
            "counts": counts, "skipped": skipped, "classes": CLASSES, "attributes": attributes, "dataset": "synpain"
        }  # fmt: skip

    def _align(self, config, work, samples) -> dict:
        n, path = len(self.table), work.path / "inputs.h5"
        ids = arrays.sample_id_column(self.table["sample_id"].tolist())
        layout = {
            "rgb": ((n, self.size, self.size, 3), np.uint8),
            "sample_id": ((n,), ids.dtype),
            "detected": ((n,), np.uint8),
        }
        arrays.create(path, "inputs", work.fingerprint, layout, {})
        writer = arrays.ColumnWriter(path)
        for rows in writer.pending():
            images = np.stack([draw_face(row, self.size) for _, row in self.table.iloc[rows].iterrows()])
            writer.write(rows, rgb=images, sample_id=ids[rows], detected=self.detected.to_numpy()[rows])
        writer.finish()
        missed = self.table["sample_id"][~self.detected]
        skipped = [{"sample_id": name, "reason": "no face found in two looks: centre crop used"} for name in missed]
        counts = {"faces": n, "detected": int(self.detected.sum()), "second_look": 3, "fallback": len(missed)}
        return {"counts": counts, "skipped": skipped}

    def _split(self, config, work, samples) -> dict:
        pair = self.table["subject_id"].astype(int) // 2 % 20  # the two subjects of a pain and a no-pain pair
        part = np.select([pair < 14, pair < 17], ["train", "val"], "test")
        frame = self.table[["sample_id", "subject_id"]].assign(part=part)
        arrays.write_table(work.path / "split.csv", frame)
        return {"counts": frame["part"].value_counts().to_dict(), "skipped": []}

    def _model(self, config, work, **inputs) -> dict:
        rng = np.random.default_rng(config.seed + len(work.node.slug))
        architecture, parameters, _ = NETWORKS[getattr(config, "student", config.teacher)]
        card = {"architecture": architecture.name, "classes": CLASSES, "weights": "shipped", "parameters": parameters}
        (work.path / "model.json").write_text(json.dumps(card))
        epoch = np.arange(1, config.epochs + 1)
        fall = np.exp(-epoch / 3) * 0.5
        history = pd.DataFrame(
            {
                "epoch": epoch,
                "train_loss": 0.15 + fall + rng.normal(0, 0.01, len(epoch)),
                "val_loss": 0.24 + fall + 0.008 * epoch + rng.normal(0, 0.015, len(epoch)),
                "val_balanced_accuracy": 0.93 - fall + rng.normal(0, 0.01, len(epoch)),
                "learning_rate": config.learning_rate,
            }
        )
        arrays.write_table(work.path / "history.csv", history)
        return {"counts": {"epochs": config.epochs}, "skipped": []}

    def _evaluate(self, model: Node):
        def run(config, work, **inputs) -> dict:
            is_teacher = model.stage == "train_teacher"
            name = f"teacher-{model.config.teacher}" if is_teacher else model.config.teacher
            taught = not is_teacher and model.config.teacher != "none"
            gain = LOSSES[model.config.loss] + 0.02 * model.config.views + 0.03 * model.config.folds if taught else 0
            logits = self._logits(SKILL[name] + gain, model.config.seed + 10 * len(model.slug))
            teacher = self._logits(SKILL[f"teacher-{model.config.teacher}"], 10 * 12) if taught else None
            split = arrays.read_table(inputs["split"].file("split.csv"))
            detected = pd.Series(self.detected.to_numpy(), index=self.table["sample_id"])
            table = predictions.faces_table(self.table, split, detected)
            answers = teacher.argmax(axis=1) if taught else None
            frame = predictions.add_answers(table, logits, CLASSES, answers)
            arrays.write_table(work.path / "predictions.csv", frame)
            scores = predictions.scores(frame[frame["part"] == "test"], config.replicates, 0.95, 0)
            (work.path / "metrics.json").write_text(json.dumps(scores))
            _, parameters, gmacs = NETWORKS[getattr(model.config, "student", model.config.teacher)]
            cost = {
                "parameters": parameters,
                "gmacs": gmacs,
                "gflops": 2 * gmacs,
                "latency_ms": 9.0 * gmacs + 3 + model.config.seed,
            }
            halves = [frame[frame["part"] == part] for part in ("test", "val")]
            calibration = predictions.calibrated(*halves, config.replicates, 0.95, 0)
            (work.path / "calibration.json").write_text(json.dumps(calibration))
            cost |= {"latency_p90_ms": 9.9 * gmacs + 3, "device": "cpu", "threads": 1, "processor": "a processor"}
            (work.path / "cost.json").write_text(json.dumps(cost))
            return {"counts": {"faces": len(frame)}, "skipped": []}

        return run

    def _logits(self, skill: float, seed: int) -> np.ndarray:
        """LabelStore that are right more often with more skill, most errors among expressive faces."""
        hard = 0.55 + 0.45 * (self.table["expressive"] == 0)
        common = np.random.default_rng(7).normal(0, 0.7, len(self.table))
        own = np.random.default_rng(seed).normal(0, 0.8, len(self.table))
        margin = (self.table["label"] * 2 - 1) * skill * hard + common + own
        return np.stack([-margin, margin], axis=1).astype(np.float32)


def build(root: Path, subjects: int = 360, seeds: int = 3, sweep: bool = False, **config) -> Artifact:
    """Fake artifacts with the real report over them."""
    from stages import report

    fakes = Fakes(root, subjects)
    models = fakes.sweep(seeds) if sweep else fakes.models(seeds)
    return fakes.store.build(fakes.report(report.run, models, replace(ReportConfig(), **config)))[0]


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), sweep="sweep" in sys.argv[2:]).path)
