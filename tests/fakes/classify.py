"""Believable artifacts made without pictures, networks or training, for tests of what reads them.

``python -m tests.fakes.classify OUT`` writes them and a report over them, to look at; with the name of another task,
of that task; with ``sweep``, of many models; with ``budget``, of students that know some of the labels.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays, cards
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import (
    DEMO_SETS,
    AlignConfig,
    Architecture,
    DistillConfig,
    EvaluateConfig,
    IndexConfig,
    LabelsConfig,
    ReportConfig,
    SplitConfig,
    TeacherConfig,
    WindowConfig,
    as_dict,
)
from pipeline.evaluation import predictions, thresholds
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.inputs import budget
from pipeline.reporting.drawing import plain
from pipeline.tasks import PAIN, TASKS, Task
from tests.fakes import people, signals
from tests.fakes.people import SOURCES, draw_face

CLASSES = list(PAIN.outputs)
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
TAKEN_FOR = {"fear": "surprise", "surprise": "fear", "disgust": "anger", "anger": "disgust", "sadness": "neutral"}


class Fakes:
    """A store with every artifact a report reads.

    Parameters
    ----------
    root : where the artifacts go.
    subjects : pairs of faces.
    size : side of a face in pixels.
    task : of kind ``classify``.
    """

    networks, skill, losses, usual_loss = NETWORKS, SKILL, LOSSES, "hard"

    def __init__(self, root: Path, subjects: int = 360, size: int = 256, task: Task = PAIN):
        self.store, self.size, self.task = ArtifactStore(root), size, task
        of_signals = task.prepare == "window"
        known = signals if of_signals else people
        self.table, self.attributes = known.samples_table(subjects, task), known.ATTRIBUTES
        missed = self.table["sample_id"].iloc[[5, 41]].tolist()
        self.detected = None if of_signals else ~self.table["sample_id"].isin(missed)
        self.samples = Node("index", "samples", 1, IndexConfig(data=str(DEMO_SETS / task.demo)), {}, self._index)
        config, prepare = (WindowConfig(), self._window) if of_signals else (AlignConfig(), self._align)
        self.inputs = Node(task.prepare, "inputs", 1, config, {"samples": self.samples}, prepare)
        self.split = Node("split", "split", 1, SplitConfig(), {"samples": self.samples}, self._split)

    def of_folds(self, cv: int) -> list[Fakes]:
        """The same samples in so many outer folds, each with models of its own."""
        made = []
        for fold in range(cv):
            one, config = copy.copy(self), SplitConfig(cv=str(cv), fold=fold)
            one.split = Node("split", f"split{config.suffix}", 1, config, {"samples": self.samples}, self._split)
            made.append(one)
        return made

    def leaky(self) -> Fakes:
        """The same samples divided whoever they show."""
        one, config = copy.copy(self), SplitConfig(by="sample", i_know_it_leaks=True)
        one.split = Node("split", "split", 1, config, {"samples": self.samples}, self._split)
        return one

    @property
    def data(self) -> dict[str, Node]:
        """The inputs that all stages share."""
        return {"samples": self.samples, "inputs": self.inputs, "split": self.split}

    @property
    def label(self) -> np.ndarray:
        """The class of every sample, int, shape (N,)."""
        return self.table[self.task.target].map(self.task.read).map(self.task.outputs.index).to_numpy()

    def config(self, kind: type, **fields: Any) -> Any:
        """A stage's config, with the task where it has one."""
        asks = "task" in {field.name for field in dataclasses.fields(kind)}
        return kind(**fields, **({"task": self.task} if asks else {}))

    def model(self, name: str, teacher: str = "", seed: int = 0, **recipe) -> Node:
        """A teacher (``teacher`` empty) or a student of a teacher, with more of its recipe where it is given."""
        if not teacher:
            config = self.config(TeacherConfig, teacher=name, architecture=self.networks[name][0], epochs=8)
            slug = f"teacher-{name}{self.split.config.suffix}"
            return Node("train_teacher", slug, 1, config, self.data, self._model)
        recipe = {"loss": "label" if teacher == "none" else self.usual_loss} | recipe
        recipe |= {"student": name, "teacher": teacher, "seed": seed, "architecture": self.networks[name][0]}
        config = self.config(DistillConfig, epochs=8, **recipe)
        parts = [] if teacher == "none" else [plain(config.loss)]
        parts += [f"v{config.views}"] if config.views > 1 else []
        parts += [config.mix] if config.mix != "none" else []
        parts += [f"f{config.folds}"] if config.folds else []
        parts += ["online"] if config.online else []
        parts += [f"n{config.labelled:g}"] if config.labelled else []
        slug = "-".join(["student", name, teacher, *parts, f"s{seed}"]) + self.split.config.suffix
        return Node("distill", slug, 1, config, self.data, self._model)

    def evaluation(self, model: Node) -> Node:
        """The evaluation of a model."""
        inputs = {**self.data, "model": model}
        config = self.config(EvaluateConfig, replicates=200)
        return Node("evaluate", f"evaluation-{model.slug}", 1, config, inputs, self._evaluate(model))

    def labels(self, teacher: str, views: int = 1, folds: int = 0) -> Node:
        """A teacher's answers: their record alone, a report reads no more of them."""
        config = self.config(LabelsConfig, teacher=teacher, views=views, folds=folds)
        parts = [f"v{views}"] * (views > 1) + [f"f{folds}"] * bool(folds)
        inputs = {**self.data, "teacher": self.model(teacher)}
        slug = "-".join(["labels", teacher, *parts]) + self.split.config.suffix
        return Node("teacher_labels", slug, 1, config, inputs, self._labels)

    def models(self, seeds: int = 3) -> list[Node]:
        """Both teachers, and the student of each and of none in some seeds."""
        students = [self.model("deit", t, s) for t in ("resnet", "swin", "none") for s in range(seeds)]
        return [self.model("resnet"), self.model("swin"), *students]

    def sweep(self, seeds: int = 3) -> list[Node]:
        """The same with three losses, with fixed labels and with six views, and with cross-fitted hard labels."""
        recipes = [{"loss": loss, "views": views} for loss in self.losses for views in (1, 6)]
        recipes += [{"loss": self.usual_loss, "folds": 5}]
        taught = [self.model("deit", t, s, **r) for t in ("resnet", "swin") for r in recipes for s in range(seeds)]
        untaught = [self.model("deit", "none", s) for s in range(seeds)]
        return [self.model("resnet"), self.model("swin"), *taught, *untaught]

    def budget(self, seeds: int = 3, budgets: tuple[float, ...] = (10, 40, 0)) -> list[Node]:
        """Both teachers, and the student of each and of none, who know few of the labels, more, and all."""
        teachers, seeds = ("resnet", "swin", "none"), range(seeds)
        students = [self.model("deit", t, s, labelled=float(n)) for t in teachers for n in budgets for s in seeds]
        return [self.model("resnet"), self.model("swin"), *students]

    def reported(self, models: list[Node]) -> dict[str, Node]:
        """What a report reads of some models: they, their evaluations and the labels behind them."""
        students = [m.config for m in models if m.stage == "distill" and m.config.teacher != "none"]
        caches = [self.labels(*which) for which in dict.fromkeys((c.teacher, c.views, c.folds) for c in students)]
        inputs = {node.slug: node for node in caches}
        inputs |= {f"model-{model.slug}": model for model in models}
        return inputs | {f"evaluation-{model.slug}": self.evaluation(model) for model in models}

    def crossed_report(self, run, cv: int, config: ReportConfig) -> Node:
        """A report over the usual models in two seeds, in so many outer folds."""
        folds = self.of_folds(cv)
        inputs = {name: node for one in folds for name, node in one.reported(one.models(seeds=2)).items()}
        splits = {one.split.slug: one.split for one in folds[1:]}
        return Node("report", "report", 1, config, {**folds[0].data, **splits, **inputs}, run)

    def report(self, run, models: list[Node], config: ReportConfig | None = None) -> Node:
        """A report over some models and the labels behind them, made by the given stage function."""
        inputs = {**self.data, **self.reported(models)}
        return Node("report", "report", 1, config or self.config(ReportConfig, replicates=500), inputs, run)

    def _labels(self, config, work, **inputs) -> dict:
        split = arrays.read_table(inputs["split"].file("split.csv"))
        drawn = config.views if config.views > 1 else 0
        counts = {"samples": len(split), "views": config.views, "views_computed": drawn, "views_copied": 0}
        for part, share in {"train": 0.09 if config.folds else 0.01, "val": 0.1, "test": 0.11}.items():
            counts[part] = int((split["part"] == part).sum())
            counts[f"{part}_disagrees"] = round(share * counts[part])
        return {"counts": counts, "skipped": [], "bytes_per_view": 9.0, "feature_bytes_per_view": 0.0}

    def _index(self, config, work) -> dict:
        arrays.write_table(work.path / "samples.csv", self.table)
        skipped = [{"file": "1000007_Man_Old.jpg", "reason": "truncated: 12 of 88 kB"}]
        counts = {"pictures": len(self.table) // 2 + 1, "samples": len(self.table), "skipped": 1}
        summary = {"counts": counts, "skipped": skipped, "targets": [self.task.target]}
        summary |= {"attributes": list(self.attributes), "dataset": "folders" if "source" in self.table else "synpain"}
        return summary | ({"sources": dict.fromkeys(SOURCES, "folders")} if "source" in self.table else {})

    def _align(self, config, work, samples) -> dict:
        n, path = len(self.table), work.path / "inputs.h5"
        ids = arrays.sample_id_column(self.table["sample_id"].tolist())
        layout = {
            "rgb": ((n, self.size, self.size, 3), np.uint8),
            "sample_id": ((n,), ids.dtype),
            "detected": ((n,), np.uint8),
        }
        writer = arrays.open_writer(path, "inputs", work.fingerprint, layout, {})
        for rows in writer.pending():
            images = [self._draw(row) for _, row in self.table.iloc[rows].iterrows()]
            writer.write(rows, rgb=np.stack(images), sample_id=ids[rows], detected=self.detected.to_numpy()[rows])
        writer.finish()
        missed = self.table["sample_id"][~self.detected]
        skipped = [{"sample_id": name, "reason": "no face found in two looks: centre crop used"} for name in missed]
        counts = {"faces": n, "detected": int(self.detected.sum()), "second_look": 3, "fallback": len(missed)}
        return {"counts": counts, "skipped": skipped}

    def _draw(self, row: pd.Series) -> np.ndarray:
        """The prepared face of a sample, uint8, shape (size, size, 3)."""
        return draw_face(row, self.size, self.task)

    def _window(self, config, work, samples) -> dict:
        n, path = len(self.table), work.path / "inputs.h5"
        ids = arrays.sample_id_column(self.table["sample_id"].tolist())
        layout = {
            "signal": ((n, signals.STEPS, 1), np.float32),
            "length": ((n,), np.uint32),
            "repaired": ((n,), np.float32),
            "sample_id": ((n,), ids.dtype),
        }
        attrs = {"rate_hz": signals.RATE_HZ, "channels": ["gsr"]}
        writer = arrays.open_writer(path, "inputs", work.fingerprint, layout, attrs)
        for rows in writer.pending():
            some = self.table.iloc[rows]
            windows = np.stack([signals.record(row, self.task) for _, row in some.iterrows()])
            writer.write(rows, signal=windows, length=some["steps"], repaired=np.zeros(len(some)), sample_id=ids[rows])
        writer.finish()
        arrays.write_table(work.path / "examples.csv", signals.examples(self.table, self.task))
        done = {"interpolated": 3, "clipped": 20, "resampled": 0, "shorter": n // 7, "cut": 0, "constant": 1}
        return {
            "counts": {"windows": n, **done},
            "rate_hz": signals.RATE_HZ,
            "steps": signals.STEPS,
            "channels": ["gsr"],
            "repaired": 0.0012,
            "skipped": [],
        }

    def _split(self, config, work, samples) -> dict:
        pair = self.table["subject_id"].astype(int) // 2 % 20  # two subjects, of one class and of the other
        part = np.select([pair < 14, pair < 17], ["train", "val"], "test")
        if config.crossed:
            fold, following = pair % int(config.cv), (config.fold + 1) % int(config.cv)
            part = np.select([fold == config.fold, fold == following], ["test", "val"], "train")
        if config.by == "sample":
            part = np.take(["train", "val", "test"], np.arange(len(self.table)) // 2 % 3)
            part = np.where(np.arange(len(self.table)) % 7 == 0, "test", part)
        frame = self.table[["sample_id", "subject_id"]].assign(part=part)
        arrays.write_table(work.path / "split.csv", frame)
        return {"counts": frame["part"].value_counts().to_dict(), "skipped": []}

    def _model(self, config, work, **inputs) -> dict:
        rng = np.random.default_rng(config.seed + len(work.node.slug))
        architecture, parameters, _ = self.networks[getattr(config, "student", config.teacher)]
        task, read = self.task, self._read(config)
        card = {"architecture": architecture.name, "label": architecture.label, "weights": "shipped"}
        card |= {"network": as_dict(architecture), "classes": list(task.numbers), "inputs": read}
        card |= {"parameters": parameters, "trained_parameters": parameters, "task": as_dict(task)}
        card |= {"fingerprint": work.fingerprint, "sha256": "0" * 64}  # there are no weights
        (work.path / "model.json").write_text(cards.text(card))
        history = self._history(config, rng)
        arrays.write_table(work.path / "history.csv", history)
        best = history.loc[history["val_loss"].idxmin()].to_dict()
        counts = {"epochs": config.epochs} | self._labelled(config, inputs["split"])
        return {"counts": counts, "skipped": [], "best": best}

    def _read(self, config) -> dict:
        """What a network reads, as its card has it."""
        if self.task.prepare == "window":
            return {"signal": {"length": signals.STEPS, "channels": 1}}
        return {"rgb": {"size": config.architecture.image_size, "mean": [0.5] * 3, "std": [0.5] * 3}}

    def _history(self, config, rng: np.random.Generator) -> pd.DataFrame:
        """``history.csv`` of a training that goes as it should."""
        task, epoch = self.task, np.arange(1, config.epochs + 1)
        fall = np.exp(-epoch / 3) * 0.5
        columns = {
            "epoch": epoch,
            "train_loss": 0.15 + fall + rng.normal(0, 0.01, len(epoch)),
            "val_loss": 0.24 + fall + 0.008 * epoch + rng.normal(0, 0.015, len(epoch)),
            f"val_{task.headline}": 0.93 - fall + rng.normal(0, 0.01, len(epoch)),
        }
        columns |= {f"val_f1_{name}": 0.9 - fall + rng.normal(0, 0.02, len(epoch)) for name in task.outputs}
        return pd.DataFrame(columns | {"learning_rate": config.learning_rate})

    def _labelled(self, config, split: Artifact) -> dict[str, int]:
        """How many training subjects' labels a student knows."""
        if not hasattr(config, "labelled"):
            return {}
        frame = arrays.read_table(split.file("split.csv"))
        subjects = frame.loc[frame["part"] == "train", "subject_id"].nunique()
        return {"labelled_subjects": budget.count(config.labelled, subjects)}

    def _evaluate(self, model: Node):
        def run(config, work, **inputs) -> dict:
            split = arrays.read_table(inputs["split"].file("split.csv"))
            frame = self._predictions(model, split)
            arrays.write_table(work.path / "predictions.csv", frame)
            for name, content in self._scores(frame, config.replicates).items():
                (work.path / name).write_text(json.dumps(content))
            _, parameters, gmacs = self.networks[getattr(model.config, "student", model.config.teacher)]
            cost = {"parameters": parameters, "gmacs": gmacs, "gflops": 2 * gmacs}
            cost |= {"latency_ms": 9.0 * gmacs + 3 + model.config.seed, "latency_p90_ms": 9.9 * gmacs + 3}
            cost |= {"device": "cpu", "threads": 1, "processor": "a processor"}
            cost |= {"trainable": parameters, "megabytes": 4e-6 * parameters}
            (work.path / "cost.json").write_text(json.dumps(cost))
            self._hidden(model, frame, work)
            return {"counts": {"samples": len(frame)}, "skipped": []}

        return run

    def _hidden(self, model: Node, frame: pd.DataFrame, work) -> None:
        """Pooled features, which this kind keeps none of."""

    def _predictions(self, model: Node, split: pd.DataFrame) -> pd.DataFrame:
        """``predictions.csv`` of a model that is as good as its name, its loss and its views say."""
        is_teacher = model.stage == "train_teacher"
        name = f"teacher-{model.config.teacher}" if is_teacher else model.config.teacher
        taught, labelled = not is_teacher and model.config.teacher != "none", getattr(model.config, "labelled", 0)
        loss = self.losses.get(model.config.loss, 0.0) if taught else 0.0
        gain = loss + 0.02 * model.config.views + 0.03 * model.config.folds if taught else 0
        gain -= (0.3 if taught else 1.0) * bool(labelled) / math.log(2 + labelled)
        logits = self._logits(self.skill[name] + gain, model.config.seed + 10 * len(model.slug))
        teacher = self._logits(self.skill[f"teacher-{model.config.teacher}"], 10 * 12) if taught else None
        detected = None if self.detected is None else self.detected.set_axis(self.table["sample_id"])
        table = predictions.samples_table(self.table, split, detected, self.task, self.attributes)
        return predictions.prediction_columns(table, logits, Question.of(self.task), teacher)

    def _scores(self, frame: pd.DataFrame, replicates: int) -> dict[str, dict]:
        """``metrics.json`` and what was fitted on validation, as evaluate writes them."""
        question, drawn, kind = Question.of(self.task), (replicates, 0.95, 0), METRICS[self.task.kind]
        test, validation = (frame[frame["part"] == part] for part in ("test", "val"))
        made = {"metrics.json": predictions.scores(test, question, *drawn)}
        if kind.CALIBRATED:
            made["calibration.json"] = predictions.calibrated(test, validation, question, *drawn)
        if kind.THRESHOLDED:
            made["thresholds.json"] = thresholds.measured(test, validation, question, *drawn)
        return made

    def _logits(self, skill: float, seed: int) -> np.ndarray:
        """Logits that are right more often with more skill, most errors among samples that are hard for all."""
        own = np.random.default_rng(seed)
        if len(self.task.outputs) == 2:
            hard = 0.55 + 0.45 * (self.table["expressive"].to_numpy() == 0)
            common = np.random.default_rng(7).normal(0, 0.7, len(self.table))
            margin = (self.label * 2 - 1) * skill * hard + common + own.normal(0, 0.8, len(self.table))
            return np.stack([-margin, margin], axis=1).astype(np.float32)
        shape, outputs = (len(self.table), len(self.task.outputs)), self.task.outputs
        near = [outputs.index(TAKEN_FOR.get(outputs[label], outputs[label])) for label in self.label]
        logits = np.random.default_rng(7).normal(0, 0.7, shape) + own.normal(0, 0.6, shape)
        logits[np.arange(len(near)), near] += 0.6 * skill
        logits[np.arange(len(near)), self.label] += 1.2 * skill
        return (1.5 * logits).astype(np.float32)


def build(
    root: Path, subjects: int = 360, seeds: int = 3, which: str = "models", task: Task = PAIN, **config: Any
) -> Artifact:
    """Fake artifacts with the real report over them."""
    from stages import report

    fakes = Fakes(root, subjects, task=task)
    models = getattr(fakes, which)(seeds)
    return fakes.store.build(fakes.report(report.run, models, replace(fakes.config(ReportConfig), **config)))[0]


if __name__ == "__main__":
    [asked] = [TASKS[name] for name in sys.argv[2:] if name in TASKS] or [PAIN]
    [which] = [name for name in sys.argv[2:] if name in ("sweep", "budget")] or ["models"]
    print(build(Path(sys.argv[1]), which=which, task=asked).path)
