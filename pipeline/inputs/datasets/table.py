"""A CSV file with a row per picture or file of signals: ``path``, and what is known of it.

Paths are relative to the file's folder. A column ``label`` holds the classes of one target, in the words that folders
may have; columns named after targets (``pain``, ``expression``, ``level``, ``pspi`` …) hold those, an empty cell where
it is not known. One of them there must be. Without a ``subject`` each file is its own, unless its name says whose
signals it holds, as those of BioVid do; ``expressive`` is 0 or 1; ``fold`` is train, val, test or a number. Every other
column is an attribute, by which the split is balanced. Commas, semicolons or tabs separate.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.raw_data import relative
from pipeline.artifacts.suffixes import fault_of, one_line, quoted
from pipeline.artifacts.tables import Row, listed
from pipeline.errors import DataError
from pipeline.inputs.datasets.biovid import person_of
from pipeline.inputs.datasets.columns import read_rows
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, fold_of, of_signals
from pipeline.inputs.datasets.vocabulary import Vocabulary, check_measure, is_target, vocabularies

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "target"),
    "subject": ("subject", "subject_id", "person", "identity"),
    "expressive": ("expressive",),
    "source": ("source", "origin"),
    "fold": ("fold", "part", "split"),
}
MAX_ATTRIBUTES = 32  # the split is balanced by each, and by each together with each class
_RESERVED = frozenset(("sample_id", "region", "x0", "y0", "x1", "y1"))
_MEASURED = frozenset(("rate_hz", "steps", "repairs"))  # of signals, read off themselves


def recognises(path: Path) -> bool:
    """Whether the dataset was given as a table."""
    return path.suffix.lower() in (".csv", ".tsv") and not os.path.isdir(path)


def read(path: Path, files: Mapping[str, str], names: Mapping[str, str] | None = None) -> Listing:
    """List the pictures or signals of a CSV file.

    Parameters
    ----------
    path : the CSV file.
    files : the paths below its folder (the values are not used).
    names : other names of its columns, as ``columns_of`` gives them.

    Raises
    ------
    DataError : as ``columns.read_rows``; the table lacks a path or a target column, has two for one thing or too many
        attributes, or no label is a class's.
    """
    rows, columns, targets, attributes = _rows(path, names or {})
    words = [row.get(columns["label"], "") for _, row in rows] if "label" in columns else None
    signals = of_signals(row.get(columns["path"], "").strip() for _, row in rows)
    if signals and (clash := sorted(_MEASURED.intersection(map(str.casefold, attributes)))):
        raise DataError(f"{path}: {', '.join(clash)} must be renamed: of signals it is read off themselves.")
    vocabulary = vocabularies()
    labels = _vocabulary_of(path, words, vocabularies(signals=signals)) if words is not None else None
    entries, skipped, lines = [], [], {}
    for line, row in rows:
        file = relative(row.get(columns["path"], ""), path.parent)
        try:
            if file in lines:
                raise DataError(f"listed twice: first on line {lines[file]}")
            if not file:
                raise DataError("no path: the cell is empty")
            if file not in files:
                raise DataError(fault_of(file) or "missing: there is no such file below the table's folder")
            answers = _answers(row, targets, vocabulary) | (_label(row[columns["label"]], labels) if labels else {})
            traits = {name: _cell(row, name) for name in attributes}
            person = person_of(file)[0] if signals else ""
            entries.append(_entry(file, person or file, row, columns, answers, traits))
        except DataError as error:
            skipped.append(Skipped(file or f"{path.name}, line {line}", str(error)))
        lines.setdefault(file, line)
    return Listing(entries, skipped)


def _rows(path: Path, names: Mapping[str, str]) -> tuple[list[tuple[int, Row]], dict[str, str], list[str], list[str]]:
    """Numbered rows, the column of each meaning, the target columns, and the attribute columns."""
    present, rows = read_rows(path, names)
    header = {name: name.casefold() for name in present}
    columns = {}
    for meaning, words in _COLUMNS.items():
        found = [name for name, low in header.items() if low in words]
        if len(found) > 1:
            raise DataError(f"{path} has two columns for the {meaning}: {', '.join(found)}. Keep one.")
        if found:
            columns[meaning] = found[0]
    others = [name for name in header if name not in columns.values()]
    targets = [name for name in others if is_target(name, vocabularies())]
    attributes = [name for name in others if name not in targets]
    missing = [name for name in ("path", "label") if name not in columns and not (name == "label" and targets)]
    clash = sorted(_RESERVED.intersection(header.values()))
    if missing or clash:
        raise DataError(
            f"{path} has the columns {listed(present) or '(none)'}; "
            + (
                f"it needs {' and '.join(missing)}. {_others(missing)}"
                if missing
                else f"{', '.join(clash)} must be renamed."
            )
        )
    if len(attributes) > MAX_ATTRIBUTES:
        raise DataError(
            f"{path} has {len(attributes):,} columns of attributes, by which the split is balanced: "
            f"{listed(attributes, 5)}. At most {MAX_ATTRIBUTES} can be: keep those that matter in a copy of the table."
        )
    return list(rows), columns, targets, attributes


def _others(missing: list[str]) -> str:
    """How to say which columns hold what is missing."""
    named, halves = (",".join(f"{name}=<column>" for name in names) for names in (missing, ("rgb_frame", "ir_frame")))
    return f"Say which column that is: COLUMNS={named}, or, of pairs of frames, COLUMNS={halves}"


def _cell(row: Row, name: str) -> str:
    """A cell as one line; empty where there is no such column."""
    return one_line(row.get(name, "").strip())


def _vocabulary_of(path: Path, labels: list[str], known: Mapping[str, Vocabulary]) -> Vocabulary:
    """The vocabulary that knows most of a column's labels: one of ``known`` if any of these knows any, else of all."""
    counts = Counter(label.strip() for label in labels)

    def score(vocabulary: Vocabulary) -> tuple[int, int]:
        return (
            sum(n for label, n in counts.items() if vocabulary.word(label)),
            sum(map(vocabulary.covers, counts)),
        )

    best = max(known.values(), key=score, default=None)
    if best is None or not score(best)[0]:
        best = max(vocabularies().values(), key=score)
    if labels and not score(best)[0]:
        raise DataError(
            f"{path}: no label is a class of a task: {listed(list(counts), 5)}. "
            f"Expected {', or '.join(f'of {v.target}: {v.text}' for v in vocabularies().values())}."
        )
    return best


def _label(label: str, vocabulary: Vocabulary) -> dict[str, str]:
    word = vocabulary.word(label)
    if word is None:
        raise DataError(f"unknown label: {quoted(label.strip())}, expected {vocabulary.text}")
    return {vocabulary.target: word}


def _answers(row: Mapping[str, str], targets: list[str], vocabulary: Mapping[str, Vocabulary]) -> dict[str, str]:
    """What the target columns of a row say; a word of no class stays as it is, a measure must be a number."""
    cells = {name: _cell(row, name) for name in targets}
    for name, cell in cells.items():
        if cell and name not in vocabulary:
            check_measure(name, cell)
    return {
        name: (vocabulary[name].word(cell) or cell) if name in vocabulary else cell
        for name, cell in cells.items()
        if cell
    }


def _entry(
    file: str,
    person: str,
    row: Mapping[str, str],
    columns: Mapping[str, str],
    answers: dict[str, str],
    traits: dict[str, str],
) -> Entry:
    """The entry of a row; ``person`` is whose file it is where no column says."""

    def cell(meaning: str) -> str:
        return _cell(row, columns.get(meaning, ""))

    if not answers:
        raise DataError("no target: every target's cell is empty")
    if cell("expressive") not in ("", "0", "1"):
        raise DataError(f"unknown expressive: {quoted(cell('expressive'))}, expected 0 or 1")
    fold = fold_of(cell("fold"))
    expressive = int(cell("expressive")) if cell("expressive") else None
    return Entry(
        file=file,
        subject_id=cell("subject") or person,
        regions={"full": Region(answers, expressive)},
        attributes=traits,
        fold=fold,
        source=cell("source"),
    )
