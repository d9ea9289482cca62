"""Make a trained network smaller: pruned and trained again from the cached labels, in int8, or both.

Writes ``float32.onnx``, ``int8.onnx``, ``pruned.onnx`` and ``pruned.pt2``, ``pruned-int8.onnx``, as far as they are
asked for, each of which loads without timm and without this package, ``compress.json`` (what was done to each, and what
it is), and of the training after pruning ``history.csv`` and ``tensorboard/``. No teacher is asked again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.serving_config import CompressConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.serving.compressing import Forms
    from pipeline.serving.formats import Trained

VERSION = 1
CONFIG = CompressConfig
INPUTS = ("samples", "split", "inputs", "teachers", "students", "labels")
OUTPUT = "compressed"

log = logging.getLogger(__name__)


def run(
    config: CompressConfig,
    work: Work,
    samples: Artifact,
    inputs: Artifact,
    split: Artifact,
    model: Artifact,
    **labels: Artifact,
) -> dict[str, Any]:
    """Compress a teacher or a student.

    Parameters
    ----------
    labels : for each role ``labels_<role>``, the cached labels that a pruned network learns from again, of a teacher
        its own; none where nothing is pruned, or a student had no teacher.

    Raises
    ------
    ConfigError : the network cannot be pruned, or has nothing for int8.
    ArtifactError : the model or the labels are damaged, or a file does not answer as its network does.
    MissingDependencyError : a package of the extras ``export`` or ``prune`` is missing.
    """
    from pipeline.artifacts import arrays
    from pipeline.compute import processor
    from pipeline.serving import compressing
    from pipeline.serving.formats import Trained
    from pipeline.training import loop

    trained, vnni = Trained.load(model), processor.has_vnni()
    if config.int8 and not (vnni or config.reduce_range):
        log.warning("this processor has no VNNI: sums in int8 may overflow. REDUCE_RANGE=1 makes weights of 7 bits")
    columns, assigned = arrays.open_inputs(inputs), arrays.read_table(split.file("split.csv"))
    drawn = [
        compressing.drawn(columns, assigned, part, trained.reads, most)
        for part, most in (("train", config.calibration), ("val", compressing.MOST_VALIDATION))
    ]
    forms = compressing.Forms(work.path, work.fingerprint, *drawn)
    networks, summary = {"": trained}, {}
    if config.prune:  # first: what cannot be pruned is said before anything is written
        pruned, summary = _pruned(config, work, forms, trained, (samples, inputs, split), labels)
        networks["pruned"] = pruned
    for name, network in networks.items():
        forms.add(name or "float32", network)
        if config.int8:
            forms.add_int8(f"{name}-int8".lstrip("-"), name or "float32", network, config.harm, config.reduce_range)
    if config.prune:
        forms.add_program("pruned", networks["pruned"])
    forms.save({"model": model.path.name, "vnni": vnni, "calibrated_with": len(drawn[0][trained.reads[0]])})
    loop.finish(work.path)
    return {"counts": {"files": len(forms.rows)}, "skipped": [], "files": forms.rows, **summary}


def told(row: Mapping[str, Any]) -> str:
    """What was done to one file, in a line."""
    text = f"{row['file']}: {row['megabytes']:.2f} MB"
    if "pruned_channels" in row:
        gone = (f"{100 * row[f'pruned_{what}']:.0f}% of the {what}" for what in ("channels", "parameters"))
        text += f", without {' and '.join(gone)}"
    if "int8_operators" in row:
        text += f", {row['int8_operators']} operators in int8, {len(row['left_out'])} left out"
        text += f" (outputs move by {100 * row['harm']:.2g}% of their variance)"
    return text


def _pruned(
    config: CompressConfig,
    work: Work,
    forms: Forms,
    trained: Trained,
    artifacts: tuple[Artifact, Artifact, Artifact],
    labels: Mapping[str, Artifact],
) -> tuple[Trained, dict[str, Any]]:
    """The network pruned and trained again, and how that went; a killed run resumes its training.

    Parameters
    ----------
    artifacts : samples, inputs and split.
    """
    import copy

    from pipeline.inputs import batches
    from pipeline.models import pruning
    from pipeline.training import lessons, supervised

    network = copy.deepcopy(trained.network)
    took = pruning.prune(network, trained.made(trained.noise(2)), config.prune)
    lesson, _ = lessons.of_student(config.trained, *artifacts, labels, trained.reads)
    summary, domain = supervised.teach(network, batches.specs(trained.card), config.trained, lesson, work)
    return forms.pruned(network.cpu(), trained.card, took, domain), {
        "trained": summary["counts"],
        "best": summary["best"],
    }
