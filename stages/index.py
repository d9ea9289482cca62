"""Read the raw dataset once: which pictures or signals there are, of whom, and which cannot be used.

Writes ``samples.csv``, a row for each face, window or pair of frames, and ``skipped.csv``, a row with the reason for
each picture, recording or pair that cannot be used. Where the dataset knows points or boxes of faces, ``points.h5``
holds them, a row for each sample in the same order.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.config import IndexConfig
from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from pipeline.artifacts.raw_data import RawData
    from pipeline.artifacts.store import Work
    from pipeline.inputs.datasets import Entry, Listing, Region

VERSION = 4
CONFIG = IndexConfig
INPUTS = ("raw",)
OUTPUT = "samples"

FILES_A_PROCESS = 16  # of fewer, starting another process would take longer than it saves

log = logging.getLogger(__name__)


def run(config: IndexConfig, work: Work, raw: RawData) -> dict[str, Any]:
    """List the dataset, decode every file once, and write the sample table.

    Raises
    ------
    DataError : the dataset is in no known form, nothing in it is usable, or too much of it is not.
    """
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.inputs import index as indexing
    from pipeline.inputs import likeness

    forms, listing = _listing(config, work, raw)
    medium = indexing.medium_of(listing)
    digests = {entry.file: f"{entry.source}:{_digest(entry, listing, raw)}" for entry in listing.entries}
    files = indexing.first_files(listing.entries, digests)
    tasks = _inspections(config, listing, files, raw, compared=len(forms) > 1)
    inspected = _inspected(tasks, raw, work.path, config.workers, medium.word)
    alike = {file: like for file, (_, like) in inspected.items() if like} if len(forms) > 1 else {}
    entries, shared = (likeness.marked if listing.of_signals else likeness.grouped)(listing.entries, alike)
    listing = replace(listing, entries=entries)
    rows, skipped = indexing.sample_rows(
        listing, digests, {file: result for file, (result, _) in inspected.items()}, medium
    )
    reasons = pd.DataFrame([vars(item) for item in skipped], columns=["file", "region", "reason"])
    arrays.write_table(work.path / "skipped.csv", reasons)
    total = indexing.units(listing, medium)
    indexing.check_skipped(len(rows), skipped, total, config.max_skipped, work.path / "skipped.csv", medium)
    samples = pd.DataFrame(rows)
    arrays.write_table(work.path / "samples.csv", samples)
    _write_points(work, list(samples["sample_id"]), indexing.face_columns(listing, rows))
    name = "+".join(dict.fromkeys(forms.values()))
    log.info("index: %d samples of %d %s, %d skipped (%s)", len(rows), total, medium.words, len(skipped), name)
    return {
        "counts": {
            medium.words: total,
            "samples": len(samples),
            "skipped": len(skipped),
            **({"repaired": sum(bool(row["repairs"]) for row in rows)} if "repairs" in medium.columns else {}),
            "subjects": int(samples["subject_id"].nunique()),
            **({"shared": shared} if len(forms) > 1 else {}),
        },
        "targets": indexing.targets_of(listing),
        "attributes": indexing.attributes_of(listing),
        **({"grouping": listing.grouping} if listing.grouping else {}),
        "dataset": name,
        **({"sources": forms} if len(forms) > 1 else {}),
        "skipped": [vars(item) for item in skipped],
    }


def _write_points(work: Work, sample_ids: list[str], columns: dict[str, np.ndarray]) -> None:
    """Keep the points and boxes of faces, where any are known."""
    from pipeline.artifacts import arrays
    from pipeline.inputs.sample_table import POINTS

    if not columns:
        return
    arrays.write_columns(work.path / POINTS, "points", work.fingerprint, columns, sample_ids)


def _listing(config: IndexConfig, work: Work, raw: RawData) -> tuple[dict[str, str], Listing]:
    """The form of each source, and all their files."""
    from pipeline.inputs import archives, datasets, sources
    from pipeline.inputs.datasets import Skipped
    from pipeline.inputs.datasets.columns import columns_of

    forms, listings = {}, {}
    names = columns_of(config.columns)
    with archives.Unpacker(work.path) as unpacker:
        for name, source in raw.sources.items():
            _check_omitted(source)
            guess = config.dataset == "auto"
            form = datasets.recognise(source.path, source.files, names) if guess else config.dataset
            below = f"{name}/" if name else ""

            def unpack(file: str, content: bytes, below: str = below) -> str:
                return unpacker.add(below + file, content)

            listings[name] = datasets.read(form, source.path, source.files, unpack, names)
            forms[name] = form
    listing = sources.merged(listings) if len(listings) > 1 else listings[""]
    omitted = [Skipped(file, reason) for file, reason in raw.omitted.items()]
    return forms, replace(listing, skipped=[*listing.skipped, *omitted])


def _check_omitted(source: RawData) -> None:
    """Refuse a dataset of which nothing is left, before its form is guessed."""
    if source.omitted and not source.files:
        name, reason = next(iter(source.omitted.items()))
        raise DataError(
            f"Nothing of {source.path} can be used: {len(source.omitted):,} names are left out, the first is {name} "
            f"({reason})."
        )


def _digest(entry: Entry, listing: Listing, raw: RawData) -> str:
    """What tells the content of an entry's files: of each its SHA-256, or its name where it could not be read."""
    files = entry.file, *entry.companions.values()
    return ":".join(listing.digests.get(file) or raw.files[file] or f"unread {file}" for file in files)


def _inspections(
    config: IndexConfig, listing: Listing, files: dict[str, bool], raw: RawData, compared: bool
) -> dict[str, Callable]:
    """How each file is looked at, whatever process takes it: from its path to its measures and its likeness."""
    from functools import partial

    from pipeline.inputs.datasets.biovid import person_of
    from pipeline.inputs.frames import inspection as pairs
    from pipeline.inputs.index import inspect
    from pipeline.inputs.signals import inspection
    from pipeline.inputs.signals.card import channels_of

    if not listing.of_signals:
        faces = {
            entry.file: entry.regions for entry in listing.entries if any(map(_is_located, entry.regions.values()))
        }
        others = {entry.file: _paths(entry, raw) for entry in listing.entries if entry.companions}
        return {
            file: partial(pairs.inspect, companions=others[file], compared=compared)
            if file in others
            else partial(inspect, paired=paired, compared=compared, faces=faces.get(file))
            for file, paired in files.items()
        }
    channels = channels_of(config.channel)
    regions = {entry.file: tuple(entry.regions) for entry in listing.entries}
    return {
        file: partial(inspection.inspect, regions=regions[file], channels=channels, person=person_of(file)[0])
        for file in files
    }


def _is_located(region: Region) -> bool:
    """Whether a dataset says where the face of a region is."""
    return bool(region.points or region.box)


def _paths(entry: Entry, raw: RawData) -> dict[str, Path]:
    """Where the companions of an entry are, by modality."""
    return {modality: raw.path_of(file).absolute() for modality, file in entry.companions.items()}


def _inspected(tasks: dict[str, Callable], raw: RawData, folder: Path, workers: int, unit: str) -> dict[str, tuple]:
    """What is found out about each file, in processes of this machine."""
    import joblib
    from tqdm import tqdm

    from pipeline.compute import cluster
    from pipeline.inputs import archives

    processes = max(1, min(workers or joblib.cpu_count(), len(tasks) // FILES_A_PROCESS))
    archive = folder / archives.NAME
    paths = archives.locate(tasks, raw, archive if archive.exists() else None)
    calls = [joblib.delayed(task)(path) for path, task in zip(paths, tasks.values(), strict=True)]
    bar = tqdm(cluster.ordered(calls, processes), total=len(tasks), desc="index", unit=unit, disable=None)
    return dict(zip(tasks, bar, strict=True))
