"""Nodes of two small stages, for what only looks after artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.artifacts.store import Artifact, Work
from pipeline.config import option


@dataclass(frozen=True)
class Config:
    """A config of one field."""

    epochs: int = option(1, "A field that counts.")


def run(config: Config, work: Work, **inputs: Artifact) -> dict[str, Any]:
    """Write a file of a thousand bytes."""
    (work.path / "data.txt").write_text("x" * 1000)
    return {}
