"""From a listing to the sample table: files decoded and cut into regions, duplicates and damage named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.suffixes import HIDDEN
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Skipped
from pipeline.inputs.frames import inspection as pairs
from pipeline.inputs.images import Box, halves, load
from pipeline.inputs.likeness import Likeness, likeness
from pipeline.inputs.signals import inspection


@dataclass(frozen=True)
class Medium:
    """What the files of a dataset are.

    Parameters
    ----------
    word, words : one of them, and several, in sentences.
    columns : of the sample table, between ``region`` and ``subject_id``: what is measured of each region.
    """

    word: str
    words: str
    columns: tuple[str, ...]


PICTURE = Medium("picture", "pictures", ("x0", "y0", "x1", "y1"))
PAIR = Medium("pair", "pairs", pairs.COLUMNS)
RECORDING = Medium("recording", "recordings", inspection.COLUMNS)


def medium_of(listing: Listing) -> Medium:
    """What the files of a dataset are."""
    if listing.of_signals:
        return RECORDING
    return PAIR if companions_of(listing) else PICTURE


# By region the values of its medium's columns, or why it cannot be used; or why the file cannot.
Measures = Mapping[str, Sequence[Any] | str] | str

UNCOUNTED = (DROPPED, HIDDEN)  # kinds of reasons that are nobody's fault

# MTCNN's own smallest face, and less than any face that shows an expression.
MIN_SIDE_PX = 24


def inspect(path: Path, paired: bool, compared: bool = False) -> tuple[dict[str, Box] | str, Likeness | None]:
    """The boxes of a picture's regions, or the reason why it cannot be used; and what it is compared by.

    Parameters
    ----------
    path : the picture, which is decoded whole, so that a truncated file is found.
    paired : whether it is a side-by-side picture: it is cut at its divider, without one at the middle.
    compared : whether it is compared with the pictures of other sources; otherwise there is no likeness.
    """
    try:
        image = load(path)
    except DataError as error:
        return str(error), None
    return _boxes(image, paired), likeness(image) if compared else None


def _boxes(image: np.ndarray, paired: bool) -> dict[str, Box] | str:
    """The boxes of a decoded picture's regions, or that they are too small."""
    height, width = image.shape[:2]
    boxes = dict(halves(image, always=True)) if paired else {"full": (0, 0, width, height)}
    if min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.values()) < MIN_SIDE_PX:
        return f"too small: {width} x {height} pixels, each face needs {MIN_SIDE_PX} x {MIN_SIDE_PX}"
    return boxes


def first_files(entries: Sequence[Entry], digests: Mapping[str, str]) -> dict[str, bool]:
    """One file for each content, and whether it is a side-by-side picture: what has to be decoded."""
    firsts = {digests[entry.file]: entry for entry in reversed(entries)}
    return {entry.file: "full" not in entry.regions for entry in entries if firsts[digests[entry.file]] is entry}


def sample_rows(
    listing: Listing, digests: Mapping[str, str], inspected: Mapping[str, Measures], medium: Medium = PICTURE
) -> tuple[list[dict], list[Skipped]]:
    """The rows of the sample table, and everything that is not in it with its reason.

    Parameters
    ----------
    listing : the dataset's files.
    digests : SHA-256 by file.
    inspected : of the first file of each content, what was measured of it.
    medium : what the files are.

    Returns
    -------
    rows : with the keys ``sample_id``, ``file``, that of each companion (``ir_file``), ``region``, the medium's,
        ``subject_id``, ``expressive`` where it is known, the targets, the attributes, and ``fold`` if the dataset has
        folds; all rows have the same keys, an empty text where something is not known.
    skipped : sorted by file.
    """
    firsts = {digests[entry.file]: entry for entry in reversed(listing.entries)}
    contradicted = {
        digests[entry.file] for entry in listing.entries if entry.regions != firsts[digests[entry.file]].regions
    }
    columns, companions = _columns(listing), companions_of(listing)
    rows, skipped = [], list(listing.skipped)
    for entry in listing.entries:
        digest = digests[entry.file]
        first = firsts[digest]
        result = inspected[first.file]
        if isinstance(result, str):
            skipped.append(Skipped(entry.file, result))
        elif digest in contradicted:
            skipped.append(
                Skipped(entry.file, f"contradiction: {_others(listing, digests, entry)} is the same {medium.word}")
            )
        elif entry is not first:
            skipped.append(Skipped(entry.file, f"duplicate: of {first.file}"))
        else:
            reasons = {region: reason for region, reason in result.items() if isinstance(reason, str)}
            skipped += [Skipped(entry.file, reason, region) for region, reason in reasons.items()]
            measured = {region: values for region, values in result.items() if region not in reasons}
            rows += [
                _row(entry, region, dict(zip(medium.columns, values, strict=True)), columns, companions)
                for region, values in measured.items()
            ]
    return rows, sorted(skipped, key=lambda item: (item.file, item.region))


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


def companions_of(listing: Listing) -> list[str]:
    """The modalities of which samples have files besides their own."""
    return list(dict.fromkeys(modality for entry in listing.entries for modality in entry.companions))


def _columns(listing: Listing) -> list[str]:
    """The columns behind ``subject_id``, in their order."""
    regions = [region for entry in listing.entries for region in entry.regions.values()]
    expressive = ["expressive"] if any(region.expressive is not None for region in regions) else []
    fold = ["fold"] if any(entry.fold for entry in listing.entries) else []
    source = ["source"] if any(entry.source for entry in listing.entries) else []
    return [*source, *expressive, *targets_of(listing), *attributes_of(listing), *fold]


def _row(
    entry: Entry, region: str, measured: Mapping[str, Any], columns: Sequence[str], companions: Sequence[str]
) -> dict:
    known = entry.regions[region]
    cells = {**entry.attributes, **known.targets, "fold": entry.fold, "source": entry.source}
    if known.expressive is not None:
        cells["expressive"] = known.expressive
    return {
        "sample_id": f"{entry.file}#{region}",
        "file": entry.file,
        **{f"{modality}_file": entry.companions.get(modality, "") for modality in companions},
        "region": region,
        **measured,
        "subject_id": entry.subject_id,
        **{name: cells.get(name, "") for name in columns},
    }


def kind_of(item: Skipped) -> str:
    """The kind of a reason: what stands before its colon."""
    return item.reason.partition(":")[0]


def units(listing: Listing, medium: Medium = PICTURE) -> int:
    """How many pictures, pairs or recordings a dataset has, usable or not; a file may hold several recordings."""
    if medium is not RECORDING:
        return len(listing.entries) + len(listing.skipped)
    return sum(len(entry.regions) for entry in listing.entries) + len(listing.skipped)


def check_skipped(
    samples: int, skipped: Sequence[Skipped], total: int, most: float, table: Path, medium: Medium = PICTURE
) -> None:
    """Refuse a dataset of which too much cannot be used.

    Parameters
    ----------
    samples : usable faces or windows.
    skipped : what cannot be used.
    total : pictures, pairs or recordings of the whole dataset, as ``units`` counts them.
    most : largest share of them that may be skipped; hidden ones do not count, nor those of which the dataset
        itself says that they show none of the classes.
    table : where all reasons can be read.

    Raises
    ------
    DataError : nothing is usable, or more than ``most`` of them are skipped.
    """
    counted = [item for item in skipped if not samples or kind_of(item) not in UNCOUNTED]
    lost = {(item.file, item.region if medium is RECORDING else "") for item in counted}
    if samples and len(lost) <= most * total:
        return
    kinds = Counter(kind_of(item) for item in skipped)
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "the dataset lists none"
    share = f"at most {most:.0%} may be" if samples else "none is usable"
    first = f" The first is {counted[0].file}: {counted[0].reason}." if counted else ""
    raise DataError(
        f"{len(lost)} of {total} {medium.words} cannot be used, {share}: {reasons}.{first} All are named in {table}. "
        "Mend or remove them, or allow more: MAX_SKIPPED="
    )
