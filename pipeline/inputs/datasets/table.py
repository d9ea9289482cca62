"""A CSV file with a row per picture: ``path``, and what is known of it.

Paths are relative to the file's folder. A column ``label`` holds the classes of one target, in the words that folders
may have; columns named after targets (``pain``, ``expression``, ``pspi`` …) hold those, an empty cell where it is not
known. One of them there must be. Without a ``subject`` each picture is its own; ``expressive`` is 0 or 1; ``fold`` is
train, val, test or a number. Every other column is an attribute, by which the split is balanced. Commas, semicolons or
tabs separate.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.raw_data import relative, separator
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, part_of
from pipeline.inputs.datasets.vocabulary import Vocabulary, is_target, vocabularies

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "target"),
    "subject": ("subject", "subject_id", "person", "identity"),
    "expressive": ("expressive",),
    "source": ("source", "origin"),
    "fold": ("fold", "part", "split"),
}
_RESERVED = frozenset(("sample_id", "region", "x0", "y0", "x1", "y1"))


def recognises(path: Path) -> bool:
    """Whether the dataset was given as a table."""
    return path.suffix.lower() in (".csv", ".tsv")


def read(path: Path, files: Mapping[str, str]) -> Listing:
    """List the pictures of a CSV file.

    Parameters
    ----------
    path : the CSV file.
    files : the paths below its folder (the values are not used).

    Raises
    ------
    DataError : the file is empty, is not UTF-8 text, lacks a path or a target column, or has two for one thing, or no
        label is a class's.
    """
    rows, columns, targets, attributes = _rows(path)
    vocabulary = vocabularies()
    labels = _vocabulary_of(path, [row.get(columns["label"], "") for _, row in rows]) if "label" in columns else None
    entries, skipped, lines = [], [], {}
    for line, row in rows:
        file = relative(row.get(columns["path"], ""), path.parent)
        try:
            if file in lines:
                raise DataError(f"listed twice: first on line {lines[file]}")
            if not file:
                raise DataError("no path: the cell is empty")
            if file not in files:
                raise DataError("missing: there is no such picture below the table's folder")
            answers = _answers(row, targets, vocabulary) | (_label(row[columns["label"]], labels) if labels else {})
            traits = {name: row.get(name, "").strip() for name in attributes}
            entries.append(_entry(file, row, columns, answers, traits))
        except DataError as error:
            skipped.append(Skipped(file or f"{path.name}, line {line}", str(error)))
        lines.setdefault(file, line)
    return Listing(entries, skipped)


def _rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], dict[str, str], list[str], list[str]]:
    """Numbered rows, the column of each meaning, the target columns, and the attribute columns."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    reader = csv.DictReader(text.splitlines(), delimiter=separator(text), restkey="", restval="")
    header = {(name or "").strip(): (name or "").strip().casefold() for name in reader.fieldnames or ()}
    columns = {}
    for meaning, names in _COLUMNS.items():
        found = [name for name, low in header.items() if low in names]
        if len(found) > 1:
            raise DataError(f"{path} has two columns for the {meaning}: {', '.join(found)}. Keep one.")
        if found:
            columns[meaning] = found[0]
    others = [name for name in header if name and name not in columns.values()]
    targets = [name for name in others if is_target(name, vocabularies())]
    missing = [name for name in ("path", "label") if name not in columns and not (name == "label" and targets)]
    clash = sorted(_RESERVED.intersection(header.values()))
    if missing or clash:
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; "
            + (f"it needs {' and '.join(missing)}." if missing else f"{', '.join(clash)} must be renamed.")
        )
    rows = [
        (reader.line_num, {(key or "").strip(): (value or "") for key, value in row.items() if key != ""})
        for row in reader
    ]
    return rows, columns, targets, [name for name in others if name not in targets]


def _vocabulary_of(path: Path, labels: list[str]) -> Vocabulary:
    """The vocabulary that knows most of a column's labels."""
    counts = Counter(label.strip() for label in labels)

    def score(vocabulary: Vocabulary) -> tuple[int, int]:
        return (
            sum(n for label, n in counts.items() if vocabulary.word(label)),
            sum(map(vocabulary.covers, counts)),
        )

    best = max(vocabularies().values(), key=score)
    if labels and not score(best)[0]:
        raise DataError(
            f"{path}: no label is a class of a task: {', '.join(list(counts)[:5])}. "
            f"Expected {', or '.join(f'of {v.target}: {v.text}' for v in vocabularies().values())}."
        )
    return best


def _label(label: str, vocabulary: Vocabulary) -> dict[str, str]:
    word = vocabulary.word(label)
    if word is None:
        raise DataError(f"unknown label: {label.strip()!r}, expected {vocabulary.text}")
    return {vocabulary.target: word}


def _answers(row: Mapping[str, str], targets: list[str], vocabulary: Mapping[str, Vocabulary]) -> dict[str, str]:
    """What the target columns of a row say; a word of no class stays as it is."""
    cells = {name: row.get(name, "").strip() for name in targets}
    return {
        name: (vocabulary[name].word(cell) or cell) if name in vocabulary else cell
        for name, cell in cells.items()
        if cell
    }


def _entry(
    file: str, row: Mapping[str, str], columns: Mapping[str, str], answers: dict[str, str], traits: dict[str, str]
) -> Entry:
    def cell(meaning: str) -> str:
        return row.get(columns.get(meaning, ""), "").strip()

    if not answers:
        raise DataError("no target: every target's cell is empty")
    if cell("expressive") not in ("", "0", "1"):
        raise DataError(f"unknown expressive: {cell('expressive')!r}, expected 0 or 1")
    fold = part_of(cell("fold")) or cell("fold")
    if fold and not (part_of(fold) or fold.isdecimal()):
        raise DataError(f"unknown fold: {fold!r}, expected train, val, test or a number")
    expressive = int(cell("expressive")) if cell("expressive") else None
    return Entry(
        file=file,
        subject_id=cell("subject") or file,
        regions={"full": Region(answers, expressive)},
        attributes=traits,
        fold=fold,
        source=cell("source"),
    )
