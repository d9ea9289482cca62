"""Find, align and keep every face, once.

Writes ``inputs.h5``: a face of one size for each row of ``samples.csv``, in the same order, with its box and landmarks.
With ``ALIGN=none`` the pictures show aligned or cropped faces already: each is resized as a whole, and nobody looks.
With ``BOX=points`` or ``dataset`` nobody looks either: a square about the face's points, or the dataset's own box, is
the face, unturned.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.config import AlignConfig, as_dict
from pipeline.errors import ConfigError, DataError
from pipeline.inputs.faces import card

if TYPE_CHECKING:
    import numpy as np

    from pipeline.artifacts.store import Artifact, Work
    from pipeline.inputs.faces.aligner import Row

VERSION = card.VERSION
CONFIG = AlignConfig
INPUTS = ("samples",)
OUTPUT = "inputs"

BLOCK = 64
GPU_BATCH = 16

log = logging.getLogger(__name__)


def run(config: AlignConfig, work: Work, samples: Artifact) -> dict[str, Any]:
    """Detect and align the face of every sample; a sample without one keeps the centre of its region, marked.

    Raises
    ------
    DataError : a picture cannot be read any more.
    MissingDependencyError, ConfigError : the cluster that the config names cannot be had.
    """
    import time

    from tqdm import tqdm

    from pipeline.artifacts import arrays
    from pipeline.inputs.faces import aligner

    table = arrays.read_table(samples.file("samples.csv"))
    rows, boxes = _rows(config, samples, table), _boxes(config, samples)
    ids = arrays.sample_id_column(list(table["sample_id"]))
    path = work.path / "inputs.h5"
    layout = {**aligner.layout(len(rows), config.face_size), "sample_id": (ids.shape, ids.dtype)}
    attrs = {"image_size": config.face_size, "margin": config.margin}
    writer = arrays.open_writer(path, "inputs", work.fingerprint, layout, attrs, BLOCK)
    pending = writer.pending()
    left = sum(block.stop - block.start for block in pending)
    start = time.monotonic()
    with tqdm(total=len(rows), initial=len(rows) - left, desc="align", unit="face", disable=None) as bar:
        for block, columns in _blocks(config, pending, rows, boxes):
            writer.write(block, **columns, sample_id=ids[block])
            bar.update(block.stop - block.start)
    writer.finish()
    if left:
        log.info("align: %.1f faces a second", left / (time.monotonic() - start))
    return _summary(arrays.Columns(path, "inputs", work.fingerprint))


def _rows(config: AlignConfig, samples: Artifact, table) -> list[Row]:
    """Pictures and boxes from the sample table."""
    from pipeline.artifacts.raw_data import RawData
    from pipeline.inputs import archives

    archive = samples.file(archives.NAME) if archives.NAME in samples.record["files"] else None
    pictures = archives.locate(table["file"], RawData.of(config.data), archive)
    boxes = table[["x0", "y0", "x1", "y1"]].itertuples(index=False, name=None)
    return list(zip(pictures, boxes, strict=True))


def _boxes(config: AlignConfig, samples: Artifact) -> np.ndarray | None:
    """Where each row's face is, float (N, 4), NaN where that is not known; None where it is looked for.

    Raises
    ------
    ConfigError : pictures are resized as a whole.
    DataError : the dataset has no points, or no boxes.
    """
    from pipeline.inputs import sample_table

    if config.box == "mtcnn":
        return None
    if config.align == "none":
        raise ConfigError(f"BOX={config.box} cuts faces out, ALIGN=none resizes whole pictures. Leave one of them out.")
    boxes = sample_table.boxes(samples, config.box)
    if boxes is None:
        raise DataError(
            f"BOX={config.box}: the dataset has no {'points' if config.box == 'points' else 'boxes of faces'}; it "
            f"knows {', '.join(samples.summary['targets'])}. Leave BOX out, so that faces are looked for."
        )
    return boxes


def _blocks(
    config: AlignConfig, pending: list[slice], rows: list[Row], boxes: np.ndarray | None
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """The pending blocks as they are done, by processes on CPUs or in batches on a GPU."""
    import joblib

    from pipeline.compute import cluster, devices
    from pipeline.inputs.faces import aligner

    settings = card.Preparation.of(as_dict(config))
    looks = config.align != "none" and boxes is None
    device = "cpu" if config.backend != "loky" or not looks else devices.pick(config.device)
    if device != "cpu":
        yield from _gpu_blocks(settings, device, pending, rows)
        return
    given = {block.start: None if boxes is None else boxes[block] for block in pending}
    tasks = [joblib.delayed(aligner.align_block)(block, rows[block], settings, given[block.start]) for block in pending]
    yield from cluster.unordered(tasks, config.backend, config.scheduler, config.workers)


def _gpu_blocks(settings: card.Preparation, device: str, pending: list[slice], rows: list[Row]):
    """One process: the network on the GPU, reading and warping in threads."""
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.inputs.faces.aligner import FaceAligner

    with ThreadPoolExecutor() as threads:
        aligner = FaceAligner(settings, device, threads.map)
        for block in pending:
            yield block, aligner.align(rows[block], GPU_BATCH)


def _summary(faces) -> dict[str, Any]:
    look, detected = faces["look"][:], faces["detected"][:]
    missed = [name for name, face in zip(faces.sample_ids, detected.tolist(), strict=True) if not face]
    return {
        "counts": {
            "faces": len(look),
            "detected": int(detected.sum()),
            "second_look": int((look > 1).sum()),
            "fallback": len(missed),
        },
        "skipped": [
            {"sample_id": name, "reason": "no face found: the centre of the region is used"} for name in missed
        ],
    }
