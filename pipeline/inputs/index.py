"""From a listing of pictures or recordings to the sample table: each read once, duplicates and damage named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_high
from typing import Any

import numpy as np

from pipeline.artifacts.suffixes import HIDDEN, PICTURES, suffix_of
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Skipped
from pipeline.inputs.images import halves, load
from pipeline.inputs.likeness import Likeness, likeness
from pipeline.inputs.signals import files as signals

UNCOUNTED = (DROPPED, HIDDEN)  # kinds of reasons that are nobody's fault

# MTCNN's own smallest face, and less than any face that shows an expression.
MIN_SIDE_PX = 24
SHORTEST = 0.5  # of the usual length of a dataset's windows: what is shorter is a stump

# What was measured of each region, by column of the sample table; or why it cannot be used.
Measured = Mapping[str, Mapping[str, Any] | str]


def inspect(path: Path, regions: Sequence[str], compared: bool = False) -> tuple[Measured | str, Likeness | None]:
    """What is measured of a file's regions, or the reason why it cannot be used; and what it is compared by.

    Parameters
    ----------
    path : the picture or recording, which is read whole, so that a truncated file is found.
    regions : ``full``; the halves of a side-by-side picture, which is cut at its divider, without one at the middle; or
        numbers of windows.
    compared : whether it is compared with the pictures of other sources; otherwise there is no likeness.
    """
    if suffix_of(path.name) not in PICTURES:
        return _recordings(path, regions), None
    try:
        image = load(path)
    except DataError as error:
        return str(error), None
    return _boxes(image, paired="full" not in regions), likeness(image) if compared else None


def _boxes(image: np.ndarray, paired: bool) -> Measured | str:
    """The boxes of a decoded picture's regions, or that they are too small."""
    height, width = image.shape[:2]
    boxes = dict(halves(image, always=True)) if paired else {"full": (0, 0, width, height)}
    if min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.values()) < MIN_SIDE_PX:
        return f"too small: {width} x {height} pixels, each face needs {MIN_SIDE_PX} x {MIN_SIDE_PX}"
    return {region: dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)) for region, box in boxes.items()}


def _recordings(path: Path, regions: Sequence[str]) -> Measured | str:
    """Rate, length and channels of a file's windows."""
    measured: dict[str, Mapping[str, Any] | str] = {}
    for region in regions:
        try:
            recording = signals.read(path, region)
            signals.check(recording)
            measured[region] = {
                "rate_hz": recording.rate_hz,
                "steps": recording.steps,
                "channels": recording.channels,
            }
        except DataError as error:
            measured[region] = str(error)
    reasons = [found for found in measured.values() if isinstance(found, str)]
    return reasons[0] if len(reasons) == len(measured) else measured


def first_files(entries: Sequence[Entry], digests: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """One file for each content, and its regions: what has to be read."""
    firsts = {digests[entry.file]: entry for entry in reversed(entries)}
    return {entry.file: tuple(entry.regions) for entry in entries if firsts[digests[entry.file]] is entry}


def sample_rows(
    listing: Listing, digests: Mapping[str, str], inspected: Mapping[str, Measured | str]
) -> tuple[list[dict], list[Skipped]]:
    """The rows of the sample table, and everything that is not in it with its reason.

    Parameters
    ----------
    listing : the dataset's pictures or recordings.
    digests : SHA-256 by file.
    inspected : by file, what was measured or the reason that ``inspect`` gave for the first file of each content.

    Returns
    -------
    rows : with the keys ``sample_id``, ``file``, ``region``, what was measured, ``subject_id``, ``expressive`` where it
        is known, the targets, the attributes, and ``fold`` if the dataset has folds; all rows have the same keys, an
        empty text where something is not known.
    skipped : sorted by file.
    """
    firsts = {digests[entry.file]: entry for entry in reversed(listing.entries)}
    contradicted = {
        digests[entry.file] for entry in listing.entries if entry.regions != firsts[digests[entry.file]].regions
    }
    columns = _columns(listing)
    rows, skipped = [], list(listing.skipped)
    for entry in listing.entries:
        digest = digests[entry.file]
        first = firsts[digest]
        result = inspected[first.file]
        if isinstance(result, str):
            skipped.append(Skipped(entry.file, result))
        elif digest in contradicted:
            skipped.append(
                Skipped(
                    entry.file, f"contradiction: {_others(listing, digests, entry)} is the same {_medium(entry.file)}"
                )
            )
        elif entry is not first:
            skipped.append(Skipped(entry.file, f"duplicate: of {first.file}"))
        else:
            for region, measured in result.items():
                if isinstance(measured, str):
                    skipped.append(Skipped(entry.file, measured, region))
                else:
                    rows.append(_row(entry, region, measured, columns))
    rows, unlike = _alike(rows)
    return rows, sorted([*skipped, *unlike], key=lambda item: (item.file, item.region))


def _alike(rows: list[dict]) -> tuple[list[dict], list[Skipped]]:
    """The recordings without those that lack a channel that most have, and without stumps; pictures as they are."""
    recordings = [row for row in rows if "channels" in row]
    if not recordings:
        return rows, []
    counts = Counter(name for row in recordings for name in row["channels"])
    usual = [name for name, count in counts.items() if 2 * count > len(recordings)]
    lasts = median_high([row["steps"] / row["rate_hz"] for row in recordings])
    left, skipped = [], []
    for row in recordings:
        missing, seconds = [name for name in usual if name not in row["channels"]], row["steps"] / row["rate_hz"]
        if missing:
            reason = f"no channel: it has no {missing[0]}, which {counts[missing[0]]} other recordings have"
        elif seconds < SHORTEST * lasts:
            reason = f"too short: {seconds:.3g} s, the dataset's windows last {lasts:.3g} s"
        else:
            left.append({name: value for name, value in row.items() if name != "channels"})
            continue
        skipped.append(Skipped(row["file"], reason, row["region"]))
    return left, skipped


def channels_of(inspected: Mapping[str, Measured | str]) -> list[str]:
    """The channels that more than half of all recordings have, in their files' order; none of pictures."""
    regions = [found for file in inspected.values() if not isinstance(file, str) for found in file.values()]
    named = [found["channels"] for found in regions if not isinstance(found, str) and "channels" in found]
    counts = Counter(name for names in named for name in names)
    return [name for name, count in counts.items() if 2 * count > len(named)]


def medium_of(listing: Listing) -> str:
    """``picture`` or ``recording``: what the files of a dataset are.

    Raises
    ------
    DataError : some are the one and some the other.
    """
    files = {_medium(entry.file): entry.file for entry in listing.entries}
    if len(files) > 1:
        raise DataError(
            f"{files['picture']} is a picture and {files['recording']} a recording: a dataset has one of them. Give "
            "each as a dataset of its own: DATA=/path/to/one"
        )
    return next(iter(files), "picture")


def _medium(file: str) -> str:
    return "picture" if suffix_of(file) in PICTURES else "recording"


def _others(listing: Listing, digests: Mapping[str, str], entry: Entry) -> str:
    other = next(e for e in listing.entries if digests[e.file] == digests[entry.file] and e.regions != entry.regions)
    return f"{other.file} with another label"


def targets_of(listing: Listing) -> list[str]:
    """The targets that a dataset knows, in the order in which its reader names them; the first is the primary one."""
    regions = (region for entry in listing.entries for region in entry.regions.values())
    return list(dict.fromkeys(name for region in regions for name in region.targets))


def attributes_of(listing: Listing) -> list[str]:
    """The attributes of the person that a dataset knows, in the order in which its reader names them."""
    return list(dict.fromkeys(name for entry in listing.entries for name in entry.attributes))


def _columns(listing: Listing) -> list[str]:
    """The columns behind ``subject_id``, in their order."""
    regions = [region for entry in listing.entries for region in entry.regions.values()]
    expressive = ["expressive"] if any(region.expressive is not None for region in regions) else []
    fold = ["fold"] if any(entry.fold for entry in listing.entries) else []
    source = ["source"] if any(entry.source for entry in listing.entries) else []
    return [*source, *expressive, *targets_of(listing), *attributes_of(listing), *fold]


def _row(entry: Entry, region: str, measured: Mapping[str, Any], columns: Sequence[str]) -> dict:
    known = entry.regions[region]
    cells = {**entry.attributes, **known.targets, "fold": entry.fold, "source": entry.source}
    if known.expressive is not None:
        cells["expressive"] = known.expressive
    return {
        "sample_id": f"{entry.file}#{region}",
        "file": entry.file,
        "region": region,
        **measured,
        "subject_id": entry.subject_id,
        **{name: cells.get(name, "") for name in columns},
    }


def kind_of(item: Skipped) -> str:
    """The kind of a reason: what stands before its colon."""
    return item.reason.partition(":")[0]


def check_skipped(
    samples: int, skipped: Sequence[Skipped], files: int, most: float, table: Path, medium: str = "picture"
) -> None:
    """Refuse a dataset of which too much cannot be used.

    Parameters
    ----------
    samples : that are usable.
    skipped : what cannot be used.
    files : pictures or recordings of the whole dataset.
    most : largest share of them that may be skipped; hidden ones do not count, nor those of which the dataset itself
        says that they show none of the classes.
    table : where all reasons can be read.
    medium : what a file is.

    Raises
    ------
    DataError : nothing is usable, or more than ``most`` of the files are skipped.
    """
    named = {item.file for item in skipped if not samples or kind_of(item) not in UNCOUNTED}
    if samples and len(named) <= most * files:
        return
    kinds = Counter(kind_of(item) for item in skipped)
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "the dataset lists none"
    share = f"at most {most:.0%} may be" if samples else "none is usable"
    raise DataError(
        f"{len(named)} of {files} {medium}s cannot be used, {share}: {reasons}. All are named in {table}. "
        "Mend or remove them, or allow more: MAX_SKIPPED="
    )
