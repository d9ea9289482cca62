"""RAF-DB's basic emotions: ``list_patition_label.txt`` (so its name) and the aligned pictures, or the original ones.

Source: Li, Deng, Du 2017, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in
the Wild", CVPR; numbering as in the dataset's readme.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, part_of, pictures

LIST = "list_patition_label.txt"
CLASSES = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), strict=True))


def _list(files: Mapping[str, str]) -> str | None:
    return next((file for file in files if PurePosixPath(file).name.casefold() == LIST), None)


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there is the list of labels."""
    return _list(files) is not None


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List RAF-DB's pictures.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : there is no list, or a line of it is no picture with an emotion from 1 to 7.
    """
    table = _list(files)
    if table is None:
        raise DataError(f"{folder} has no {LIST}, which names RAF-DB's classes. Put it beside the pictures.")
    by_name = {PurePosixPath(file).name: file for file in pictures(files)}
    entries, skipped = [], []
    for number, line in enumerate(read_text(folder / table).splitlines(), 1):
        if not (words := line.split()):
            continue
        if len(words) != 2 or words[1] not in CLASSES:
            raise DataError(
                f"{folder / table}, line {number}: {quoted(line.strip())} is no picture with an emotion from 1 "
                "(surprise) to 7 (neutral). Correct the line, or fetch the list again."
            )
        path = PurePosixPath(words[0])
        file = by_name.get(f"{path.stem}_aligned{path.suffix}") or by_name.get(path.name)
        if file is None:
            skipped.append(Skipped(words[0], "missing: there is no such picture, aligned or not"))
            continue
        region = Region({"expression": CLASSES[words[1]]})
        entries.append(Entry(file, file, {"full": region}, fold=part_of(path.stem.split("_")[0]) or ""))
    return Listing(entries, skipped)
