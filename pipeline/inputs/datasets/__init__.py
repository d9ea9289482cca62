"""Readers of raw datasets: one module for each form, all returning a ``Listing``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ConfigError, DataError
from pipeline.inputs.datasets import (
    affectnet,
    biovid,
    cofw,
    ferplus,
    flame2,
    folders,
    frames,
    ibug,
    npz,
    parquet,
    rafdb,
    synpain,
    table,
    truth,
    unbc,
    wflw,
)
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, Unpack, pictures

__all__ = ["Entry", "Listing", "Region", "Skipped", "read", "recognise"]

# Datasets whose pictures or signals are files, and those whose tables hold the pictures, which are unpacked.
READERS = {
    "synpain": synpain.read,
    "folders": folders.read,
    "csv": table.read,
    "frames": frames.read,
    "flame2": flame2.read,
    "rafdb": rafdb.read,
    "affectnet": affectnet.read,
    "biovid": biovid.read,
    "npz": npz.read,
    "300w": ibug.read,
    "wflw": wflw.read,
    "unbc": unbc.read,
}
UNPACKING = {"ferplus": ferplus.read, "parquet": parquet.read, "cofw": cofw.read}
TABLES = ("csv", "frames")  # whose columns may bear other names
# Told by the names of lists, of tables or of other files that no other form has.
_BY_FILES = {"ferplus": ferplus, "rafdb": rafdb, "parquet": parquet, "wflw": wflw, "cofw": cofw, "unbc": unbc}


def recognise(path: Path, files: Mapping[str, str], names: Mapping[str, str] | None = None) -> str:
    """The form of a dataset: ``frames`` or ``csv`` for a table, else by its lists, its files' or its folders' names.

    Parameters
    ----------
    path : the dataset's folder, or the CSV file.
    files : the paths below the folder.
    names : other names of a table's columns, as ``columns.columns_of`` gives them.

    Raises
    ------
    DataError : there is no picture and no signal, the dataset is in none of these forms, or its table is none.
    """
    if frames.recognises(path, files, names or {}):
        return "frames"
    if table.recognises(path):
        return "csv"
    for name, module in _BY_FILES.items():
        if module.recognises(files):
            return name
    if affectnet.recognises(path, files):
        return "affectnet"
    if flame2.recognises(files):
        return "flame2"
    if biovid.recognises(files):
        return "biovid"
    shown = pictures(files)
    if not shown and npz.recognises(files):
        return "npz"
    if not shown:
        raise DataError(
            f"There is no picture in {path}, and no signal under a name of BioVid's form ({biovid.FORM}). "
            "Give a folder of either, or a CSV file: DATA=/path/to/it"
        )
    for name, module in (("synpain", synpain), ("folders", folders)):
        if module.recognises(shown):
            return name
    if ibug.recognises(files):
        return "300w"
    raise DataError(
        f"The dataset {path} is in no known form; it has {len(shown)} pictures, the first is {shown[0]}. "
        "Expected names of SynPAIN's form ([ID]_[Pain|NoPain]_[Man|Woman]_[Young|Old].jpg), a folder per class "
        "(pain, no_pain; anger, disgust ...), the lists of FER+, RAF-DB, AffectNet or WFLW, the folders of FLAME 2 or "
        "UNBC-McMaster, a .pts file beside each picture (300W), COFW's .mat or Parquet files, or a CSV file with path "
        "and label, or with rgb_frame and ir_frame: DATA=table.csv"
    )


def read(
    name: str, path: Path, files: Mapping[str, str], unpack: Unpack, names: Mapping[str, str] | None = None
) -> Listing:
    """List a dataset of a known form; what a ``truth.csv`` beside its files tells joins.

    Parameters
    ----------
    name : of the form: one of ``READERS`` or ``UNPACKING``.
    path : the dataset's folder, or the CSV file.
    files : the paths below the folder.
    unpack : keeps an encoded picture under a name and returns its SHA-256.
    names : other names of a table's columns, as ``columns.columns_of`` gives them.

    Raises
    ------
    ConfigError : columns are named where no table is read.
    DataError : as the reader of that form, or of the truth, says.
    MissingDependencyError : the form needs a package that is not installed.
    """
    if names and name not in TABLES:
        raise ConfigError(
            f"COLUMNS= names columns of a table, and {path} is read as {name}. Leave COLUMNS out, or give the table: "
            "DATA=table.csv"
        )
    more = (unpack,) if name in UNPACKING else (names,) if name in TABLES else ()
    listing = (READERS | UNPACKING)[name](path, files, *more)
    return truth.joined(listing, path, files)
