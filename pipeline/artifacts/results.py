"""Results outside the cache: a folder that one process fills at a time, and a table that is on disk row by row."""

from __future__ import annotations

import csv
import fcntl
import io
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.artifacts.files import WrongKindError, open_regular
from pipeline.artifacts.suffixes import printable
from pipeline.errors import DataError

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
    """A CSV file that is whole at any moment: a row is on disk when it has been added, and half a row never is.

    Floats have nine significant digits, NaN is an empty field; what no line of UTF-8 can hold is escaped.

    Parameters
    ----------
    path : the file; an earlier one is replaced.
    columns : their names.

    Raises
    ------
    DataError : something else than a file is in its place.
    """

    def __init__(self, path: Path, columns: Sequence[str]):
        self._columns = columns
        try:
            self._file = open_regular(path, os.O_RDWR | os.O_CREAT)
        except WrongKindError as error:
            raise DataError(
                f"{path} must be a file, and something else is in its place. Remove it, or choose another OUT="
            ) from error
        self._file.truncate(0)
        self._write(columns)

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
        self._write([row.get(column) for column in self._columns])

    def _write(self, values: Sequence[Any]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([_field(value) for value in values])
        line, end = memoryview(text.getvalue().encode()), self._file.tell()
        try:
            while line:  # a disk that is nearly full takes a part
                line = line[self._file.write(line) :]
        except OSError:
            self._file.truncate(end)
            raise


def _field(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return printable(value) if isinstance(value, str) else value
