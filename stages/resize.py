"""Bring every frame to one size, once, filtered as asked.

Writes ``inputs.h5``: for each row of ``samples.csv``, in the same order, its RGB frame and, where samples have one, the
infrared frame of the same scene. Frames are resized as a whole, so that both show the same.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline.config import ResizeConfig, as_dict
from pipeline.errors import DataError
from pipeline.inputs.frames import card

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

    from pipeline.artifacts.columns import Columns
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.inputs.frames.resize import Row

VERSION = card.VERSION
CONFIG = ResizeConfig
INPUTS = ("samples",)
OUTPUT = "inputs"

BLOCK = 64

log = logging.getLogger(__name__)


def run(config: ResizeConfig, work: Work, samples: Artifact) -> dict[str, Any]:
    """Prepare the frames of every sample.

    Raises
    ------
    DataError : the samples are no pictures, some of a pair lack a half, or a frame cannot be read any more.
    ConfigError, MissingDependencyError : a filter is none, or needs a package that is not installed.
    """
    from pipeline.artifacts import arrays
    from pipeline.inputs.frames import filters, resize

    preparation = card.Preparation.of(as_dict(config), {})
    filters.check(preparation.filters)
    table = arrays.read_table(samples.file("samples.csv"), ir_file=str)
    rows = _rows(config, samples, table)
    modalities = list(rows[0][0])
    ids = arrays.sample_id_column(list(table["sample_id"]))
    layout = {**resize.layout(len(rows), config.frame_size, modalities), "sample_id": (ids.shape, ids.dtype)}
    path, attrs = work.path / "inputs.h5", {"image_size": config.frame_size}
    writer = arrays.open_writer(path, "inputs", work.fingerprint, layout, attrs, BLOCK)
    for block, columns in _blocks(writer.pending(), rows, preparation, config.workers):
        writer.write(block, **columns, sample_id=ids[block])
    writer.finish()
    scales = _scales(arrays.Columns(path, "inputs", work.fingerprint), modalities)
    return {"counts": {"frames": len(rows)}, "modalities": modalities, "scales": scales, "skipped": []}


def _rows(config: ResizeConfig, samples: Artifact, table: pd.DataFrame) -> list[Row]:
    """Files by modality and boxes from the sample table."""
    from pipeline.artifacts.raw_data import RawData
    from pipeline.inputs import archives

    if "x0" not in table:
        raise DataError(f"{config.data} holds no pictures. Choose a task of signals: TASK=, or other data: DATA=")
    raw = RawData.of(config.data)
    archive = samples.file(archives.NAME) if archives.NAME in samples.record["files"] else None
    files = {"rgb": archives.locate(table["file"], raw, archive)}
    if "ir_file" in table:
        lone = table.loc[table["ir_file"].isna(), "file"]
        if len(lone):
            raise DataError(
                f"{len(lone)} of {len(table)} samples have no IR frame, the first is {lone.iloc[0]}. "
                "Give datasets that all have pairs: DATA="
            )
        files["ir"] = archives.locate(table["ir_file"], raw, None)
    boxes = table[["x0", "y0", "x1", "y1"]].itertuples(index=False, name=None)
    paths = (dict(zip(files, of_row, strict=True)) for of_row in zip(*files.values(), strict=True))
    return list(zip(paths, boxes, strict=True))


def _blocks(
    pending: list[slice], rows: list[Row], preparation: card.Preparation, workers: int
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """The pending blocks as they are done, by processes of this machine."""
    from pipeline.compute import cluster
    from pipeline.inputs.frames import resize

    bar = {"title": "resize", "unit": "frame"}
    yield from cluster.blocks(resize.block_of, pending, rows, preparation, workers=workers, few=resize.FEW, **bar)


def _scales(frames: Columns, modalities: list[str]) -> dict[str, dict[str, list[float]]]:
    """Mean and deviation of every channel, read block by block."""
    import mmap

    from pipeline.artifacts.columns import mapping
    from pipeline.inputs.frames.resize import Moments

    scales = {}
    for modality in modalities:
        moments, column = Moments(), frames[modality]
        for start in range(0, len(column), BLOCK):
            moments.add(column[start : start + BLOCK])
            mapping(column).madvise(mmap.MADV_DONTNEED)  # what was read counts as this process's memory
        scales[modality] = moments.scale()
    return scales
