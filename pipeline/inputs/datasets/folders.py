"""A folder per class: ``pain/…`` and ``no_pain/…``, or ``train/pain/…`` and so on when the parts are given.

Every picture is its own subject; a CSV file can say otherwise (see ``pipeline.datasets.table``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import LABEL_WORDS, Entry, Face, Listing, Skipped, label_of, part_of, pictures


def _place(file: str) -> tuple[str, int | None]:
    """The part (or an empty word) and the class that the top folders of a file name."""
    parents = PurePosixPath(file).parts[:-1]
    part = part_of(parents[0]) if parents else None
    classed = parents[1:] if part else parents
    return part or "", label_of(classed[0]) if classed else None


def recognises(files: Sequence[str]) -> bool:
    """Whether any picture lies in a folder whose name is a class's."""
    return any(_place(file)[1] is not None for file in files)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List the pictures of a folder per class.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : a folder with pictures is named after no class.
    """
    entries, skipped, unknown = [], [], set()
    for file in pictures(files):
        part, label = _place(file)
        parent = PurePosixPath(file).parent
        if label is not None:
            face = Face(label=label, expressive=label)
            entries.append(Entry(file, subject_id=file, regions={"full": face}, fold=part))
        elif parent == PurePosixPath("."):
            skipped.append(Skipped(file, "no class: it lies beside the class folders"))
        else:
            unknown.add(parent.as_posix())
    if unknown:
        names = ", ".join(sorted(unknown)[:5])
        raise DataError(
            f"{folder}: {len(unknown)} folders with pictures are named after no class: {names}. "
            f"Expected {LABEL_WORDS}. Rename or move them, or give a CSV file with path and label: DATA=table.csv"
        )
    return Listing(entries, skipped)
