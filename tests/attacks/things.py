"""What is no file in the place of one: damages that caches, pictures and tables have in common."""

from __future__ import annotations

from pathlib import Path

from tests.helpers import specials


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
