"""What every task says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A task: what a network is asked about a face.

    ``kind`` is what stages branch on, never the task's name; ``loss`` is what a network learns without a teacher, a key
    of ``losses.LOSSES``.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    modalities: tuple[str, ...] = ("rgb",)
    loss: str = "label"
