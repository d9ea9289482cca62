"""A file for each subject, ``072414_m_23.npz``: its windows as the array ``x``, their levels as ``y``.

``x`` is windows × steps, or windows × steps × channels with an array ``channels`` of their names; ``y`` is the level of
each, 0 to 4 or BL1 to PA4; ``rate_hz`` the steps a second. A window is a region of its file: ``072414_m_23.npz#7``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.artifacts.suffixes import quoted, suffix_of
from pipeline.errors import DataError
from pipeline.inputs.datasets.biovid import LEVELS, TARGET, person_of, stem_of
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped
from pipeline.inputs.signals import files as recordings

SUFFIX = ".npz"


def recognises(files: Iterable[str]) -> bool:
    """Whether there is any such file."""
    return any(suffix_of(file) == SUFFIX for file in files)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List the windows of every subject's file.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    OSError : as ``raw_files.open_raw``.
    """
    entries, skipped = [], []
    for file in (file for file in files if suffix_of(file) == SUFFIX):
        try:
            labels = recordings.windows(folder / file)["y"].ravel()
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
            continue
        levels = {str(number): _level(label) for number, label in enumerate(labels.tolist())}
        skipped += [
            Skipped(file, f"unknown level: {quoted(labels[int(region)])}, expected 0 to 4 or BL1 to PA4", region)
            for region, level in levels.items()
            if not level
        ]
        subject_id, attributes = person_of(file)
        regions = {region: Region({TARGET: level}) for region, level in levels.items() if level}
        if regions:
            entries.append(Entry(file, subject_id or stem_of(file), regions, attributes))
        elif not levels:
            skipped.append(Skipped(file, "empty file: it has no window"))
    return Listing(entries, skipped)


def _level(label: object) -> str:
    """The level that a number or a word means; empty for any other."""
    word = str(label).strip().upper()
    numbers = {form: level for n, level in enumerate(LEVELS) for form in (str(n), f"{n}.0")}
    return numbers.get(word, word if word in LEVELS else "")
