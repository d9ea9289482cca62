"""Divide the subjects into training, validation and test parts.

Writes ``split.csv``: the part of each sample; all samples of a subject are in one part. With cross-validation there is
one such artifact for each outer fold, and every subject is in the test part of one of them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline.config import EACH_SUBJECT, SplitConfig
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 5
CONFIG = SplitConfig
INPUTS = ("samples",)
OUTPUT = "split"

log = logging.getLogger(__name__)


def run(config: SplitConfig, work: Work, samples: Artifact) -> dict[str, Any]:
    """Split by the dataset's official folds if it has them, else at random, balanced by primary target and attributes.

    Raises
    ------
    ConfigError : the shares leave a part empty, there is no source of the name that is to stay unseen, the official
        folds are another number than those of cross-validation, or two of the options contradict each other.
    DataError : there are too few subjects, a class is missing from a part, or the official folds contradict themselves.
    """
    from pipeline.artifacts import arrays
    from pipeline.inputs import outer_folds, strata
    from pipeline.inputs import split as splits

    check(config)
    table = arrays.read_table(samples.file("samples.csv"), fold=str)
    if config.unseen:
        table["fold"] = splits.folds_without(table, config.unseen)
    official = config.by == "subject" and config.cv != EACH_SUBJECT
    official = official and (bool(config.unseen) or (config.official and "fold" in table))
    # What is divided stands in the column of subjects: where that is a sample, each is a subject of its own.
    units = table if config.by == "subject" else table.assign(subject_id=table["sample_id"])
    if config.crossed:
        parts = outer_folds.split(units, samples.summary, config.cv, config.fold, config.seed, official)
    else:
        shares = splits.shares(config.train, config.val)
        parts = splits.split(units, samples.summary, shares, config.seed, official=official)
    table["part"] = units["subject_id"].map(parts)
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
    shared = int((table.groupby("subject_id")["part"].nunique() > 1).sum())
    if shared:
        log.warning("split: %d subjects are in several parts: a leak, for demonstration alone", shared)
    return {"counts": counts, "official": official, "shared_subjects": shared, "skipped": []}


def check(config: SplitConfig) -> None:
    """Refuse what contradicts itself, and what leaks unless that is meant.

    Raises
    ------
    ConfigError : samples are to be divided without a word that this leaks; or subjects are to be left out, or a source
        to be unseen, where something else is divided.
    """
    if config.by == "sample" and not config.i_know_it_leaks:
        raise ConfigError(
            "SPLIT_BY=sample puts samples of the same person or clip into training and test: figures are then those of "
            "what the networks know. To show how much too good they are: I_KNOW_IT_LEAKS=1. Else leave SPLIT_BY out."
        )
    if config.by == "sample" and config.cv == EACH_SUBJECT:
        raise ConfigError(
            "SPLIT_BY=sample divides samples, CV=subject leaves out subjects. Give CV=5, or leave one out."
        )
    if config.unseen and (config.crossed or config.by == "sample"):
        which, instead = (f"CV={config.cv}", "CV=0") if config.crossed else ("SPLIT_BY=sample", "SPLIT_BY=subject")
        raise ConfigError(
            f"UNSEEN={config.unseen} makes one source the test part, {which} makes others. Give {instead}, or leave "
            "UNSEEN out."
        )
