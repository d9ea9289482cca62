"""From a listing to the sample table: files decoded and cut into regions, duplicates and damage named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.suffixes import HIDDEN
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped
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
AROUND = 2.0  # side of the square about a face, in longer sides of its box: the detector finds this face, and no other


def inspect(
    path: Path, paired: bool, compared: bool = False, faces: Mapping[str, Region] | None = None
) -> tuple[dict[str, Box | str] | str, Likeness | None]:
    """The boxes of a picture's regions, or the reason why it cannot be used; and what it is compared by.

    Parameters
    ----------
    path : the picture, which is decoded whole, so that a truncated file is found.
    paired : whether it is a side-by-side picture: it is cut at its divider, without one at the middle.
    compared : whether it is compared with the pictures of other sources; otherwise there is no likeness.
    faces : its regions, where points or boxes are known of them: each has a box, or a reason of its own.
    """
    try:
        image = load(path)
    except DataError as error:
        return str(error), None
    boxes = _boxes(image, paired)
    if faces and not isinstance(boxes, str):
        boxes = about(faces, boxes, image.shape[1], image.shape[0])
    return boxes, likeness(image) if compared else None


def _boxes(image: np.ndarray, paired: bool) -> dict[str, Box] | str:
    """The boxes of a decoded picture's regions, or that they are too small."""
    height, width = image.shape[:2]
    boxes = dict(halves(image, always=True)) if paired else {"full": (0, 0, width, height)}
    if min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.values()) < MIN_SIDE_PX:
        return f"too small: {width} x {height} pixels, each face needs {MIN_SIDE_PX} x {MIN_SIDE_PX}"
    return boxes


def about(faces: Mapping[str, Region], boxes: Mapping[str, Box], width: int, height: int) -> dict[str, Box | str]:
    """The box of each region, or why it cannot be used: a square about its face where that is to be cut out.

    Parameters
    ----------
    faces : the regions of a picture.
    boxes : of its halves, or of the whole picture.
    width, height : of the picture in pixels.
    """
    results: dict[str, Box | str] = {}
    for name, face in faces.items():
        extent = face.box or bounds(face.points)
        reason = _fault(face, extent, width, height) if extent else None
        cut = face.box or (face.about_points and face.points)
        results[name] = reason or (_square(extent, width, height) if cut else boxes[name])
    return results


def bounds(points: Sequence[float]) -> tuple[float, ...]:
    """The box (x0, y0, x1, y1) about points x0, y0, x1, y1, …; empty without any."""
    x, y = points[::2], points[1::2]
    return (min(x), min(y), max(x), max(y)) if points else ()


def _fault(face: Region, extent: Sequence[float], width: int, height: int) -> str | None:
    """Why a face cannot be used.

    It is outside, a point is further outside than the face's part inside is long, or its box than the picture is.
    """
    pixels = f"the picture has {width} x {height} pixels"
    inside = [
        min(extent[2], width) - max(extent[0], 0),
        min(extent[3], height) - max(extent[1], 0),
    ]
    if min(inside) <= 0:
        return f"outside: the face is at {', '.join(f'{edge:g}' for edge in extent)}, {pixels}"
    reach = max(inside)
    for number, (x, y) in enumerate(zip(face.points[::2], face.points[1::2], strict=True)):
        if not (-reach <= x <= width + reach and -reach <= y <= height + reach):
            return f"outside: point {number} is at {x:g}, {y:g}, {pixels}, and its face {reach:g} of them"
    longer = max(width, height)
    if face.box and not (min(face.box) >= -longer and face.box[2] <= width + longer and face.box[3] <= height + longer):
        return f"outside: the box is {', '.join(f'{edge:g}' for edge in face.box)}, {pixels}"
    return None


def _square(extent: Sequence[float], width: int, height: int) -> Box | str:
    """The square about a box, cut at the picture's edges, or that it is too small."""
    x0, y0, x1, y1 = extent
    half = AROUND / 2 * max(x1 - x0, y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    box = (
        max(0, math.floor(x - half)),
        max(0, math.floor(y - half)),
        min(width, math.ceil(x + half)),
        min(height, math.ceil(y + half)),
    )
    sides = box[2] - box[0], box[3] - box[1]
    if min(sides) < MIN_SIDE_PX:
        return f"too small: {sides[0]} x {sides[1]} pixels about the face, it needs {MIN_SIDE_PX} x {MIN_SIDE_PX}"
    return box


def first_files(entries: Sequence[Entry], digests: Mapping[str, str]) -> dict[str, bool]:
    """One file for each content, and whether it is a side-by-side picture: what has to be decoded."""
    firsts = {digests[entry.file]: entry for entry in reversed(entries)}
    return {entry.file: "left" in entry.regions for entry in entries if firsts[digests[entry.file]] is entry}


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
        ``subject_id``, ``source``, ``sequence`` and ``expressive`` where they are known, the targets, the attributes,
        and ``fold`` if the dataset has folds; all rows have the same keys, an empty text where something is not known.
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
    """The targets that a dataset knows, in the order in which its reader names them; the first is the primary one.

    Behind those that are columns come sets of points, such as ``points68``.
    """
    return [*_column_targets(listing), *_point_sets(listing)]


def _column_targets(listing: Listing) -> list[str]:
    return list(dict.fromkeys(name for region in _regions(listing) for name in region.targets))


def _point_sets(listing: Listing) -> list[str]:
    return sorted({region.point_set for region in _regions(listing)} - {""})


def _regions(listing: Listing) -> Iterator[Region]:
    return (region for entry in listing.entries for region in entry.regions.values())


def attributes_of(listing: Listing) -> list[str]:
    """The attributes of the person that a dataset knows, in the order in which its reader names them."""
    of_entries = [name for entry in listing.entries for name in entry.attributes]
    return list(dict.fromkeys([*of_entries, *(name for region in _regions(listing) for name in region.attributes)]))


def companions_of(listing: Listing) -> list[str]:
    """The modalities of which samples have files besides their own."""
    return list(dict.fromkeys(modality for entry in listing.entries for modality in entry.companions))


def _columns(listing: Listing) -> list[str]:
    """The columns behind ``subject_id``, in their order."""
    expressive = ["expressive"] if any(region.expressive is not None for region in _regions(listing)) else []
    fold = ["fold"] if any(entry.fold for entry in listing.entries) else []
    source = ["source"] if any(entry.source for entry in listing.entries) else []
    sequence = ["sequence"] if any(entry.sequence for entry in listing.entries) else []
    return [*source, *sequence, *expressive, *_column_targets(listing), *attributes_of(listing), *fold]


def _row(
    entry: Entry, region: str, measured: Mapping[str, Any], columns: Sequence[str], companions: Sequence[str]
) -> dict:
    known = entry.regions[region]
    cells = {
        **entry.attributes,
        **known.attributes,
        **known.targets,
        "fold": entry.fold,
        "source": entry.source,
        "sequence": entry.sequence,
    }
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


def face_columns(listing: Listing, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """What readers tell of the faces of some rows, as columns of ``points.h5``; none where they tell nothing.

    Parameters
    ----------
    listing : the dataset's files.
    rows : as ``sample_rows`` gives them.

    Returns
    -------
    ``points68`` and so on : float32, shape (N, K, 2), pixels of the whole picture, NaN where they are not known.
    ``hidden`` : uint8, shape (N, K), 1 where something covers a point, of the set of which that is told.
    ``box`` : float32, shape (N, 4), x0, y0, x1, y1, pixels of the whole picture, NaN where it is not known.
    """
    of_files = {entry.file: entry.regions for entry in listing.entries}
    regions = [of_files[row["file"]][row["region"]] for row in rows]
    everything = list(_regions(listing))
    columns: dict[str, np.ndarray] = {}
    for name in _point_sets(listing):
        count = next(len(region.points) for region in everything if region.point_set == name)
        unknown = (np.nan,) * count
        points = [region.points if region.point_set == name else unknown for region in regions]
        columns[name] = np.array(points, np.float32).reshape(len(rows), -1, 2)
    if told := max(len(region.hidden) for region in everything) if everything else 0:
        columns["hidden"] = np.array([region.hidden or (0,) * told for region in regions], np.uint8)
    if any(region.box for region in everything):
        columns["box"] = np.array([region.box or (np.nan,) * 4 for region in regions], np.float32)
    return columns


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
