"""From a listing of pictures to the sample table: decoded, cut into regions, duplicates and damage named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.artifacts.suffixes import HIDDEN
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Skipped
from pipeline.inputs.images import Box, halves, load
from pipeline.inputs.likeness import Likeness, likeness

# The columns of a sample table before what a dataset knows of its faces.
COLUMNS = ("sample_id", "file", "region", "x0", "y0", "x1", "y1", "subject_id")

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
    listing: Listing, digests: Mapping[str, str], inspected: Mapping[str, dict[str, Box] | str]
) -> tuple[list[dict], list[Skipped]]:
    """The rows of the sample table, and everything that is not in it with its reason.

    Parameters
    ----------
    listing : the dataset's pictures.
    digests : SHA-256 by file.
    inspected : by file, the boxes or the reason that ``inspect`` gave for the first file of each content.

    Returns
    -------
    rows : with the keys ``COLUMNS``, ``expressive`` where it is known, the targets, the attributes, and ``fold`` if the
        dataset has folds; all rows have the same keys, an empty text where something is not known.
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
                Skipped(entry.file, f"contradiction: {_others(listing, digests, entry)} is the same picture")
            )
        elif entry is not first:
            skipped.append(Skipped(entry.file, f"duplicate: of {first.file}"))
        else:
            rows += [_row(entry, region, box, columns) for region, box in result.items()]
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


def _columns(listing: Listing) -> list[str]:
    """The columns behind ``COLUMNS``, in their order."""
    regions = [region for entry in listing.entries for region in entry.regions.values()]
    expressive = ["expressive"] if any(region.expressive is not None for region in regions) else []
    fold = ["fold"] if any(entry.fold for entry in listing.entries) else []
    source = ["source"] if any(entry.source for entry in listing.entries) else []
    return [*source, *expressive, *targets_of(listing), *attributes_of(listing), *fold]


def _row(entry: Entry, region: str, box: Box, columns: Sequence[str]) -> dict:
    face = entry.regions[region]
    cells = {**entry.attributes, **face.targets, "fold": entry.fold, "source": entry.source}
    if face.expressive is not None:
        cells["expressive"] = face.expressive
    return {
        "sample_id": f"{entry.file}#{region}",
        "file": entry.file,
        "region": region,
        **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        "subject_id": entry.subject_id,
        **{name: cells.get(name, "") for name in columns},
    }


def kind_of(item: Skipped) -> str:
    """The kind of a reason: what stands before its colon."""
    return item.reason.partition(":")[0]


def check_skipped(samples: int, skipped: Sequence[Skipped], pictures: int, most: float, table: Path) -> None:
    """Refuse a dataset of which too much cannot be used.

    Parameters
    ----------
    samples : usable faces.
    skipped : what cannot be used.
    pictures : of the whole dataset.
    most : largest share of pictures that may be skipped; hidden ones do not count, nor those of which the dataset
        itself says that they show none of the classes.
    table : where all reasons can be read.

    Raises
    ------
    DataError : nothing is usable, or more than ``most`` of the pictures are skipped.
    """
    files = {item.file for item in skipped if not samples or kind_of(item) not in UNCOUNTED}
    if samples and len(files) <= most * pictures:
        return
    kinds = Counter(kind_of(item) for item in skipped)
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "the dataset lists none"
    share = f"at most {most:.0%} may be" if samples else "none is usable"
    raise DataError(
        f"{len(files)} of {pictures} pictures cannot be used, {share}: {reasons}. All are named in {table}. "
        "Mend or remove them, or allow more: MAX_SKIPPED="
    )
