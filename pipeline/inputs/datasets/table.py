"""A CSV file with a row per picture: ``path``, ``label``; ``subject``, ``expressive``, ``fold``, attributes if known.

Paths are relative to the file's folder. Labels are the words that folders may have. Without a subject each picture is
its own; ``expressive`` (0 or 1) defaults to the label; ``fold`` is train, val, test or a number. Every other column
is an attribute, by which the split is balanced. Commas, semicolons or tabs separate.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts.raw_data import relative, separator
from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import LABEL_WORDS, Entry, Face, Listing, Skipped, label_of, part_of

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "target"),
    "subject": ("subject", "subject_id", "person", "identity"),
    "expressive": ("expressive",),
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
    DataError : the file is empty, is not UTF-8 text, lacks a path or a label column, or has two for one thing.
    """
    rows, columns, attributes = _rows(path)
    entries, skipped, lines = [], [], {}
    for line, row in rows:
        file = relative(row.get(columns["path"], ""), path.parent)
        try:
            if file in lines:
                raise DataError(f"listed twice: first on line {lines[file]}")
            entries.append(_entry(file, row, columns, attributes, files))
        except DataError as error:
            skipped.append(Skipped(file or f"{path.name}, line {line}", str(error)))
        lines.setdefault(file, line)
    return Listing(entries, skipped)


def _rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], dict[str, str], list[str]]:
    """Numbered rows, the column of each meaning, and the attribute columns."""
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
    missing = [name for name in ("path", "label") if name not in columns]
    clash = sorted(_RESERVED.intersection(header.values()))
    if missing or clash:
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; "
            + (f"it needs {' and '.join(missing)}." if missing else f"{', '.join(clash)} must be renamed.")
        )
    attributes = [name for name in header if name and name not in columns.values()]
    rows = [
        (reader.line_num, {(key or "").strip(): (value or "") for key, value in row.items() if key != ""})
        for row in reader
    ]
    return rows, columns, attributes


def _entry(
    file: str, row: Mapping[str, str], columns: Mapping[str, str], attributes: list[str], files: Mapping[str, str]
) -> Entry:
    def cell(meaning: str) -> str:
        return row.get(columns.get(meaning, ""), "").strip()

    if not file:
        raise DataError("no path: the cell is empty")
    if file not in files:
        raise DataError("missing: there is no such picture below the table's folder")
    label = label_of(cell("label"))
    if label is None:
        raise DataError(f"unknown label: {cell('label')!r}, expected {LABEL_WORDS}")
    if cell("expressive") not in ("", "0", "1"):
        raise DataError(f"unknown expressive: {cell('expressive')!r}, expected 0 or 1")
    fold = part_of(cell("fold")) or cell("fold")
    if fold and not (part_of(fold) or fold.isdecimal()):
        raise DataError(f"unknown fold: {fold!r}, expected train, val, test or a number")
    face = Face(label=label, expressive=int(cell("expressive") or label))
    return Entry(
        file=file,
        subject_id=cell("subject") or file,
        regions={"full": face},
        attributes={name: row.get(name, "").strip() for name in attributes},
        fold=fold,
    )
