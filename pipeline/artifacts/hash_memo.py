"""SHA-256 of files, remembered between runs: a cache, which is believed only where its own checksum holds."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.files import digest, open_regular
from pipeline.artifacts.leftovers import alive
from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.record import Digest
from pipeline.artifacts.suffixes import escaped

MOST_BYTES = 2**36  # 64 GiB, of a file that is hashed: no picture, table or weights have more
MOST_MEMO_BYTES = 2**30  # five million files
MANY_FILES, MANY_BYTES = 1000, 10**9  # from here on it is said what is read

Entry = tuple[int, int, Digest]  # size, modification time in ns, SHA-256

log = logging.getLogger(__name__)


class _Memo(msgspec.Struct, forbid_unknown_fields=True):
    """The file: entries by path, and the SHA-256 of them as they are written."""

    checksum: Digest
    files: msgspec.Raw


class HashMemo:
    """SHA-256 of files, remembered in a JSON file by (size, modification time in ns).

    A memo that does not verify, whatever is wrong with it, is forgotten: the files are read again.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self._entries = _read(path) if path else {}
        self._changed = False

    def hash(self, file: Path) -> str:
        """SHA-256 of ``file``, read only when its size or modification time is new; empty when it cannot be read."""
        return self.hashes([file], file)[0]

    def hashes(self, files: Sequence[Path | str], path: Path) -> list[str]:
        """SHA-256 of each file, as ``hash``; where there is much to read, it is said of what.

        Parameters
        ----------
        files : what is hashed, of each as many bytes as it says that it has.
        path : what they belong to.
        """
        keys = [escaped(os.path.realpath(file)) for file in files]
        statuses = [_status(file) for file in files]
        new = [
            number
            for number, (key, status) in enumerate(zip(keys, statuses, strict=True))
            if status and self._entries.get(key, ())[:2] != status
        ]
        hashes = dict(zip(new, _digests([(files[i], statuses[i]) for i in new], path), strict=True))
        for number, sha256 in hashes.items():
            if sha256 and _status(files[number]) == statuses[number]:  # nobody wrote meanwhile
                self._entries[keys[number]] = (*statuses[number], sha256)
                self._changed = True
        return [
            "" if status is None else hashes[number] if number in hashes else self._entries[key][2]
            for number, (key, status) in enumerate(zip(keys, statuses, strict=True))
        ]

    def save(self) -> None:
        """Write what was learned, by one rename, so that two processes cannot tear the file."""
        if self.path is None or not self._changed:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _drop_drafts(self.path)
            with replacing(self.path, f".{os.getpid()}") as draft:
                draft.write_bytes(_written(self._entries))
            self._changed = False
        except OSError as error:
            # Nothing is lost but time. Of a folder where nothing can be written the next artifact tells.
            level = logging.WARNING if self.path.is_dir() else logging.DEBUG
            log.log(
                level,
                "%s cannot be written (%s): the same files are read again next time. Remove what lies there.",
                self.path,
                error.strerror,
            )


def _status(file: Path | str) -> tuple[int, int] | None:
    """Size and modification time of a file that can be hashed."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):  # a link to nowhere, a ring of links: whoever reads the file says why
        return None
    regular = stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
    return (status.st_size, status.st_mtime_ns) if regular else None


def _digests(files: Sequence[tuple[Path | str, tuple[int, int]]], path: Path) -> list[str]:
    """SHA-256 of files of known sizes, empty for one that cannot be read."""
    total = sum(size for _, (size, _) in files)
    if len(files) <= MANY_FILES and total <= MANY_BYTES:
        return [_digest(file, size) for file, (size, _) in files]
    from tqdm import tqdm

    log.info("reading %s files, %.1f GB, of %s", f"{len(files):,}", total / 1e9, path)
    with tqdm(files, desc="hash", unit="file", disable=None) as bar:
        return [_digest(file, size) for file, (size, _) in bar]


def _digest(file: Path | str, size: int) -> str:
    """SHA-256 of a file; a fingerprint must not depend on how many files are open, so that alone is no empty text."""
    try:
        return digest(Path(file), [(0, size)])
    except OSError as error:
        if error.errno in SURROUNDINGS:
            raise
        return ""


def _drop_drafts(path: Path) -> None:
    """Remove the drafts of processes that were killed while they wrote."""
    for draft in path.parent.glob(f"{path.name}.*"):
        with suppress(ValueError, OverflowError):  # no draft of ours
            if not alive(int(draft.suffix[1:])):
                draft.unlink(missing_ok=True)


def _written(entries: dict[str, Entry]) -> bytes:
    files = msgspec.json.encode(entries)
    return msgspec.json.encode(_Memo(hashlib.sha256(files).hexdigest(), msgspec.Raw(files)))


def _read(path: Path) -> dict[str, Entry]:
    """The entries of a memo that verifies; none of any other."""
    try:
        with open_regular(path) as file:
            memo = msgspec.json.decode(file.read(MOST_MEMO_BYTES), type=_Memo)
        whole = hashlib.sha256(memo.files).hexdigest() == memo.checksum
        return msgspec.json.decode(memo.files, type=dict[str, Entry]) if whole else {}
    except (OSError, msgspec.MsgspecError, RecursionError, ValueError):
        return {}
