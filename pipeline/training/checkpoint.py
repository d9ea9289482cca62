"""The checkpoint of a run: sealed by a hash of its content, and believed only if all of it fits the run.

Everything is looked at before anything is restored, so that a run continues whole or starts anew, and never with half
of another's state.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypedDict

import msgspec
import torch
from torch import Tensor

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.files import open_regular

SEAL_BYTES = hashlib.sha256().digest_size  # at the end of the file, where torch does not look
CHUNK_BYTES = 2**20

Count = Annotated[int, msgspec.Meta(ge=0)]


class Best(TypedDict, total=False):
    """The epoch, counted from 1, whose weights will be kept, and what it is compared by; empty before the first."""

    epoch: Count
    value: int | float
    weights: dict[str, Any]


@dataclass
class Progress:
    """How far a run has come; all of it is in the checkpoint."""

    epoch: Count = 0  # epochs that are finished
    step: Count = 0  # steps of the running epoch that are finished
    loss_sum: float = 0.0
    samples: Count = 0
    history: list[dict[str, int | float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best: Best = field(default_factory=dict)
    learning_rate: float = 0.0  # of the last step


class Unusable(Exception):
    """A checkpoint from which a run cannot continue; the message completes the file's name."""


class _Hashed:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO):
        self._file, self.hash = file, hashlib.sha256()
        self.flush = file.flush

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self._file.write(content)


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint by one rename."""
    with replacing(path) as draft, draft.open("wb") as file:
        hashed = _Hashed(file)
        torch.save(dict(state), hashed)  # given a path, torch hides why it could not write
        file.write(hashed.hash.digest())


def read(path: Path, fingerprint: str, device: str) -> dict[str, Any]:
    """What a checkpoint holds, as ``write`` was given it, its tensors on a device.

    Raises
    ------
    FileNotFoundError : there is none.
    Unusable : it is damaged, of another run, or no file.
    """
    if os.path.lexists(path) and not path.is_file():
        raise Unusable("is no regular file")
    with open_regular(path) as file:
        if not _sealed(file):
            raise Unusable("is damaged (SHA-256)")
        file.seek(0)
        try:
            state = torch.load(file, map_location=device, weights_only=True)
        except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise Unusable(f"cannot be read ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(state, dict):
        raise Unusable(f"holds a {type(state).__name__}, expected a dict")
    if state.get("fingerprint") != fingerprint:
        raise Unusable("belongs to another run")
    return state


def _sealed(file: BinaryIO) -> bool:
    """Whether a file ends with the hash of all that stands before."""
    left, digest = file.seek(0, os.SEEK_END) - SEAL_BYTES, hashlib.sha256()
    file.seek(0)
    while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
        digest.update(chunk)
        left -= len(chunk)
    return left == 0 and file.read() == digest.digest()


def remove(path: Path) -> None:
    """Remove a checkpoint, or whatever stands in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def progress(saved: Any, epochs: int, steps: int, weights: Mapping[str, Tensor]) -> Progress:
    """The progress that a checkpoint holds.

    Parameters
    ----------
    saved : its fields.
    epochs, steps : of the run, and of an epoch of it.
    weights : as the best must be, in names and shapes.

    Raises
    ------
    Unusable : it is none of this run.
    """
    try:
        made = msgspec.convert(saved, Progress)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Unusable(f"has another progress ({error})") from error
    numbers = [(row.get("epoch"), number) for number, row in enumerate(made.history, 1)]
    whole = set(saved) == {one.name for one in dataclasses.fields(Progress)}
    told = len(numbers) == len(made.seconds) == made.epoch and all(one == other for one, other in numbers)
    if not (whole and told and made.epoch <= epochs and made.step <= steps):
        raise Unusable("tells of other epochs than it has")
    if made.best or made.epoch:
        if set(made.best) != set(Best.__annotations__) or not 1 <= made.best["epoch"] <= made.epoch:
            raise Unusable("has no best epoch")
        fits(made.best["weights"], dict(weights), "best weights")
    return made


def fits(saved: Any, own: Any, name: str) -> None:
    """Raise Unusable unless a saved state has the form of a run's own: keys, lengths, kinds of value, shapes."""
    if isinstance(own, Tensor):
        same = isinstance(saved, Tensor) and (saved.shape, saved.dtype) == (own.shape, own.dtype)
    elif isinstance(own, Mapping):
        same = isinstance(saved, Mapping) and saved.keys() == own.keys()
        for key in own if same else ():
            fits(saved[key], own[key], f"{name} {key}")
    elif isinstance(own, (list, tuple)):
        same = isinstance(saved, (list, tuple)) and len(saved) == len(own)
        for number in range(len(own)) if same else ():
            fits(saved[number], own[number], f"{name} {number}")
    elif isinstance(own, (int, float)) and not isinstance(own, bool):
        same = isinstance(saved, (int, float)) and not isinstance(saved, bool)
    else:
        same = type(saved) is type(own)
    if not same:
        raise Unusable(f"does not fit this network ({name})")


def fits_optimizer(saved: Any, optimizer: torch.optim.Optimizer, names: Sequence[str]) -> None:
    """Raise Unusable unless a saved state is one of an optimiser that keeps tensors of these names by parameter."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states = saved.get("state") if isinstance(saved, Mapping) else None
    if not (isinstance(states, Mapping) and set(states) <= set(range(len(parameters)))):
        raise Unusable("does not fit this network (optimizer)")
    fits(saved, optimizer.state_dict() | {"state": states}, "optimizer")
    for number, state in states.items():
        shapes = (parameters[number].shape, torch.Size())  # a count of steps is a single number
        whole = isinstance(state, Mapping) and set(state) == set(names)
        if not (whole and all(t is None or (isinstance(t, Tensor) and t.shape in shapes) for t in state.values())):
            raise Unusable(f"does not fit this network (optimizer state {number})")
