"""What INPUT= names: a picture, a video, a folder, a pattern, a list of paths, or a camera."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts.files import WrongKindError, read_regular
from pipeline.artifacts.suffixes import PICTURES, VIDEOS
from pipeline.errors import DataError
from pipeline.serving import pictures
from pipeline.serving.pictures import Found, Picture

LIST = ".txt"
MOST_LIST_BYTES = 2**26
CAMERA = re.compile(r"[0-9]{1,3}")
DEVICES = Path("/dev")
EITHER = PICTURES | VIDEOS


def find(source: Path | str, left_out: Path) -> Found:
    """Everything that is named, in order and each under a name of its own.

    Parameters
    ----------
    source : a picture of any name, a video by its suffix, a folder, a pattern with ``*``, ``?`` or ``[…]`` (``**``: at
        any depth), a ``.txt`` file with a path on each line, or the number of a camera.
    left_out : a folder that is not looked through: earlier results.

    Raises
    ------
    DataError : there is nothing of these, or it holds nothing that is a picture or a video by its name.
    """
    source, text = Path(source), os.fspath(source)
    if not os.path.lexists(source):
        if CAMERA.fullmatch(text):
            return Found([_camera(int(text))], 0)
        if glob.has_magic(text):
            return _matched(text, left_out)
    if source.suffix.lower() == LIST and source.is_file():
        return _listed(source)
    return pictures.find(source, left_out, EITHER, "picture or video")


def _camera(number: int) -> Picture:
    device = DEVICES / f"video{number}"
    if not device.exists():
        others = sorted(path.name.removeprefix("video") for path in DEVICES.glob("video[0-9]*"))
        raise DataError(
            f"There is no camera {number}: no {device}. Cameras here: {', '.join(others) or 'none'}. "
            "Give another, or a file: make predict INPUT=/path/to/it"
        )
    return Picture(device, f"camera-{number}", camera=True)


def _matched(pattern: str, left_out: Path) -> Found:
    paths = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]
    own = left_out.resolve()
    files = [path for path in paths if not path.is_dir() and own not in path.resolve().parents]
    wanted = [path for path in files if pictures.ends(path.name, EITHER)]
    if not wanted:
        raise DataError(
            f"INPUT={pattern} matches {len(files)} files, none of them a picture or video. "
            "Give another pattern, in quotation marks: make predict INPUT='/path/to/*.jpg'"
        )
    return Found(_named(wanted), len(files) - len(wanted))


def _listed(source: Path) -> Found:
    try:
        lines = os.fsdecode(read_regular(source, MOST_LIST_BYTES)).removeprefix("\ufeff").splitlines()
    except (WrongKindError, ValueError, OSError) as error:
        raise DataError(f"{source} cannot be read as a list of paths: {error}") from error
    if any("\0" in line for line in lines):
        raise DataError(f"{source} is no list of paths: it holds bytes that no path has.")
    paths = [Path(line.strip()) for line in lines if line.strip()]
    if not paths:
        raise DataError(f"{source} lists nothing. Write a path on each line, or give another INPUT=")
    beside = source.absolute().parent
    there = [path.absolute() if path.exists() and not (beside / path).exists() else beside / path for path in paths]
    return Found(_named(there), 0)


def _named(paths: Sequence[Path]) -> list[Picture]:
    """Each path once, under its name below the folder that all have in common."""
    once = list(dict.fromkeys(os.path.abspath(path) for path in paths))
    common = os.path.commonpath([os.path.dirname(path) for path in once])
    return [Picture(Path(path), os.path.relpath(path, common), pictures.reason_of(Path(path))) for path in once]
