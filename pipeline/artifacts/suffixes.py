"""Names of data files: how they end, which cannot be used, and how any name is shown."""

from __future__ import annotations

import os
import re

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"}
)
VIDEOS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".3gp",
        ".ts",
        ".mts",
        ".m2ts",
        ".flv",
        ".ogv",
    }
)
TABLES = frozenset({".csv", ".tsv", ".txt"})
PACKED = frozenset({".csv.gz", ".tsv.gz", ".txt.gz", ".npz"})  # signals, and nothing else
SIGNALS = TABLES | PACKED
# Pictures, signals, tables and fold files; notes, weights and recipes beside them are not data.
DATA = PICTURES | SIGNALS | {".parquet", ".pts", ".mat"}

HIDDEN = "hidden"  # kind of reason: whoever named the picture meant it not to be seen
# What ends a line or steers a terminal, and what stands for bytes that are not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def suffix_of(path: str) -> str:
    """How a path ends, in lower case: ``.jpg`` also for ``..jpg``, which has nothing else, and ``.csv.gz`` whole."""
    stem, suffix = os.path.splitext(f"_{os.path.basename(path)}".lower())
    packed = os.path.splitext(stem)[1] + suffix
    return packed if packed in PACKED else suffix


def fault_of(path: str) -> str | None:
    """Why a file of this name cannot be used, as ``kind: detail``, or None.

    Parameters
    ----------
    path : relative to the dataset's folder. A sample bears it in CSV files, so that it must be one line of UTF-8.
    """
    if match := _UNPRINTABLE.search(path):
        what = "is not UTF-8 text" if "\ud800" <= match[0] <= "\udfff" else "holds a control character"
        return f"name: it {what}. Rename what bears it"
    return None


def escaped(path: str) -> str:
    """A name as one line of UTF-8, different for different names: ``a\\xff.jpg``."""
    return printable(path.replace("\\", "\\\\"))


def printable(text: str) -> str:
    """A text as one line of UTF-8, what cannot be shown escaped with a backslash."""
    return _UNPRINTABLE.sub(_escape, text)


def one_line(text: str) -> str:
    """A text with a blank for everything that would break its line."""
    return _UNPRINTABLE.sub(" ", text)


def quoted(text: object, most: int = 80) -> str:
    """What a message shows of a text that may be anything: its beginning, in quotation marks."""
    shown = str(text)
    return printable(repr(shown if len(shown) <= most else f"{shown[:most]}…"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code  # as os.fsdecode keeps a byte that is not UTF-8
    return f"\\x{byte:02x}" if byte < 0x80 or byte != code else f"\\u{code:04x}"
