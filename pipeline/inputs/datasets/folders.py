"""A folder per class: ``pain/…`` and ``no_pain/…``, or ``train/anger/…`` and so on when the parts are given.

The names of the folders say which target they are classes of. Every picture is its own subject; a CSV file or a
``truth.csv`` beside the folders can say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, part_of, pictures
from pipeline.inputs.datasets.vocabulary import Vocabulary, vocabularies


def _place(file: str) -> tuple[str, str]:
    """The part and the class folder that the top folders of a file name; empty where there is none."""
    parents = PurePosixPath(file).parts[:-1]
    part = part_of(parents[0]) if parents else None
    classed = parents[1:] if part else parents
    return part or "", classed[0] if classed else ""


def recognises(files: Sequence[str]) -> bool:
    """Whether any picture lies in a folder whose name is a class's."""
    names = {_place(file)[1] for file in files}
    return any(vocabulary.word(name) for vocabulary in vocabularies().values() for name in names)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List the pictures of a folder per class.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : the folders are not named after classes of one target.
    """
    places = {file: _place(file) for file in pictures(files)}
    names = sorted({name for _, name in places.values() if name})
    vocabulary = _vocabulary(folder, names) if names else None
    entries, skipped = [], []
    for file, (part, name) in places.items():
        if vocabulary and name:
            region = Region({vocabulary.target: vocabulary.word(name)})
            entries.append(Entry(file, subject_id=file, regions={"full": region}, fold=part))
        else:
            skipped.append(Skipped(file, "no class: it lies beside the class folders"))
    return Listing(entries, skipped)


def _vocabulary(folder: Path, names: Sequence[str]) -> Vocabulary:
    """The vocabulary that holds all names of class folders."""
    nearest = max(
        vocabularies().values(),
        key=lambda vocabulary: (
            sum(vocabulary.word(name) is not None for name in names),
            sum(map(vocabulary.covers, names)),
        ),
    )
    unknown = [name for name in names if nearest.word(name) is None]
    if unknown:
        fitting = [name for name in names if name not in unknown]
        raise DataError(
            f"{folder}: {'folder' if len(unknown) == 1 else f'{len(unknown)} folders'} {', '.join(unknown[:5])} "
            f"with pictures named after no class of the target {nearest.target}, "
            f"which {', '.join(fitting[:5]) or 'no other folder'} would fit. Expected {nearest.text}. "
            "Rename or move what does not belong, or give a CSV file with path and label: DATA=table.csv"
        )
    return nearest
