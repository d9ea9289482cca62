"""Results outside the cache: a folder that one process fills at a time, and a table that is on disk row by row."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.artifacts.files import WrongKindError, open_regular
from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.suffixes import printable
from pipeline.errors import DataError

FORMS = ("csv", "jsonl")
DIGITS = 9  # of a float, the significant ones
# What says nothing of one file: the others would fail as well, and so would the table.
HOPELESS = SURROUNDINGS | {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

log = logging.getLogger(__name__)


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Be the one process that fills a folder, made when missing; while another one does, say so and wait.

    Raises
    ------
    DataError : something else than a folder is in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(
            f"OUT={folder} must be a folder, and something else is in its place. Choose a folder: OUT="
        ) from error
    try:
        _lock(descriptor, folder)  # of the folder itself: a file of its own would lie among the results
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.warning("%s is being filled by another process; waiting for it", folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


class Table:
    """A file of rows that is whole at any moment: a row is on disk when it has been added, and half a row never is.

    Floats have nine significant digits; NaN and what a row lacks are an empty field, in JSON null; what no line of
    UTF-8 can hold is escaped.

    Parameters
    ----------
    path : the file; an earlier one is replaced.
    columns : their names.
    form : ``csv``, or ``jsonl``: a line of JSON for each row.
    kept : bytes of an earlier file that stay, whole rows of these columns (see ``earlier_rows``); 0: none do.

    Raises
    ------
    DataError : something else than a file is in its place.
    """

    def __init__(self, path: Path, columns: Sequence[str], form: str = "csv", kept: int = 0):
        self._columns, self._form = columns, form
        try:
            self._file = open_regular(path, os.O_RDWR | os.O_CREAT)
        except WrongKindError as error:
            raise DataError(
                f"{path} must be a file, and something else is in its place. Remove it, or choose another OUT="
            ) from error
        self._file.truncate(kept)
        self._file.seek(kept)
        if form == "csv" and not kept:
            self._put(_csv(columns))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; of a column that it lacks, the field is empty.

        Raises
        ------
        OSError : it cannot be written, and nothing of it was.
        """
        values = [row.get(column) for column in self._columns]
        self._put(_csv(values) if self._form == "csv" else _json(dict(zip(self._columns, values, strict=True))))

    def _put(self, text: str) -> None:
        line, end = memoryview(text.encode()), self._file.tell()
        try:
            while line:  # a disk that is nearly full takes a part
                line = line[self._file.write(line) :]
        except OSError:
            self._file.truncate(end)
            raise


def earlier_rows(path: Path, columns: Sequence[str], form: str = "csv") -> Iterator[tuple[int, int, dict[str, str]]]:
    """The whole rows of a table that an earlier process wrote, one after the other.

    Yields
    ------
    Where the row begins and ends in the file, in bytes, and its fields as texts; an empty one is what it lacked.

    Raises
    ------
    DataError : it has other columns, or is no such table.
    """
    fault = f"{path} is not the table of the run that RESUME is to go on with. Run the command without RESUME"
    try:
        with open_regular(path) as file:
            end = 0
            for line in file:
                start, end = end, end + len(line)
                if not line.endswith(b"\n"):
                    return
                fields = _read(line.decode(), columns, form)
                if start or form != "csv":
                    yield start, end, fields
                elif list(fields.values()) != list(columns):
                    raise DataError(fault)
    except FileNotFoundError:
        return
    except (WrongKindError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(fault) from error


def _read(line: str, columns: Sequence[str], form: str) -> dict[str, str]:
    if form == "csv":
        return dict(zip(columns, next(csv.reader([line])), strict=True))
    values = json.loads(line)
    return {column: "" if values[column] is None else str(values[column]) for column in columns}


def _csv(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_field(value) for value in values])
    return text.getvalue()


def _json(row: Mapping[str, Any]) -> str:
    plain = {name: float(_field(v) or "nan") if isinstance(v, float) else _field(v) for name, v in row.items()}
    some = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in plain.items()}
    return json.dumps(some, ensure_ascii=False, allow_nan=False) + "\n"


def _field(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{DIGITS}g}"
    return printable(value) if isinstance(value, str) else value


def save(content: bytes, place: Path, draft: Path) -> str:
    """Write a file beside the table by one rename. Returns why there is none, or nothing.

    Parameters
    ----------
    place : of the file; its folder is made when missing.
    draft : a name in the same file system that no result has.

    Raises
    ------
    OSError : none can be written here.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(place)
    except OSError as error:
        if error.errno in HOPELESS:
            raise
        return error.strerror or str(error)
    return ""


def check_apart(source: Path, out: Path, folders: Sequence[str]) -> None:
    """Refuse to read from results, and to lay copies over the pictures that they are of.

    Parameters
    ----------
    source : a file or folder that is read.
    out : the folder of the results.
    folders : names of those in it that copies go to.

    Raises
    ------
    DataError : the source lies among the results.
    """
    places = {(out / name).resolve() for name in folders} | ({out.resolve()} if source.is_dir() else set())
    if places & {source.resolve(), *source.resolve().parents}:
        raise DataError(f"INPUT={source} lies among the results, OUT={out}. Choose another folder for these: OUT=")
