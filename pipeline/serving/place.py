"""Where a model that was named lies: a finished folder, awaited if need be, or an exported file."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.artifacts.locks import PARTIAL, hold, holder, lock_of
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError


def awaited(model: Path, exported: str = "") -> Path:
    """The place of a model, once the process that is making it has ended.

    Parameters
    ----------
    model : a folder.
    exported : how the name of a file ends that will do as well; empty: none will.

    Raises
    ------
    ArtifactError : something else is there, or nothing.
    """
    place = model.absolute()
    if not os.path.lexists(place) and holder(lock_of(place)):
        with hold(lock_of(place), place.name):
            pass
    fault = _fault(place, exported)
    if fault:
        file = f", an exported {exported} file" if exported else ""
        raise ArtifactError(
            f"MODEL={model} {fault}. Give the folder of a finished teacher or student, cache/<dataset>/student-…{file}"
            ", or run the command that makes it: make distill"
        )
    return model


def beside(model: Path, fingerprint: str) -> Artifact | None:
    """The artifact of a fingerprint that lies in the same cache as a model; None where it does not, or is damaged."""
    for folder in model.absolute().parent.glob(f"*-{fingerprint[:8]}"):
        try:
            artifact = Artifact.load(folder)
        except ArtifactError:
            continue  # the commands that read it say so
        if artifact.fingerprint == fingerprint:
            return artifact
    return None


def _fault(place: Path, exported: str) -> str:
    """Why a place is not that of a model, as far as its name and kind say."""
    if place.name.endswith(PARTIAL):
        return "has not been finished"
    if os.path.lexists(place):
        if place.is_dir() or (exported and place.name.lower().endswith(exported)):
            return ""
        return f"is no folder, and no {exported} file" if exported else "is no folder"
    return "has not been finished" if place.with_name(place.name + PARTIAL).is_dir() else "is not there"
