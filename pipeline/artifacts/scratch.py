"""Where temporary files go while a stage runs: into its own partial folder, from which they always go again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRATCH = ".scratch"
VARIABLES = ("TMPDIR", "JOBLIB_TEMP_FOLDER")


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """While the block runs, this process and those it starts make their temporary files in a new folder.

    Parameters
    ----------
    folder : where it is made; what a killed run left of an earlier one is removed first.
    """
    path = folder.absolute() / SCRATCH
    _remove(path)
    path.mkdir()
    before = {name: os.environ.get(name) for name in VARIABLES}, tempfile.tempdir
    _point(dict.fromkeys(VARIABLES, os.fspath(path)), os.fspath(path))
    try:
        yield path
    finally:
        _point(*before)
        _remove(path)


def _point(variables: dict[str, str | None], tempdir: str | None) -> None:
    """Say where temporary files go: to the processes to come, and to this one."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = tempdir


def _remove(path: Path) -> None:
    """Remove a folder that workers may be leaving, or what lies in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
