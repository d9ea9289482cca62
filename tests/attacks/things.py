"""What is no file in the place of one, and odd names: what caches, pictures, recordings and tables have in common."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from pipeline.artifacts.suffixes import suffix_of
from tests.helpers import specials

MOST_BYTES = 255  # of a name
# Bytes before the suffix; a name that is odd stays a name.
NAMES = (
    *(b"\xff\xfe", b"a\rb", b"a\nb", b'a"b', b"a,b;c\td", b"..dots", b"..", b"-rf", b" ", b"#", b"%00", b"a" * 251),
    *("é\u202e".encode(), "\U0001f600".encode(), b"'; rm -r", b"=1+1", b"{0}%s", b"\x1b[2J", b"\\", b"a" * 247, b"nan"),
)


def pipe(path: Path, *_: object) -> None:
    """A pipe, whose reader waits."""
    specials.put(path, "a pipe")


def socket(path: Path, *_: object) -> None:
    """A socket."""
    specials.put(path, "a socket")


def loop(path: Path, *_: object) -> None:
    """A link that leads to itself."""
    specials.put(path, specials.LOOP)


def folder(path: Path, *_: object) -> None:
    """A folder."""
    specials.put(path, "a folder")


def odd(path: Path, random: Random) -> bytes:
    """Give a file an odd name in its folder; the name."""
    suffix = suffix_of(path.name).encode()
    name = random.choice(NAMES)[: MOST_BYTES - len(suffix)] + suffix
    os.rename(path, os.path.join(os.fsencode(path.parent), name))
    return name
