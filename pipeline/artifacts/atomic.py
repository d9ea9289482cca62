"""Files that appear whole or not at all: written beside their place under another name, then renamed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DRAFT = ".draft"


@contextmanager
def replacing(path: Path, suffix: str = DRAFT) -> Iterator[Path]:
    """The path of a draft, which takes the file's place when the block ends without an error, and else goes.

    Parameters
    ----------
    path : where the file is to appear.
    suffix : of the draft; one of its own for each process where several may write the same file.
    """
    draft = path.with_name(f"{path.name}{suffix}")
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def tidy(folder: Path) -> None:
    """Remove the drafts that a killed process left in a folder and below it, and what is neither file nor folder: to
    write into a pipe is to wait for ever, and into a link, to write elsewhere. Nobody else may be at work there."""
    for path in folder.rglob("*"):
        kind = path.lstat().st_mode
        is_draft = path.name.endswith(DRAFT) and not stat.S_ISDIR(kind)
        if is_draft or not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
            path.unlink()
