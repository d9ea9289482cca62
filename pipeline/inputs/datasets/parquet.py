"""Parquet files as Hugging Face keeps them: a column of encoded pictures and a column ``label``.

Labels are words, or numbers whose names stand in the file's own schema. Files whose names begin with a part's word
(``train-00000-of-00002.parquet``, ``test-…``) make official parts where there are several.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.artifacts.raw_files import SURROUNDINGS, open_raw
from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import listed
from pipeline.errors import DataError, MissingDependencyError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped, Unpack, part_of
from pipeline.inputs.datasets.vocabulary import Vocabulary, vocabularies

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "emotion", "expression")
BATCH = 256
MAX_BYTES = 2**36
MAX_ROWS = 10_000_000  # a few bytes can claim any number of equal rows


def _tables(files: Mapping[str, str]) -> list[str]:
    return [file for file in files if file.casefold().endswith(".parquet")]


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there are Parquet files."""
    return bool(_tables(files))


def read(folder: Path, files: Mapping[str, str], unpack: Unpack) -> Listing:
    """List the pictures of Parquet files, and unpack those that have a class.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).
    unpack : keeps an encoded picture under a name and returns its SHA-256.

    Raises
    ------
    MissingDependencyError : pyarrow is not installed.
    DataError : a file is damaged, has too many rows, lacks the column of pictures or of labels, or no label is a class
        of a task.
    """
    tables = _tables(files)
    folds = {table: part_of(PurePosixPath(table).stem.split("-")[0]) or "" for table in tables}
    several = len(set(folds.values())) > 1
    stems = {table: PurePosixPath(table).with_suffix("").as_posix() for table in tables}
    if twice := [table for table, stem in stems.items() if list(stems.values()).count(stem) > 1]:
        raise DataError(f"{folder}: {' and '.join(twice[:2])} would name their pictures alike. Rename one of them.")
    entries, skipped, digests = [], [], {}
    for table in tables:
        with _opened(folder / table) as parquet:
            image, label = _columns(folder / table, parquet)
            words = _names(parquet.schema_arrow, label) or _different(parquet, label)
            vocabulary = _vocabulary(folder / table, words)
            for number, (content, value) in enumerate(_rows(parquet, image, label)):
                file = f"{stems[table]}/{number:07d}.png"  # whatever its format: it is read from the content
                word = words[value] if isinstance(value, int) and 0 <= value < len(words) else value
                meaning = vocabulary.word(word) if isinstance(word, str) else None
                if not isinstance(content, bytes):
                    skipped.append(Skipped(file, "missing: the row holds no picture"))
                elif meaning is None:
                    skipped.append(Skipped(file, f"{DROPPED}: {quoted(word)} is no class of {vocabulary.target}"))
                else:
                    digests[file] = unpack(file, content)
                    region = Region({vocabulary.target: meaning})
                    entries.append(Entry(file, file, {"full": region}, fold=folds[table] if several else ""))
    return Listing(entries, skipped, digests)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A Parquet file; what its reader says of damage, then or later, becomes one line."""
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {path.name} needs a package that is not here ({error}). Install it: pip install -e '.[parquet]'"
        ) from error
    try:
        content = open_raw(path, MAX_BYTES)[0]
    except DataError as error:
        raise DataError(f"{path} is no readable Parquet file ({error}). Fetch it again.") from error
    try:
        with content, ParquetFile(content) as parquet:
            if (rows := parquet.metadata.num_rows) > MAX_ROWS:
                raise DataError(
                    f"{path} claims {rows:,} rows, at most {MAX_ROWS:,} are read. Divide it, or fetch it again."
                )
            yield parquet
    except (ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in SURROUNDINGS:
            raise
        raise DataError(f"{path} is no readable Parquet file ({quoted(error, 200)[1:-1]}). Fetch it again.") from error


def _columns(path: Path, parquet: Any) -> tuple[str, str]:
    """The names of a file's columns of pictures and of labels."""
    columns = parquet.schema_arrow.names
    chosen = [next((name for name in names if name in columns), "") for names in (IMAGES, LABELS)]
    if not all(chosen):
        lacking = [names[0] for names, name in zip((IMAGES, LABELS), chosen, strict=True) if not name]
        raise DataError(f"{path} has the columns {listed(columns)}; it needs {' and '.join(lacking)}.")
    return chosen[0], chosen[1]


def _names(schema: Any, label: str) -> list[str]:
    """The names of numbered classes in the schema's metadata; none where labels are words."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        names = info["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _different(parquet: Any, label: str) -> list[str]:
    """The different words of a column of labels."""
    batches = parquet.iter_batches(BATCH, columns=[label])
    return sorted({value for batch in batches for value in batch[label].to_pylist() if isinstance(value, str)})


def _vocabulary(path: Path, words: Sequence[str]) -> Vocabulary:
    """The vocabulary that knows most of a file's classes."""
    best = max(vocabularies().values(), key=lambda vocabulary: sum(map(vocabulary.covers, words)))
    if not any(map(best.word, words)):
        raise DataError(
            f"{path}: {listed(words, 8) or 'its labels are numbers without names'}: no class of a task. "
            f"Expected {', or '.join(f'of {v.target}: {v.text}' for v in vocabularies().values())}."
        )
    return best


def _rows(parquet: Any, image: str, label: str) -> Iterator[tuple[Any, Any]]:
    """The encoded picture and the label of each row."""
    for batch in parquet.iter_batches(BATCH, columns=[image, label]):
        for picture, value in zip(batch[image].to_pylist(), batch[label].to_pylist(), strict=True):
            yield picture.get("bytes") if isinstance(picture, dict) else picture, value
