"""What the index says of a file of signals: rate, length and repairs of each recording, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import DataError
from pipeline.inputs.signals import files

COLUMNS = ("rate_hz", "steps", "repairs")
Measured = tuple[float, int, str]  # the values of COLUMNS; repairs with semicolons between them


def inspect(path: Path, regions: Sequence[str], channels: Sequence[str]) -> dict[str, Measured | str]:
    """By region what was measured, or the reason why it cannot be used.

    Parameters
    ----------
    path : the file, of which everything is read, so that any damage is found.
    regions : its recordings: ``full``, or the numbers of windows.
    channels : the names of those that must say something.

    Raises
    ------
    OSError : as ``raw_files.open_raw``.
    """
    return {region: _measured(path, region, channels) for region in regions}


def _measured(path: Path, region: str, channels: Sequence[str]) -> Measured | str:
    try:
        recording = files.read(path, region, channels)
        files.check(recording)
    except DataError as error:
        return str(error)
    return recording.rate_hz, len(recording.values), "; ".join(recording.repairs)
