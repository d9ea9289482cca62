"""Pretrain: teach a small backbone the action units, phenotype and landmarks of synthetic faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artifacts import Artifact, Work
from pipeline.config import PretrainConfig
from pipeline.raw import RawData

if TYPE_CHECKING:
    import numpy as np

    from pipeline.stores import Columns

VERSION = 1


def run(
    config: PretrainConfig,
    work: Work,
    raw: RawData,
    samples: Artifact,
    faces: Artifact,
    guide: Artifact | None = None,
) -> dict:
    """Train one backbone and keep its weights.

    Parameters
    ----------
    raw : a folder made by ``synthesize``, with its truth.csv.
    samples, faces : its ``index`` and ``align`` artifacts.
    guide : the ``pretrain`` artifact of a convolutional network that leads a transformer's features.
    """
    import numpy as np
    import torch

    from pipeline import devices, models, pretraining, stores, training
    from pipeline.counter import keys
    from pipeline.streaming import batches, epoch_order
    from pipeline.views import augment, normalise, view_parameters, view_points

    device = devices.pick(config.device)
    columns = stores.open_faces(faces)
    rows, known, subjects = _truth(raw, samples, columns, faces.config["margin"])
    held_out = np.isin(subjects, _held_out(subjects, config.held_out))
    train, val = rows[~held_out], rows[held_out]
    truth_train, truth_val = known.rows(~held_out), known.rows(held_out)
    sample_keys = keys(columns.sample_ids)
    spec = models.input_spec(config.architecture)

    leader = models.load_model(guide.path)[0].to(device).eval() if guide else None
    model = models.build(config.architecture, known.outputs, config.seed)
    pupil = pretraining.Pupil(model, _channels(leader, spec.size, device), spec.size)
    loss = pretraining.TruthLoss(
        sum(name.startswith("au") for name in known.names), len(known.names), config.guide_weight
    )

    def epoch_batches(epoch: int, first_step: int):
        order = train[epoch_order(config.seed, epoch, len(train))][first_step * config.batch_size :]
        for chunk, images in batches(columns["images"], order, config.batch_size, device):
            parameters = view_parameters(config.seed, sample_keys[chunk], epoch)
            known_here = truth_train.rows(np.searchsorted(train, chunk))  # rows are in ascending order
            points = view_points(known_here.landmarks, parameters)
            points = pretraining.mirrored(points, parameters[:, 3] > 0)
            wanted = torch.from_numpy(_joined(known_here.values, points)).to(device)
            views = augment(images, parameters, spec)
            with devices.autocast(device, config.precision):
                maps = pretraining.guide_targets(leader, views) if leader else []
            yield views, {"truth": wanted, "maps": maps}

    def answers() -> np.ndarray:
        found = []
        with torch.inference_mode():
            for _, images in batches(columns["images"], val, config.batch_size, device):
                found.append(model.eval()(normalise(images, spec)).float().cpu())
        return torch.cat(found).numpy()

    def validate(_: torch.nn.Module) -> dict[str, float]:
        outputs = answers()
        wanted = torch.from_numpy(_joined(truth_val.values, truth_val.landmarks))
        found = pretraining.scores(outputs, truth_val)
        return {
            "val_loss": loss.of_truth(torch.from_numpy(outputs), wanted).item(),
            "val_correlation": found["mean_correlation"],
            "val_nme": found["nme"],
        }

    schedule = pretraining.Cosine(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        step_size=1,
        gamma=1.0,
        seed=config.seed,
        precision=config.precision,
        device=device,
    )
    steps = -(-len(train) // config.batch_size)
    progress = training.fit(
        pupil, epoch_batches, loss, validate, schedule, work.path, work.fingerprint, steps, title=work.node.slug
    )
    final = pretraining.scores(answers(), truth_val)
    models.save_model(work.path, model, models.describe(model, config.architecture, known.outputs))
    training.finish(work.path)
    return {
        "counts": {
            "faces": len(rows),
            "identities": len(set(subjects)),
            "held_out_faces": len(val),
            "steps": steps * config.epochs,
        },
        "best_epoch": progress.best["epoch"],
        "seconds": round(sum(progress.seconds), 1),
        "device": device,
        "scores": final,
    }


def export(artifact: Artifact, out: Path) -> Path:
    """Copy a pretrained backbone, without its outputs, as float16 safetensors with a card beside it."""
    from safetensors.torch import save_file

    from pipeline import models

    model, card = models.load_model(artifact.path)
    heads = models.heads(model)
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

timm `{card["architecture"]}`{f" with {options}" if options else ""}, input {card["input"]["size"]} px,
{card["parameters"] / 1e6:.1f} million parameters with its outputs, stored as float16 without them
({size / 1e6:.1f} MB).
Licence: CC0 (weights trained from random values on synthetic faces alone).

Pretrained to predict action units, phenotype and landmarks of synthetic faces by `make pretrain`. Nobody real was seen.
It knows rendered faces; that it reads the faces of people is not shown.

| | |
|---|---|
| faces | {counts["faces"]:,} of {counts["identities"]:,} identities, none of them in the demo set |
| held out | {counts["held_out_faces"]:,} faces of other identities than were trained on |
| steps | {counts["steps"]:,} of {config["batch_size"]} faces, {config["epochs"]} epochs; {summary["best_epoch"]} kept |
| time | {summary["seconds"]:,.0f} s ({summary["device"]}) |
| mean correlation of action units | {scores["mean_correlation"]:.3f} |
| landmarks, NME (outer eye corners) | {scores["nme"]:.4f} |

Correlation of each action unit on the held-out faces:

| unit | r |
|---|---|
{units}
"""


def _truth(raw: RawData, samples: Artifact, columns: Columns, margin: float) -> tuple:
    """Rows of the detected faces, their truth and their subjects."""
    import numpy as np

    from pipeline import pretraining, stores
    from pipeline.geometry import similarity, template

    index = stores.read_table(samples.file("samples.csv"))
    table = stores.read_table(raw.folder / "truth.csv").set_index(["file", "region"])
    rows = columns.rows(index["sample_id"])
    detected = columns["detected"][rows].astype(bool)
    index, rows = index[detected], rows[detected]
    known = table.loc[list(zip(index["file"], index["region"], strict=True))]
    size = columns["images"].shape[1]
    upright = template(size, margin)
    matrices = np.stack([similarity(points, upright) for points in columns["landmarks"][rows]])
    return rows, pretraining.truth(known, matrices, size), index["subject_id"].to_numpy()


def _held_out(subjects: np.ndarray, share: float) -> np.ndarray:
    """A share of the subjects, at least two, chosen by their names alone."""
    import numpy as np

    from pipeline.counter import hashed, keys

    names = np.unique(subjects)
    return names[np.argsort(hashed(1, keys(names)))[: max(2, round(share * len(names)))]]


def _joined(values: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.concatenate([values, landmarks.reshape(len(landmarks), -1)], axis=1)


def _channels(leader, size: int, device: str) -> tuple[int, ...]:
    import torch

    from pipeline.pretraining import feature_maps

    if leader is None:
        return ()
    with torch.no_grad():
        return tuple(m.shape[1] for m in feature_maps(leader, torch.zeros(1, 3, size, size, device=device))[1])
