"""Readers of raw datasets: one module for each form, all returning a ``Listing``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import DataError
from pipeline.inputs.datasets import folders, synpain, table, truth
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, pictures

__all__ = ["Entry", "Listing", "Region", "Skipped", "read", "recognise"]

READERS = {"synpain": synpain.read, "folders": folders.read, "csv": table.read}


def recognise(path: Path, files: Mapping[str, str]) -> str:
    """The form of a dataset: ``csv`` for a table, ``synpain`` by its names, ``folders`` by its folders' names.

    Raises
    ------
    DataError : there is no picture, or the dataset is in none of these forms.
    """
    if table.recognises(path):
        return "csv"
    found = pictures(files)
    if not found:
        raise DataError(f"There is no picture in {path}. Give a folder of pictures or a CSV file: DATA=/path/to/it")
    for name, module in (("synpain", synpain), ("folders", folders)):
        if module.recognises(found):
            return name
    raise DataError(
        f"The dataset {path} is in no known form; it has {len(found)} pictures, the first is {found[0]}. "
        "Expected names of SynPAIN's form ([ID]_[Pain|NoPain]_[Man|Woman]_[Young|Old].jpg), a folder per class "
        "(pain, no_pain; anger, disgust ...), or a CSV file with path and label: DATA=table.csv"
    )


def read(name: str, path: Path, files: Mapping[str, str]) -> Listing:
    """List a dataset of a known form; what a ``truth.csv`` beside its pictures tells joins.

    Parameters
    ----------
    name : ``synpain``, ``folders`` or ``csv``.
    path : the dataset's folder, or the CSV file.
    files : the paths below the folder.

    Raises
    ------
    DataError : as the reader of that form, or of the truth, says.
    """
    return truth.joined(READERS[name](path, files), path, files)
