"""What is packed, unpacked to a bounded size: gzipped text, and the arrays of an ``.npz``, none of them pickled."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Collection
from io import BytesIO
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.suffixes import printable, quoted
from pipeline.errors import DataError

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"  # how such files begin
MAX_TEXT_BYTES = 2**26  # a window of BioVid has 0.2 MB of text
MAX_ARRAY_BYTES = 2**27  # all windows of a subject, six channels of float64, are 14 MB
MAX_GZIPPED_BYTES = 2**24
MAX_MEMBERS = 4096  # bgzip makes one for each 64 kB
MAX_DIRECTORY_BYTES = 2**18  # a name of an array takes about 60; of a million names a reader would build objects

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_KINDS = "biufU"  # numbers and words; objects are pickles, which run what they like
# The end of a directory: signature, disks (3 times 2 bytes), entries, bytes of the directory, its place, a comment.
_END, _END_BYTES, _LOCATOR, _LOCATOR_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, b"PK\x06\x07", 20, 2**16


def gunzipped(content: bytes) -> bytes:
    """The text of a gzip file, of one member or several.

    Raises
    ------
    DataError : it is damaged, cut off, followed by something else, or unpacks to more than ``MAX_TEXT_BYTES``.
    """
    if len(content) > MAX_GZIPPED_BYTES:
        raise DataError(f"too large: {len(content):,} bytes of gzip, at most {MAX_GZIPPED_BYTES:,} are read")
    parts, size = [], 0
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)  # 31: a gzip header, and its checksum is compared
        try:
            parts.append(member.decompress(content, MAX_TEXT_BYTES - size + 1))
        except zlib.error as error:
            raise DataError(f"unreadable: damaged gzip ({str(error).rpartition(': ')[2]})") from error
        size += len(parts[-1])
        if size > MAX_TEXT_BYTES:
            raise DataError(f"too large: it unpacks to more than {MAX_TEXT_BYTES:,} bytes")
        if not member.eof:
            raise DataError("unreadable: truncated gzip, its end is missing")
        content = member.unused_data.lstrip(b"\0")  # tapes are filled up with zeros
        if not content:
            return b"".join(parts)
        if not content.startswith(GZIP):
            raise DataError(f"unreadable: damaged gzip, {len(content):,} bytes of something else follow it")
    raise DataError(f"too large: more than {MAX_MEMBERS:,} gzip files in one")


def arrays(file: BinaryIO, size: int, names: Collection[str]) -> dict[str, np.ndarray]:
    """Some arrays of an ``.npz``, by name in lower case; those that it lacks are left out.

    Parameters
    ----------
    file : open for reading, of ``size`` bytes; it is closed.
    names : of the arrays, in lower case; nothing else is unpacked.

    Raises
    ------
    DataError : it is no such file, damaged, pickled, or too large; the message is the reason alone.
    OSError : one of ``SURROUNDINGS``.
    """
    try:
        with file, ZipFile(_checked(file, size)) as archive:
            members: dict[str, str] = {}
            for member in archive.infolist():
                name = PurePosixPath(member.filename).name.removesuffix(".npy").lower()
                if name not in names:
                    continue
                if name in members:
                    raise DataError(
                        f"two arrays: {quoted(members[name])} and {quoted(member.filename)} are both {name}"
                    )
                if member.file_size > MAX_ARRAY_BYTES:
                    raise DataError(
                        f"too large: {name} unpacks to {member.file_size:,} bytes, at most {MAX_ARRAY_BYTES:,} are read"
                    )
                members[name] = member.filename
            # A member is read to the size that was checked, however much is packed.
            return {name: _array(name, archive.read(member)) for name, member in members.items()}
    except DataError:
        raise
    # Damaged archives and headers raise whatever they lead to: BadZipFile, zlib.error, RuntimeError, SyntaxError …
    except Exception as error:
        if isinstance(error, OSError) and error.errno in SURROUNDINGS:
            raise
        raise DataError(f"unreadable: {printable((str(error) or type(error).__name__).splitlines()[0])}") from error


def _checked(file: BinaryIO, size: int) -> BinaryIO:
    """The archive, if its directory is small: the library reads all of it before anything can be asked."""
    file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES - _MAX_COMMENT))
    tail = file.read()
    file.seek(0)
    plain = len(tail) - _END_BYTES
    end = plain if plain >= 0 and tail[plain:].startswith(_END) and tail.endswith(b"\0\0") else tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise DataError("unreadable: truncated or damaged archive, it has no directory")
    (directory,) = struct.unpack_from("<L", tail, end + 12)
    longer = tail[max(0, end - _LOCATOR_BYTES) :].startswith(_LOCATOR)  # another directory, of more than 4 GB
    if longer or directory > MAX_DIRECTORY_BYTES:
        raise DataError(f"too large: the archive's directory is not of {MAX_DIRECTORY_BYTES:,} bytes at most")
    return file


def _array(name: str, content: bytes) -> np.ndarray:
    """One array; its header is read before memory is asked for."""
    stream = BytesIO(content)
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise DataError(f"unreadable: {name} is of version {version} of the format, of structures of arrays")
    with warnings.catch_warnings(action="ignore"):  # what a header was written by, and odd literals in a damaged one
        shape, by_columns, kind = _HEADERS[version](stream)
    if kind.hasobject:
        raise DataError(f"pickled: {name} holds objects, which can run anything and are not read. Save it as numbers")
    if kind.kind not in _KINDS or not kind.itemsize:
        raise DataError(f"no numbers: {name} holds {quoted(kind)}")
    told, there = math.prod(shape) * kind.itemsize, len(content) - stream.tell()
    if told != there:
        raise DataError(f"unreadable: {name} of shape {quoted(shape)} needs {told:,} bytes, it has {there:,}")
    return np.frombuffer(content, kind, offset=stream.tell()).reshape(shape, order="F" if by_columns else "C")
