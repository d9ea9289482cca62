"""Read the raw dataset once: which pictures there are, whom they show, and which cannot be used.

Writes ``samples.csv``, a row for each face, and ``skipped.csv``, a row with the reason for each unusable picture.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline.config import IndexConfig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipeline.artifacts.raw_data import RawData
    from pipeline.artifacts.store import Work

VERSION = 3
CONFIG = IndexConfig
INPUTS = ("raw",)
OUTPUT = "samples"

log = logging.getLogger(__name__)


def run(config: IndexConfig, work: Work, raw: RawData) -> dict[str, Any]:
    """List the dataset, decode every picture once, and write the sample table.

    Raises
    ------
    DataError : the dataset is in no known form, has no usable picture, or too many pictures that cannot be used.
    """
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.inputs import archives, datasets
    from pipeline.inputs import index as indexing

    name = datasets.recognise(raw.path, raw.files) if config.dataset == "auto" else config.dataset
    with archives.Unpacker(work.path) as unpacker:
        listing = datasets.read(name, raw.path, raw.files, unpacker.add)
    digests = {entry.file: listing.digests.get(entry.file) or raw.files[entry.file] for entry in listing.entries}
    firsts = indexing.first_files(listing.entries, digests)
    paths = archives.locate(firsts, raw, work.path)
    inspected = dict(zip(firsts, _inspect(paths, firsts.values(), config.workers), strict=True))
    rows, skipped = indexing.sample_rows(listing, digests, inspected)
    reasons = pd.DataFrame([vars(item) for item in skipped], columns=["file", "region", "reason"])
    arrays.write_table(work.path / "skipped.csv", reasons)
    pictures = len(listing.entries) + len(listing.skipped)
    indexing.check_skipped(len(rows), skipped, pictures, config.max_skipped, work.path / "skipped.csv")
    samples = pd.DataFrame(rows)
    arrays.write_table(work.path / "samples.csv", samples)
    log.info("index: %d samples of %d pictures, %d skipped (%s)", len(rows), pictures, len(skipped), name)
    return {
        "counts": {
            "pictures": pictures,
            "samples": len(samples),
            "skipped": len(skipped),
            "subjects": int(samples["subject_id"].nunique()),
        },
        "targets": indexing.targets_of(listing),
        "attributes": indexing.attributes_of(listing),
        "dataset": name,
        "skipped": [vars(item) for item in skipped],
    }


def _inspect(paths: list[Path], paired: Iterable[bool], workers: int) -> list[dict[str, Any] | str]:
    """Decode each picture in joblib processes; its regions' boxes, or the reason why it cannot be used."""
    import joblib
    from tqdm import tqdm

    from pipeline.inputs.index import inspect

    processes = max(1, min(workers or joblib.cpu_count(), len(paths) // 16))
    tasks = (joblib.delayed(inspect)(path, pair) for path, pair in zip(paths, paired, strict=True))
    done = joblib.Parallel(n_jobs=processes, return_as="generator", idle_worker_timeout=15)(tasks)
    return list(tqdm(done, total=len(paths), desc="index", unit="picture", disable=None))
