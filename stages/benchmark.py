"""Say what the compressed forms of a network are worth: size, arithmetic, time, and what they cost in accuracy.

Writes ``benchmark.json``: for each form its parameters, megabytes, arithmetic, latencies, the headline metric on the
test part, its paired difference to the network as it was trained, each with its bootstrap interval over subjects, and
how alike their answers are. The latencies are measured, so this file is not the same in two runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.serving_config import BenchmarkConfig

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from pipeline.artifacts.arrays import Columns
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.serving.formats import Trained

VERSION = 1
CONFIG = BenchmarkConfig
INPUTS = ("inputs", "teachers", "students", "evaluations", "compressed")
OUTPUT = "benchmarks"

FILE = "benchmark.json"
ORIGINAL = "torch float32"  # the format that all others are compared with
# By format the one that it is to be faster than.
MADE_OF = {"float32": ORIGINAL, "int8": "float32", "pruned": "float32", "pruned-int8": "pruned"}
# What is told of a form that was told when it was made.
KEPT = (
    "file",
    "megabytes",
    "parameters",
    "gflops",
    "pruned_channels",
    "pruned_parameters",
    "int8_operators",
    "left_out",
)
BATCH = 32  # samples that are asked at once


def run(
    config: BenchmarkConfig, work: Work, inputs: Artifact, model: Artifact, evaluation: Artifact, compressed: Artifact
) -> dict[str, Any]:
    """Measure a network and its compressed forms.

    Parameters
    ----------
    evaluation : of the model, which knows the test samples and what is true of them.

    Raises
    ------
    ArtifactError : the model or one of its forms is damaged.
    """
    from functools import partial

    from pipeline import models
    from pipeline.artifacts import arrays
    from pipeline.compute import processor
    from pipeline.evaluation import forms
    from pipeline.evaluation.question import Question
    from pipeline.inputs import batches
    from pipeline.serving import timing
    from pipeline.serving.formats import Trained

    trained, columns = Trained.load(model), arrays.open_inputs(inputs)
    every = arrays.read_table(evaluation.file("predictions.csv"))
    test = every[every["part"] == "test"].reset_index(drop=True)
    engines, rows = {ORIGINAL: lambda _: partial(models.logits, trained.network)}, {ORIGINAL: _original(trained, model)}
    for row in compressed.summary["files"]:
        engines[row["format"]] = partial(_session, compressed.file(row["file"]))
        rows[row["format"]] = {name: row[name] for name in KEPT if name in row}
    answers = {name: _answers(engine(0), trained, columns, test) for name, engine in engines.items()}
    for name, engine in engines.items():
        rows[name]["latency_ms"] = timing.latencies(engine, batches.specs(trained.card), config.timing_s)
    question = Question.of(config.task)
    scores = forms.compared(test, answers, question, config.replicates, config.confidence, config.seed)
    for name, row in rows.items():
        row |= scores[name] | _likeness(answers[ORIGINAL], answers[name], trained)
    told = {
        "model": model.slug,
        "headline": config.task.headline,
        "samples": len(test),
        "subjects": int(test["subject_id"].nunique()),
        "confidence": config.confidence,
        "processor": processor.name(),
        "vnni": processor.has_vnni(),
        "busy": processor.busy(),
        "slower": timing.slower(rows, MADE_OF),
        "rows": [{"format": name} | row for name, row in rows.items()],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
    (work.path / FILE).write_text(text + "\n", encoding="utf-8")
    return {"counts": {"formats": len(rows), "test": len(test)}, "skipped": []}


def _original(trained: Trained, model: Artifact) -> dict[str, Any]:
    """What there is to say of the network as it was trained."""
    from pipeline.inputs import batches
    from pipeline.models import cost
    from pipeline.models.saved import WEIGHTS

    specs = batches.specs(trained.card)
    flops = cost.count_flops(trained.network, batches.blank(specs, "cpu").make(specs))
    return {
        "file": WEIGHTS,
        "megabytes": round(model.file(WEIGHTS).stat().st_size / 1e6, 3),
        "parameters": trained.card["parameters"],
        "gflops": round(flops / 1e9, 6),
    }


def _session(path: Path, threads: int) -> Callable[[Any], Any]:
    """What runs an ONNX file on so many threads, outputs alone."""
    from pipeline.serving.onnx_file import OnnxEngine

    engine = OnnxEngine(path, threads)
    return lambda inputs: engine.read(inputs)[0]


def _answers(ask: Callable[[Any], Any], trained: Trained, columns: Columns, test: pd.DataFrame) -> np.ndarray:
    """Raw outputs for the test samples, float32, shape (N, C)."""
    import numpy as np

    from pipeline.inputs import batches

    specs, names = batches.specs(trained.card), list(test["sample_id"])
    asked = batches.Samples({name: columns[name] for name in specs}, columns.rows(names), names)
    parts = batches.identity(asked, np.arange(len(asked)), BATCH, "cpu")
    return np.concatenate([np.asarray(ask(batch.make(specs))) for batch in parts])


def _likeness(original: np.ndarray, answers: np.ndarray, trained: Trained) -> dict[str, Any]:
    """How alike answers are to those of the network as it was trained."""
    from pipeline.serving import parity

    alike = parity.compared(original, answers, trained.card, share=float("inf"))
    return {
        "agreement": alike.agreement,
        "difference_in_units": alike.in_units,
        "unit": alike.unit,
        "alike": alike.words,
    }


def table(artifact: Artifact) -> str:
    """What ``benchmark.json`` says, in columns, and which forms are slower."""
    told = json.loads(artifact.file(FILE).read_text(encoding="utf-8"))
    settings = list(told["rows"][0]["latency_ms"])
    head = (
        "format",
        "params, M",
        "MB",
        "GFLOPs",
        *(f"ms {name}" for name in settings),
        told["headline"],
        "difference",
        "like torch",
    )
    rows = [head, *(_cells(row, settings) for row in told["rows"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(
        (
            f"{told['model']}, {told['samples']} test samples, {told['processor']}",
            *lines,
            *told["slower"],
            *filter(None, [told["busy"]]),
        )
    )


def _cells(row: dict[str, Any], settings: list[str]) -> tuple[str, ...]:
    size = f"{row['parameters'] / 1e6:.3f}", f"{row['megabytes']:.2f}", f"{row['gflops']:.3f}"
    times = (f"{row['latency_ms'][name]:.2f}" for name in settings)
    worth = (_estimate(row.get(name), sign) for name, sign in (("metric", ""), ("difference", "+")))
    return row["format"], *size, *times, *worth, row["alike"]


def _estimate(estimate: dict[str, Any] | None, sign: str) -> str:
    """A value and its interval; a dash where there is none."""
    if estimate is None or estimate["value"] is None:
        return "-"
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    interval = "" if low is None else f" [{low:{sign}.3f}, {high:{sign}.3f}]"
    return f"{value:{sign}.3f}{interval}"
