"""Text and tables of raw data, which may be anything: each fault is one line that names the file and the place."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.artifacts.raw_files import MAX_BYTES, open_raw
from pipeline.artifacts.suffixes import printable, quoted
from pipeline.errors import DataError

MAX_COLUMNS = 4096
MAX_NAME = 200  # characters of a column's name

Row = dict[str, str]


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """The text of a file, without a byte order mark; its line ends stay as they are.

    Raises
    ------
    DataError : it is no file, too large, cannot be read, is not UTF-8 or no text.
    """
    try:
        file, size = open_raw(path, most)
    except DataError as error:
        raise DataError(f"{path} cannot be read ({error}). Put a readable table there.") from error
    with file:
        content = file.read(size)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = ": it is UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}{utf16}). Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise DataError(f"{path} is no text: byte {content.index(0)} is 0. Save it as UTF-8 text.")
    return text


def separator(table: str) -> str:
    """What separates the cells of a table, by its first line: a comma, a semicolon or a tab."""
    return max(",;\t", key=table.partition("\n")[0].count)


def read_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, and the number of the line on which it ends.

    Raises
    ------
    DataError : as ``read_text``; or a quotation mark is not closed, or a cell too long.
    """
    text = read_text(path)
    # Strict: otherwise a quotation mark that is not closed takes the rest of the table into one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error} (a cell has at most {csv.field_size_limit():,} characters). "
            "Close each quotation mark, double those inside a cell, and shorten what is too long."
        ) from error


def read_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """The columns of a table, and its rows by column, with the numbers of their lines.

    Cells that a row lacks are empty; columns without a name, and cells beyond the last column, are left out.

    Raises
    ------
    DataError : as ``read_cells``; or there are too many columns, two of one name, or a name that is none.
    """
    lines = read_cells(path)
    columns = [name.strip() for name in next(lines, (1, []))[1]]
    _check_columns(path, columns)
    return [name for name in columns if name], ((line, _row(columns, cells)) for line, cells in lines)


def _row(columns: list[str], cells: list[str]) -> Row:
    cells = cells + [""] * (len(columns) - len(cells))
    return {name: cell for name, cell in zip(columns, cells, strict=False) if name}


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise DataError(f"{path} has {len(columns):,} columns, at most {MAX_COLUMNS:,} are read. Remove the rest.")
    for number, name in enumerate(columns, 1):
        if len(name) > MAX_NAME or printable(name) != name:
            raise DataError(
                f"{path}, column {number}: {quoted(name)} is no name of a column, which is one line of at most "
                f"{MAX_NAME} characters. Is the first line of the table its header?"
            )
    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
        raise DataError(f"{path} has two columns of the name {twice[0]}. Keep one, or rename the other.")


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a message: the first of them, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(printable(name[:80]) for name in names[:most])}{more}"
