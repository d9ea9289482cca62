"""``truth.csv`` beside the pictures: what is known of each region of each picture besides its class.

Columns: ``file``, ``region`` (empty: ``full``), ``subject_id``, attributes of the person, and targets. ``l68_0_x``,
``l68_0_y`` … are the 68 points of the face, in pixels of the whole picture, known where all of them are numbers.
``sequence``, ``video`` or ``clip`` names the sequence of a frame, unless frames are grouped by their clips already.
Five points (``l5_``), shape parameters (``phenotype_``), names (``id``) and the reader's own ``label`` do not join.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.artifacts.suffixes import one_line, printable
from pipeline.artifacts.tables import listed, read_rows
from pipeline.errors import DataError
from pipeline.fields import read_number
from pipeline.inputs.datasets.entries import Entry, Listing, Region
from pipeline.inputs.datasets.vocabulary import MEASURES, check_measure
from pipeline.tasks.schemes import POINTS_68

FILE = "truth.csv"
ATTRIBUTES = ("gender", "sex", "age_group", "age", "ethnicity")
MAX_TARGETS = 128
_KEYS = ("file", "region", "subject_id")
SEQUENCES = ("sequence", "video", "clip")
POINTS = tuple(f"l68_{point}_{axis}" for point in range(POINTS_68.count) for axis in "xy")
_LEFT_OUT = re.compile(
    rf"l5_.*|l68_.*|phenotype_.*|label|(sample_)?id|{'|'.join(SEQUENCES)}|[xy][01]|source|fold|expressive"
)

Rows = Mapping[tuple[str, str], Mapping[str, str]]


def joined(listing: Listing, path: Path, files: Mapping[str, str]) -> Listing:
    """The listing with the targets, points, attributes, subjects and sequences of the truth, where there is one.

    What a reader says itself stays as it says it.

    Parameters
    ----------
    listing : of a dataset's pictures.
    path : the dataset's folder, or its CSV file, which has no truth beside it.
    files : the paths below the folder.

    Raises
    ------
    DataError : as ``tables.read_rows``; the table lacks the column ``file``, has too many targets or two rows for one
        region, or a word where a measure belongs.
    """
    if not path.is_dir() or FILE not in files:
        return listing
    rows = _rows(path / FILE)
    return replace(listing, entries=[_joined(entry, rows, not listing.grouping) for entry in listing.entries])


def _rows(path: Path) -> Rows:
    """Rows by file and region."""
    columns, lines = read_rows(path)
    if "file" not in columns:
        raise DataError(f"{path} has no column file, so its rows name no picture. Add it, or rename the table.")
    targets = [name for name in columns if name not in (*_KEYS, *ATTRIBUTES) and not _LEFT_OUT.fullmatch(name)]
    if len(targets) > MAX_TARGETS:
        raise DataError(
            f"{path} has {len(targets):,} columns of targets: {listed(targets, 5)}. At most {MAX_TARGETS} join the "
            "samples. Remove the rest, or rename the table."
        )
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for line, row in lines:
        key = row["file"], row.get("region") or "full"
        if key in rows:
            where = printable(f"{key[0][:200]}, region {key[1][:80]}")
            raise DataError(f"{path}, line {line}: a second row for {where}. Keep one.")
        rows[key] = {name: one_line(cell.strip()) for name, cell in row.items() if cell.strip()}
        _check_measures(f"{path}, line {line}", rows[key])
    return rows


def _check_measures(place: str, row: Mapping[str, str]) -> None:
    try:
        for name, value in row.items():
            if MEASURES.fullmatch(name):
                check_measure(name, value)
    except DataError as error:
        raise DataError(f"{place}: {error}. Correct the line, or rename the table.") from error


def _joined(entry: Entry, rows: Rows, in_sequences: bool) -> Entry:
    """One picture with what the truth adds to it."""
    own = {region: rows.get((entry.file, region), {}) for region in entry.regions}
    person = {name: value for row in own.values() for name, value in row.items()}
    traits = {name: _word(person[name]) for name in ATTRIBUTES if name in person}
    sequences = [person[name] for name in SEQUENCES if name in person and in_sequences]
    return replace(
        entry,
        subject_id=person.get("subject_id", entry.subject_id),
        regions={name: _with_truth(region, own[name]) for name, region in entry.regions.items()},
        attributes=dict(entry.attributes) | {k: v for k, v in traits.items() if k not in entry.attributes},
        sequence=entry.sequence or next(iter(sequences), ""),
    )


def _with_truth(region: Region, row: Mapping[str, str]) -> Region:
    """The reader's targets and points, and behind them those that the truth alone knows."""
    others = {*region.targets, *_KEYS, *ATTRIBUTES}
    further = {k: v for k, v in row.items() if k not in others and not _LEFT_OUT.fullmatch(k)}
    return replace(region, targets=dict(region.targets) | further, points=region.points or _points(row))


def _points(row: Mapping[str, str]) -> tuple[float, ...]:
    """The points of a face, none unless all are numbers."""
    coordinates = [read_number(row.get(name, "")) for name in POINTS]
    return () if None in coordinates else tuple(coordinates)


def _word(value: str) -> str:
    return re.sub(r"[\s\-]+", "_", value.casefold())
