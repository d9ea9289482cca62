"""What the index says of a file of signals: rate, length and repairs of each recording, or why it cannot be used.

And by what it is told that two files of different sources are of one person: equal values, or BioVid's name of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import DataError
from pipeline.inputs.signals import files

Marks = tuple[str, ...]  # files of several sources that share one are of one person
COLUMNS = ("rate_hz", "steps", "repairs")
Measured = tuple[float, int, str]  # the values of COLUMNS; repairs with semicolons between them


def inspect(
    path: Path, regions: Sequence[str], channels: Sequence[str], person: str = ""
) -> tuple[dict[str, Measured | str] | str, Marks]:
    """By region what was measured, or why it cannot be used; or why the file cannot, if it is one recording. And marks.

    Parameters
    ----------
    path : the file, of which everything is read, so that any damage is found.
    regions : its recordings: ``full``, or the numbers of windows.
    channels : the names of those that must say something.
    person : what is known of whose it is, which is one of the marks.

    Raises
    ------
    OSError : as ``raw_files.open_raw``.
    """
    measured: dict[str, Measured | str] = {}
    marks = [person] if person else []
    for region in regions:
        try:
            recording = files.read(path, region, channels)
            files.check(recording)
        except DataError as error:
            measured[region] = str(error)
            continue
        measured[region] = recording.rate_hz, len(recording.values), "; ".join(recording.repairs)
        marks.append(hashlib.sha256(recording.values.tobytes()).hexdigest())
    whole = measured.get(files.FULL)
    return whole if isinstance(whole, str) else measured, tuple(marks)
