"""Pretrain: teach a small backbone the action units, phenotype and landmarks of synthetic faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, Work
from pipeline.config import PretrainConfig

if TYPE_CHECKING:
    import numpy as np

    from pipeline.inputs.batches import Samples

VERSION = 3
CONFIG = PretrainConfig
INPUTS = ("raw", "samples", "inputs", "guide")
OUTPUT = "pretrained"


def run(
    config: PretrainConfig,
    work: Work,
    raw: RawData,
    samples: Artifact,
    inputs: Artifact,
    guide: Artifact | None = None,
) -> dict:
    """Train one backbone and keep its weights.

    Parameters
    ----------
    raw : a folder made by ``synthesize``, with its truth.csv.
    samples, inputs : its ``index`` and ``align`` artifacts.
    guide : the ``pretrain`` artifact of a convolutional network that leads a transformer's features.
    """
    import numpy as np

    from pipeline import models
    from pipeline.pretraining import targets as face_targets
    from pipeline.pretraining import train as pretraining

    faces, subjects = _faces(raw, samples, inputs)
    held_out = face_targets.held_out(subjects, config.held_out)
    learned, tested = (faces.at(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
    leader = models.load_model(guide)[0] if guide else None
    summary = pretraining.train(config, learned, tested, leader, work.path, work.fingerprint, work.node.slug)
    counts = {"faces": len(faces), "identities": len(set(subjects)), "held_out_faces": len(tested)}
    return {"counts": counts, "skipped": [], **summary}


def export(artifact: Artifact, out: Path) -> Path:
    """Copy a pretrained backbone, without its outputs, as float16 safetensors with a card beside it."""
    from safetensors.torch import save_file

    from pipeline import models

    model, card = models.load_model(artifact)
    heads = models.output_layers(model)
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith(tuple(f"{head}." for head in heads))
    }
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{card['label']}.safetensors"
    save_file(tensors, file)
    file.with_suffix(".md").write_text(_card(artifact, card, file.stat().st_size))
    return file


def _card(artifact: Artifact, card: dict, size: int) -> str:
    summary, config = artifact.summary, artifact.config
    counts, scores = summary["counts"], summary["scores"]
    options = ", ".join(f"{name}={value}" for name, value in config["architecture"]["options"])
    units = "\n".join(f"| {name.upper()} | {value:.2f} |" for name, value in scores.items() if name.startswith("au"))
    return f"""# {card["label"]}

timm `{card["architecture"]}`{f" with {options}" if options else ""}, input {card["inputs"]["rgb"]["size"]} px,
{card["parameters"] / 1e6:.1f} million parameters with its outputs, stored as float16 without them
({size / 1e6:.1f} MB).
Licence: CC0 (weights trained from random values on synthetic faces alone).

Pretrained to predict action units, phenotype and landmarks of synthetic faces by `make pretrain`. Nobody real was seen.
It knows rendered faces; that it reads the faces of people is not shown.

| | |
|---|---|
| faces | {counts["faces"]:,} of {counts["identities"]:,} identities, none of them in the demo set |
| held out | {counts["held_out_faces"]:,} faces of other identities than were trained on |
| steps | {summary["steps"]:,} of {config["batch_size"]} faces; epoch {summary["best_epoch"]} of {config["epochs"]} |
| views | {config["views_strength"]} |
| time | {summary["seconds"]:,.0f} s ({summary["device"]}) |
| mean correlation of action units | {scores["mean_correlation"]:.3f} |
| landmarks, NME (outer eye corners) | {scores["nme"]:.4f} |

Correlation of each action unit on the held-out faces:

| unit | r |
|---|---|
{units}
"""


def _faces(raw: RawData, samples: Artifact, inputs: Artifact) -> tuple[Samples, np.ndarray]:
    """The detected faces with their truth in the aligned face's coordinates, and their subjects."""
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.inputs.batches import Samples
    from pipeline.inputs.faces.geometry import similarity, template
    from pipeline.pretraining import targets as face_targets

    index = arrays.read_table(samples.file("samples.csv"))
    columns = arrays.open_inputs(inputs)
    rows = columns.rows(index["sample_id"])
    detected = columns["detected"][rows].astype(bool)
    index, rows = index[detected], rows[detected]
    table = arrays.read_table(raw.folder / "truth.csv").set_index(["file", "region"])
    size = columns["rgb"].shape[1]
    upright = template(size, inputs.config["margin"])
    matrices = np.stack([similarity(points, upright) for points in columns["landmarks"][rows]])
    truth = face_targets.of_table(table.loc[list(zip(index["file"], index["region"], strict=True))], matrices, size)
    return Samples({"rgb": columns["rgb"]}, rows, list(index["sample_id"]), truth), index["subject_id"].to_numpy()
