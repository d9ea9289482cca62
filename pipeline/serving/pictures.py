"""The pictures or signals of a file or folder of the user's, whatever else lies among them, and where copies go."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import results
from pipeline.artifacts.raw_files import kind_of
from pipeline.artifacts.suffixes import PICTURES, VIDEOS, escaped, suffix_of
from pipeline.errors import DataError

NAME_BYTES = 255  # of the longest name that file systems take


@dataclass(frozen=True)
class Picture:
    """What is a picture, a video or a file of signals, by its name; or a camera.

    Parameters
    ----------
    path : where it is.
    name : the path below the folder that was looked through, with slashes.
    reason : why it cannot be one, or empty.
    camera : whether it is one.
    """

    path: Path
    name: str
    reason: str = ""
    camera: bool = False

    @property
    def moves(self) -> bool:
        """Whether it is a video or a camera: frames with times, not one picture."""
        return self.camera or suffix_of(self.name) in VIDEOS

    @property
    def shown(self) -> str:
        """The name as one line of UTF-8, another for each."""
        return escaped(self.name)


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Parameters
    ----------
    pictures : by name, and whatever else bears the name of one or could not be looked through, with the reason.
    others : number of files that are none by their names.
    """

    pictures: list[Picture]
    others: int


def check_apart(source: Path, found: Found, out: Path, folders: Sequence[str]) -> None:
    """Raise DataError where what a source names lies among the results, as ``results.check_apart`` says."""
    for path in [source] if os.path.lexists(source) else [picture.path for picture in found.pictures]:
        results.check_apart(path, out, folders)


def find(source: Path, left_out: Path, suffixes: Collection[str] = PICTURES, what: str = "picture") -> Found:
    """The picture itself, or the pictures in a folder and below it; links to folders are not followed.

    Parameters
    ----------
    source : a picture of any name, or a folder.
    left_out : a folder that is not looked through: earlier results.
    suffixes : how the names of pictures, or of what else is looked for, end.
    what : one of them, in messages.

    Raises
    ------
    DataError : there is no file or folder, or it holds nothing that is a picture by its name.
    """
    try:
        status = source.stat()
    except (OSError, ValueError) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else getattr(error, "strerror", str(error))
        raise DataError(
            f"There is no {what} or folder {source} ({reason}). Give one: make predict INPUT=/path/to/it"
        ) from error
    kind = kind_of(status)
    if not kind:
        return Found([Picture(source, source.name)], 0)
    if not stat.S_ISDIR(status.st_mode):
        raise DataError(f"{source} is {kind}, neither {what} nor folder. Give one: make predict INPUT=/path/to/it")
    entries = list(_entries(source, left_out, suffixes))
    pictures = [entry for entry in entries if entry.reason or ends(entry.name, suffixes)]
    others = len(entries) - len(pictures)
    if not pictures:
        raise DataError(
            f"{source} holds {others} files, none of them a {what} ({', '.join(sorted(suffixes))}). "
            "Give another folder: make predict INPUT=/path/to/it"
        )
    return Found(sorted(pictures, key=lambda picture: picture.path), others)


def ends(name: str, suffixes: Collection[str]) -> bool:
    """Whether a name ends in one of some suffixes and has something before it, which may be a dot."""
    return f"_{os.path.basename(name)}".lower().endswith(tuple(suffixes))


def _entries(source: Path, left_out: Path, suffixes: Collection[str]) -> Iterator[Picture]:
    """Every file, and with a reason what bears the name of one that is looked for without being one."""
    folders, results = [(source, "")], _identity(left_out)
    while folders:
        folder, below = folders.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError as error:  # no right to read it, a path of more than 4,096 bytes, or it is gone
            yield Picture(folder, below or ".", f"a folder that cannot be looked through: {error.strerror}")
            continue
        for entry in entries:
            path, name = folder / entry.name, f"{below}/{entry.name}" if below else entry.name
            reason = reason_of(path)
            if not reason or ends(name, suffixes):
                yield Picture(path, name, reason)
            elif entry.is_symlink() and path.is_dir():
                yield Picture(path, name, "a link to a folder, which is not followed")
            if entry.is_dir(follow_symlinks=False) and (results is None or _identity(path) != results):
                folders.append((path, name))


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells one folder from all others, without walking up its path; None of what is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def reason_of(path: Path) -> str:
    """Why something is no file, found out without opening it; empty if it is one."""
    try:
        kind = kind_of(path.stat())
    except FileNotFoundError:  # a link to nothing, or it is gone
        return "missing: there is no such file"
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return f"not a file: it is {kind}" if kind else ""


def copy_name(name: str, names: Collection[str]) -> str:
    """Where the JPEG copy of a picture lies: under its own name, another for each of the pictures.

    Parameters
    ----------
    name : of the picture.
    names : of all. A copy whose name would be too long, or is another picture's, gets 8 digits of a hash of its own.
    """
    if suffix_of(name) in (".jpg", ".jpeg"):
        return name
    if f"{name}.jpg" not in names and _fits(f"{name}.jpg"):
        return f"{name}.jpg"
    return _hashed(name, ".jpg")


def video_name(name: str, names: Collection[str]) -> str:
    """Where the annotated copy of a video lies: under its own name with ``.mp4`` for its ending, another for each."""
    stem = name[: -len(suffix_of(name))] if suffix_of(name) in VIDEOS else name
    alone = sum(other.startswith(f"{stem}.") or other == stem for other in names) == 1
    copy = f"{stem}.mp4" if alone or suffix_of(name) == ".mp4" else f"{name}.mp4"
    return copy if _fits(copy) else _hashed(name, ".mp4")


def points_name(name: str, face: int | None = None) -> str:
    """Where the points of a face of a picture lie, as of ``face_name``."""
    return face_name(name, ".pts", face)


def face_name(name: str, ending: str, face: int | None = None) -> str:
    """Where a file of a face of a picture lies: under the picture's own name, another for each.

    Parameters
    ----------
    name : of the picture. Where that of the file would be too long, it gets 8 digits of a hash of it.
    ending : of the file's name.
    face : its number, where the picture has several.
    """
    ending = ending if face is None else f"-{face}{ending}"
    return f"{name}{ending}" if _fits(f"{name}{ending}") else _hashed(name, ending)


def _fits(name: str) -> bool:
    return len(os.fsencode(os.path.basename(name))) <= NAME_BYTES


def _hashed(name: str, ending: str) -> str:
    """As much of a name as a file system takes before 8 digits of its hash and an ending."""
    folder, slash, last = name.rpartition("/")
    ending = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{ending}"
    return folder + slash + os.fsencode(last)[: NAME_BYTES - len(ending)].decode(errors="ignore") + ending
