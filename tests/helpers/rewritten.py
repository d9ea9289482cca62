"""Labels that say something else than their teacher did, as if they had been written so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import arrays
from pipeline.artifacts.columns import mapped
from pipeline.artifacts.files import digest
from pipeline.artifacts.hdf5 import Structure
from pipeline.artifacts.store import Artifact


def rewritten(
    labels: Artifact,
    folder: Path,
    change: Callable[[Mapping[str, np.ndarray]], Any] = lambda columns: None,
    **attrs: Any,
) -> Artifact:
    """A copy of labels in a folder, with other columns or attributes in ``labels.h5``, digests and a record that fit.

    Parameters
    ----------
    change : of the columns, in place.
    """
    folder.mkdir(exist_ok=True)
    for name in labels.record["files"]:
        (folder / name).write_bytes(labels.file(name).read_bytes())
    path = folder / "labels.h5"
    change({name: units.data for name, units in mapped(path, "r+")[1].items()})
    writer = arrays.ColumnWriter(path)
    for block in writer.pending():
        writer.mark(block)
    structure = Structure.read(path)
    with path.open("r+b") as file:
        file.write(replace(structure, attrs=structure.attrs | attrs).line())
    files = labels.record["files"] | {"labels.h5": {"bytes": path.stat().st_size, "sha256": digest(path)}}
    return Artifact(folder, labels.record | {"files": files})
