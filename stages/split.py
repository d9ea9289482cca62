"""Divide the subjects into training, validation and test parts.

Writes ``split.csv``: the part of each sample; all samples of a subject are in one part.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline.config import SplitConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 3
CONFIG = SplitConfig
INPUTS = ("samples",)
OUTPUT = "split"

log = logging.getLogger(__name__)


def run(config: SplitConfig, work: Work, samples: Artifact) -> dict[str, Any]:
    """Split by the dataset's official folds if it has them, else at random, balanced by primary target and attributes.

    Raises
    ------
    ConfigError : the shares leave a part empty, or there is no source of the name that is to stay unseen.
    DataError : there are too few subjects, a class is missing from a part, or the official folds contradict themselves.
    """
    from pipeline.artifacts import arrays
    from pipeline.inputs import split as splits
    from pipeline.inputs import strata

    table = arrays.read_table(samples.file("samples.csv"), fold=str)
    if config.unseen:
        table["fold"] = splits.folds_without(table, config.unseen)
    official = bool(config.unseen) or (config.official and "fold" in table)
    parts = splits.split(
        table,
        samples.summary,
        splits.shares(config.train, config.val),
        config.seed,
        official=official,
    )
    table["part"] = table["subject_id"].map(parts)
    arrays.write_table(work.path / "split.csv", table[["sample_id", "subject_id", "part"]])
    counts = {
        part: {
            "subjects": int(rows["subject_id"].nunique()),
            "samples": len(rows),
            **strata.words(rows, table, samples.summary["targets"]),
        }
        for part in splits.PARTS
        for rows in [table[table["part"] == part]]
    }
    log.info("split: %s", ", ".join(f"{part} {count['samples']}" for part, count in counts.items()))
    return {"counts": counts, "official": official, "skipped": []}
