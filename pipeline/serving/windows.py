"""From files of signals to a class for each window: a trained network applied to recordings it has never seen.

Where the network's windows were scaled by subject, all windows of a subject that are given are read before the first is
predicted: mean and deviation come from them, and no labels. Of few windows they say little of the person, so that each
row says how many there were. Whose a file is, its name says where it has BioVid's form; otherwise files of one folder
are one person's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.inputs.signals import clean, files, windows
from pipeline.inputs.signals.card import Preparation
from pipeline.serving.network import Network, probabilities
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
    """Whose a file is, by its name below the folder that was given."""
    return files.subject_of(name) or Path(name).parent.as_posix()


def _of_subject(network: Network, subject: str, given: list[Picture]) -> list[Row]:
    """The rows of one subject."""
    table: list[Row] = []
    kept: list[tuple[Row, dict[str, np.ndarray]]] = []
    for file in given:
        for region, columns in _read(file, network.preparation):
            row = {"file": file.shown, "region": region, "subject_id": subject}
            table.append(row)
            if isinstance(columns, str):
                row["reason"] = columns
            else:
                kept.append((row, columns))
    if kept:
        columns = {name: np.concatenate([one[name] for _, one in kept]) for name in kept[0][1]}
        _predict(network, [row for row, _ in kept], columns)
    return table


def _read(file: Picture, preparation: Preparation) -> Iterator[tuple[str, dict[str, np.ndarray] | str]]:
    """The windows of a file before scaling, or the reason why there are none."""
    if file.reason:
        yield "", file.reason
        return
    try:
        regions = files.regions(file.path)
    except DataError as error:
        yield "", str(error)
        return
    for region in regions:
        try:
            columns = windows.cleaned([(file.path, region)], preparation)
        except DataError as error:
            yield region, str(error)
            continue
        empty = np.isnan(columns["signal"][0]).all(axis=0)
        missing = [name for name, nothing in zip(preparation.channels, empty, strict=True) if nothing]
        yield region, f"no value: nothing was measured of {', '.join(missing)}" if missing else columns


def _predict(network: Network, table: list[Row], columns: dict[str, np.ndarray]) -> None:
    """Add to each row of one subject what the network says of its window."""
    preparation = network.preparation
    signal, lengths = columns["signal"], columns["length"]
    centre, width = clean.limits(preparation.scaling, signal, [""] * len(table))
    scaled = clean.scaled(signal, centre, width, lengths)
    logits = [network.logits({"signal": scaled[at : at + BATCH]}) for at in range(0, len(table), BATCH)]
    every = probabilities(np.concatenate(logits))
    for number, (row, answer) in enumerate(zip(table, every, strict=True)):
        row |= {
            "seconds": float(lengths[number] / preparation.rate_hz),
            "repaired": float(columns["repaired"][number]),
            "scaled_by": len(table) if preparation.scaling == "subject" else None,
            "class": network.outputs[int(answer.argmax())],
        }
        row |= {f"prob_{output}": float(p) for output, p in zip(network.outputs, answer, strict=True)}
