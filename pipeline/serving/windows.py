"""From files of signals to what is asked of each window: a trained network applied to recordings it has never seen.

Where the network's windows were scaled by subject, all windows of a subject that are given are read before the first is
predicted: mean and deviation come from them, and no labels. Of few windows they say little of the person, so that each
row says how many there were. Whose a file is, its name says where it has BioVid's form; an ``.npz`` is one person's,
and so are other files of one folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.inputs.datasets import biovid
from pipeline.inputs.signals import clean, files, windows
from pipeline.inputs.signals.files import Recording
from pipeline.serving.network import Network
from pipeline.serving.pictures import Found, Picture

COLUMNS = ("file", "region", "subject_id", "seconds", "repaired", "scaled_by")
BATCH = 256  # windows that the network reads at once

Row = dict[str, Any]


def rows(network: Network, found: Found) -> Iterator[list[Row]]:
    """The rows of the table of predictions, subject by subject, in the order in which their files come.

    Parameters
    ----------
    found : files of signals; what cannot be read is a row with the reason.
    """
    people: dict[str, list[Picture]] = {}
    for file in found.pictures:
        people.setdefault(subject_of(file.name), []).append(file)
    for subject, of_one in people.items():
        yield _of_subject(network, subject, of_one)


def subject_of(name: str) -> str:
    """Whose a file is, by its name below the folder that was given: BioVid's, an ``.npz``'s own, or its folder's."""
    path = PurePosixPath(name)
    own = path.stem if path.suffix.lower() == ".npz" else path.parent.as_posix()
    return biovid.person_of(name)[0] or own


def _of_subject(network: Network, subject: str, given: list[Picture]) -> list[Row]:
    """The rows of one subject."""
    table: list[Row] = []
    usable: list[tuple[Row, Recording]] = []
    for file in given:
        for region, recording in _read(file, network.preparation.channels):
            row = {"file": file.shown, "region": region, "subject_id": subject}
            table.append(row)
            if isinstance(recording, str):
                row["reason"] = recording
            else:
                usable.append((row, recording))
    if usable:
        of_one, recordings = zip(*usable, strict=True)
        _predict(network, of_one, windows.cleaned(recordings, network.preparation))
    return table


def _read(source: Picture, channels: tuple[str, ...]) -> Iterator[tuple[str, Recording | str]]:
    """By region the recordings of a file, or the reason why one cannot be used: that for which ``index`` refuses it."""
    if source.reason:
        yield "", source.reason
        return
    try:
        regions = files.regions(source.path)
    except DataError as error:
        yield "", str(error)
        return
    for region in regions:
        try:
            recording = files.read(source.path, region, channels)
            files.check(recording)
            yield region, recording
        except DataError as error:
            yield region, str(error)


def _predict(network: Network, table: Sequence[Row], columns: dict[str, np.ndarray]) -> None:
    """Add to each row of one subject what the network says of its window."""
    preparation = network.preparation
    signal, lengths = columns["signal"], columns["length"]
    centre, width = clean.limits(preparation.scaling, signal, [""] * len(table))
    scaled = clean.scaled(signal, centre, width, lengths)
    logits = [network.logits({"signal": scaled[at : at + BATCH]}) for at in range(0, len(table), BATCH)]
    answers = network.answers(np.concatenate(logits))
    for number, (row, answer) in enumerate(zip(table, answers, strict=True)):
        row |= {
            "seconds": float(lengths[number] / preparation.rate_hz),
            "repaired": float(columns["repaired"][number]),
            "scaled_by": len(table) if preparation.scaling == "subject" else None,
            **answer.cells,
        }
