"""The text of one recording: a header and a row of numbers for each step, however they are separated.

Rules: columns are known by name, not by order; commas, semicolons, tabs or blanks separate; a decimal comma is a point;
six columns without a header are BioVid's. A cell that is no number says nothing. A last line that is cut off is left
out, the only one that may lack cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pipeline.artifacts.suffixes import printable, quoted
from pipeline.errors import DataError

TIME = "time"
BIOVID = (TIME, "gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
MAX_CELLS = 2**21  # 11 minutes of BioVid's columns and rate
MAX_COLUMNS = 64
MAX_NAME = 80
MAX_NUMBER = 40  # characters
MOST = 1e18  # of any number: microseconds since 1970 are less

_OTHER_NAMES = {
    **dict.fromkeys(("eda", "sc", "scl", "skin_conductance", "skinconductance"), "gsr"),
    **dict.fromkeys(("ekg",), "ecg"),
    **dict.fromkeys(("trapezius",), "emg_trapezius"),
    **dict.fromkeys(("corrugator",), "emg_corrugator"),
    **dict.fromkeys(("zygomaticus",), "emg_zygomaticus"),
    **dict.fromkeys(("t", "timestamp", "times", "seconds"), TIME),
}
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "μs", "usec", "microseconds"), "us"),
}
_UNIT_OF = re.compile(r"(.+?)[\s_]*(?:[\(\[]([^\)\]]{0,20})[\)\]]|/([^/]{1,3}))")  # gsr [uS], time (ms), time/s
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Sheet:
    """One table of numbers.

    Attributes
    ----------
    columns : names in lower case, as ``channel_name`` makes them.
    values : float64, shape (rows, columns), NaN where there is no number.
    unit : of the times: ``s``, ``ms``, ``us`` or empty.
    repairs : what was done, each as ``kind: detail``.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    unit: str
    repairs: tuple[str, ...]


def channel_name(name: str) -> str:
    """The name of a column without case, unit, quotation marks and blanks: ``gsr`` also for ``EDA [uS]``."""
    return _named(name)[0]


def parse(content: bytes) -> Sheet:
    """The table in the text of a file.

    Raises
    ------
    DataError : it is no text, too long, has no header or a wrong one, or rows of other length; the message is the
        reason alone.
    """
    lines = [line for line in _text(content).split("\n") if line.strip()]
    if not lines:
        raise DataError("empty file: it has no line")
    separator = max("\t;,", key=lines[0].count)
    if separator not in lines[0]:
        lines, separator = [re.sub(r"[ \t]+", "\t", line.strip()) for line in lines], "\t"
    if (cells := sum(line.count(separator) + 1 for line in lines)) > MAX_CELLS:
        raise DataError(f"too large: {cells:,} cells, at most {MAX_CELLS:,} are read")
    names, unit, body, repairs = _header(lines, separator)
    body, more = _even(body, separator, len(names))
    return Sheet(names, _numbers(body, separator, len(names)), unit, (*repairs, *more))


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"no text: it is not UTF-8 ({error.reason} at byte {error.start})") from error
    if "\0" in text:
        raise DataError(f"no text: byte {content.index(0)} is 0")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace('"', "")
    if (lines := text.count("\n")) > MAX_CELLS:
        raise DataError(f"too large: {lines:,} lines, at most {MAX_CELLS:,} are read")
    return text


def _header(lines: list[str], separator: str) -> tuple[tuple[str, ...], str, list[str], tuple[str, ...]]:
    """The columns' names, the unit of the times, the lines below the header, and what was done."""
    first = [cell.strip() for cell in lines[0].split(separator)]
    if all(_is_number(cell, separator) for cell in first):
        if len(first) != len(BIOVID):
            raise DataError(
                f"no header: the first line holds {len(first)} numbers, expected names such as time and gsr"
            )
        return BIOVID, "", lines, ("no header: its six columns are read in BioVid's order",)
    if len(first) > MAX_COLUMNS:
        raise DataError(f"wrong header: {len(first):,} columns, at most {MAX_COLUMNS} are read")
    if odd := [name for name in first if len(name) > MAX_NAME or printable(name) != name]:
        raise DataError(f"wrong header: {quoted(odd[0])} is no name of a column")
    named = [_named(name) for name in first]
    names = tuple(name for name, _ in named)
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        both = [raw for raw, name in zip(first, names, strict=True) if name == twice]
        raise DataError(f"wrong header: {' and '.join(map(quoted, both))} are both {twice}")
    if len(lines) < 2:
        raise DataError("empty file: it has a header and no row")
    return names, dict(named).get(TIME, ""), lines[1:], ()


def _named(name: str) -> tuple[str, str]:
    """A column's name, and the unit where it is one of time."""
    plain, unit = name.strip().strip("'").casefold(), ""
    if match := _UNIT_OF.fullmatch(plain):
        plain, unit = match[1], (match[2] or match[3] or "").strip()
    plain = re.sub(r"[\s\-]+", "_", plain.strip())
    stem, _, last = plain.rpartition("_")
    if not unit and last in _UNITS and _OTHER_NAMES.get(stem, stem) == TIME:
        plain, unit = stem, last
    if plain == "seconds":
        unit = plain
    return _OTHER_NAMES.get(plain, plain), _UNITS.get(unit, "")


def _even(body: list[str], separator: str, columns: int) -> tuple[list[str], tuple[str, ...]]:
    """Lines of as many cells as there are columns; separators at the end of a line part nothing."""
    counts = np.array([line.count(separator) for line in body]) + 1
    for row in np.flatnonzero(counts > columns):
        body[row] = _without_empty(body[row], separator, columns)
        counts[row] = body[row].count(separator) + 1
    repairs: tuple[str, ...] = ()
    if counts[-1] < columns and len(body) > 1:
        body, counts = body[:-1], counts[:-1]
        repairs = ("cut off: the last line is not complete and is left out",)
    if (odd := np.flatnonzero(counts != columns)).size:
        row = int(odd[0])
        raise DataError(f"ragged: row {row + 1:,} has {counts[row]:,} cells, the header {columns}")
    return body, repairs


def _without_empty(line: str, separator: str, columns: int) -> str:
    """A line without the empty cells beyond the last column."""
    cells = line.split(separator)
    return line if any(cell.strip() for cell in cells[columns:]) else separator.join(cells[:columns])


def _numbers(body: list[str], separator: str, columns: int) -> np.ndarray:
    """The cells as float64, shape (rows, columns)."""
    text = separator.join(body)
    cells = [cell.strip() for cell in text.split(separator)]
    plain = text.isascii() and "_" not in text and max(map(len, cells)) <= MAX_NUMBER
    try:
        values = np.array(cells).astype(np.float64) if plain else np.empty(0)
    except ValueError:
        values = np.empty(0)
    if len(values) != len(cells):
        values = np.array([_number(cell, separator) for cell in cells])
    with np.errstate(invalid="ignore"):
        values[~(np.abs(values) <= MOST)] = np.nan
    return values.reshape(-1, columns)


def _is_number(cell: str, separator: str) -> bool:
    return not np.isnan(_number(cell, separator))


def _number(cell: str, separator: str) -> float:
    """What a cell says; NaN where that is no number. A comma that separates no cells is a decimal one."""
    plain = cell.replace(",", ".") if separator != "," else cell
    return float(plain) if len(plain) <= MAX_NUMBER and _NUMBER.fullmatch(plain) else np.nan
