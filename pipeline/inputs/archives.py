"""Pictures that a dataset keeps inside its tables, unpacked once into one archive beside the sample table.

A picture of the archive is named by a path that goes on into it: ``…/pictures.zip/train/00012.png``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self
from zipfile import ZipFile, ZipInfo

from pipeline.artifacts.files import open_regular
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.raw_files import open_raw
from pipeline.errors import DataError

NAME = "pictures.zip"


class Unpacker:
    """Writes the archive; without a picture there is none."""

    def __init__(self, folder: Path):
        self._path = folder / NAME
        self._file: ZipFile | None = None

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)  # of an interrupted run
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, file: str, content: bytes) -> str:
        """Keep an encoded picture under a name, and return its SHA-256."""
        if self._file is None:
            self._file = ZipFile(self._path, "w")
        self._file.writestr(ZipInfo(file), content)  # without the time of writing: equal pictures, equal archives
        return hashlib.sha256(content).hexdigest()


def opened(path: Path) -> BinaryIO:
    """What a picture is decoded from: its file, or its bytes where the path goes on into an archive.

    Raises
    ------
    DataError : there is no such file, or it is empty or none; the message is the reason alone.
    OSError : as ``open_raw``.
    """
    folder, inside, member = path.as_posix().partition(f"/{NAME}/")
    archive = os.path.join(folder, NAME)
    if not inside or os.path.isdir(archive):
        file, size = open_raw(path)
        if size:
            return file
        file.close()
        raise DataError("empty file: 0 bytes")
    try:
        return BytesIO(_archive(archive, os.stat(archive).st_mtime_ns).read(member))
    except (FileNotFoundError, KeyError) as error:
        raise DataError("missing: there is no such file") from error


@lru_cache(maxsize=8)
def _archive(path: str, modified: int) -> ZipFile:
    return ZipFile(open_regular(Path(path)))


def locate(files: Iterable[str], raw: RawData, archive: Path | None) -> list[Path]:
    """Where the pictures of a sample table are: among the raw data, or in the archive beside the table.

    Parameters
    ----------
    files : the table's column ``file``.
    raw : the dataset.
    archive : the archive, or None where the dataset keeps its pictures as files.
    """
    if archive is None:
        return [raw.path_of(file).absolute() for file in files]
    with ZipFile(archive) as unpacked:
        inside = frozenset(unpacked.namelist())
    return [(archive / file if file in inside else raw.path_of(file)).absolute() for file in files]
