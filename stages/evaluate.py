"""Measure one model on the held-out faces.

Writes ``predictions.csv`` (every face of every part), ``metrics.json`` (the test part, each metric with its bootstrap
interval over subjects) and ``cost.json`` (parameters, arithmetic, latency; the latency is measured, so this file alone
is not the same in two runs). A teacher is not run again: its logits come from its labels.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline.artifacts import Artifact, Work
    from pipeline.config import EvaluateConfig
    from pipeline.stores import Columns

VERSION = 1


def run(
    config: EvaluateConfig,
    work: Work,
    samples: Artifact,
    faces: Artifact,
    split: Artifact,
    model: Artifact,
    labels: Artifact | None = None,
) -> dict[str, Any]:
    """Predict every face, and measure the predictions on the test part.

    Parameters
    ----------
    labels : the answers of the student's teacher, or the teacher's own when the model is a teacher; None for a
        student without a teacher.

    Raises
    ------
    ArtifactError : the labels lack a face, or have other classes than the model.
    """
    from pipeline import cost, models, predictions, stores

    network, card = models.load_model(model.path)
    store = stores.open_faces(faces)
    table = _faces(stores, samples, split, store)
    answers = stores.open_labels(labels) if labels else None
    own = answers is not None and answers.attrs["teacher_fingerprint"] == model.fingerprint
    if answers is not None:
        _check_classes(answers, card["classes"], model)
    if own:
        logits = answers["logits"][answers.rows(table["sample_id"]), 0]
    else:
        logits = _forward(network, card, store, store.rows(table["sample_id"]), config)
    teacher_predicted = None
    if answers is not None and not own:
        teacher_predicted = answers["hard"][answers.rows(table["sample_id"]), 0]
    answered = predictions.add_answers(table, logits, card["classes"], teacher_predicted)
    stores.write_table(work.path / "predictions.csv", answered)

    test = answered[answered["part"] == "test"]
    scores = {"classes": card["classes"], "part": "test"}
    scores |= predictions.scores(test, config.replicates, config.confidence, config.seed)
    _write_json(work, "metrics.json", scores)
    _write_json(work, "cost.json", cost.measure(network, card["input"]["size"]))
    return {
        "counts": {"faces": len(answered), "test": len(test), "test_subjects": scores["subjects"]},
        "skipped": [],
        "balanced_accuracy": scores["metrics"]["balanced_accuracy"],
    }


def _faces(stores: Any, samples: Artifact, split: Artifact, store: Columns) -> pd.DataFrame:
    """Every face with its part and attributes."""
    import pandas as pd

    from pipeline import predictions

    return predictions.faces_table(
        stores.read_table(samples.file("samples.csv")),
        stores.read_table(split.file("split.csv")),
        pd.Series(store["detected"].astype(bool), index=store.sample_ids),
    )


def _forward(network: Any, card: dict, store: Columns, rows: np.ndarray, config: EvaluateConfig) -> np.ndarray:
    """Logits of the identity view of the given rows, float32, shape (rows, C)."""
    import numpy as np
    import torch

    from pipeline import devices, models, streaming, views

    device = devices.pick(config.device)
    network = network.to(device).eval()
    spec = models.InputSpec(**card["input"])
    logits = np.empty((len(rows), len(card["classes"])), np.float32)
    done = 0
    with torch.inference_mode():
        for batch, images in streaming.batches(store["images"], rows, config.batch_size, device):
            answers = models.logits(network, views.normalise(images, spec))
            logits[done : done + len(batch)] = answers.cpu().numpy()
            done += len(batch)
    return logits


def _check_classes(answers: Columns, classes: list[str], model: Artifact) -> None:
    from pipeline.errors import ArtifactError

    found = answers.json("classes")
    if found != classes:
        raise ArtifactError(
            f"{answers.path} was made for classes {found}, {model.slug} has {classes}. "
            "Make labels for the same task: make teacher-labels"
        )


def _write_json(work: Work, name: str, content: dict) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (work.path / name).write_text(text + "\n", encoding="utf-8")
