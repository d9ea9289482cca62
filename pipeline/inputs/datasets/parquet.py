"""Parquet files as Hugging Face keeps them: a column of encoded pictures and a column ``label``.

Labels are words, or numbers whose names stand in the file's own schema. Files whose names begin with a part's word
(``train-00000-of-00002.parquet``, ``test-…``) make official parts where there are several.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import DataError, MissingDependencyError
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped, Unpack, part_of
from pipeline.inputs.datasets.vocabulary import Vocabulary, vocabularies

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "emotion", "expression")
BATCH = 256


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
    DataError : a file lacks the column of pictures or of labels, or no label is a class of a task.
    """
    tables = _tables(files)
    folds = {table: part_of(PurePosixPath(table).stem.split("-")[0]) or "" for table in tables}
    several = len(set(folds.values())) > 1
    entries, skipped, digests = [], [], {}
    for table in tables:
        parquet, image, label = _open(folder / table)
        words = _names(parquet.schema_arrow, label) or _different(parquet, label)
        vocabulary = _vocabulary(folder / table, words)
        stem = PurePosixPath(table).with_suffix("").as_posix()
        for number, (content, value) in enumerate(_rows(parquet, image, label)):
            file = f"{stem}/{number:07d}.png"  # whatever its format: it is read from the content
            word = words[value] if isinstance(value, int) and 0 <= value < len(words) else value
            meaning = vocabulary.word(word) if isinstance(word, str) else None
            if not isinstance(content, bytes):
                skipped.append(Skipped(file, "missing: the row holds no picture"))
            elif meaning is None:
                skipped.append(Skipped(file, f"{DROPPED}: {word!r} is no class of {vocabulary.target}"))
            else:
                digests[file] = unpack(file, content)
                region = Region({vocabulary.target: meaning})
                entries.append(Entry(file, file, {"full": region}, fold=folds[table] if several else ""))
    return Listing(entries, skipped, digests)


def _open(path: Path) -> tuple[Any, str, str]:
    """A Parquet file, and the names of its columns of pictures and of labels."""
    try:
        from pyarrow.lib import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {path.name} needs a package that is not here ({error}). Install it: pip install -e '.[parquet]'"
        ) from error
    try:
        file = ParquetFile(path)
    except (ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} is no readable Parquet file ({str(error).splitlines()[0]}). Fetch it again."
        ) from error
    columns = file.schema_arrow.names
    chosen = [next((name for name in names if name in columns), "") for names in (IMAGES, LABELS)]
    if not all(chosen):
        lacking = [names[0] for names, name in zip((IMAGES, LABELS), chosen, strict=True) if not name]
        raise DataError(f"{path} has the columns {', '.join(columns)}; it needs {' and '.join(lacking)}.")
    return file, *chosen


def _names(schema: Any, label: str) -> list[str]:
    """The names of numbered classes in the schema's metadata; none where labels are words."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        return list(info["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return []


def _different(parquet: Any, label: str) -> list[str]:
    """The different words of a column of labels."""
    return sorted({value for value in parquet.read([label])[label].to_pylist() if isinstance(value, str)})


def _vocabulary(path: Path, words: Sequence[str]) -> Vocabulary:
    """The vocabulary that knows most of a file's classes."""
    best = max(vocabularies().values(), key=lambda vocabulary: sum(map(vocabulary.covers, words)))
    if not any(map(best.word, words)):
        raise DataError(
            f"{path}: {', '.join(words[:8]) if words else 'its labels are numbers without names'}: no class of a task. "
            f"Expected {', or '.join(f'of {v.target}: {v.text}' for v in vocabularies().values())}."
        )
    return best


def _rows(parquet: Any, image: str, label: str) -> Iterator[tuple[Any, Any]]:
    """The encoded picture and the label of each row."""
    for batch in parquet.iter_batches(BATCH, columns=[image, label]):
        for picture, value in zip(batch[image].to_pylist(), batch[label].to_pylist(), strict=True):
            yield picture.get("bytes") if isinstance(picture, dict) else picture, value
