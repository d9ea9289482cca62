"""Stages that fail or wait in several processes; apart, so that the processes load nothing heavy."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from pipeline.compute import distributed
from pipeline.compute.launch import in_processes
from pipeline.errors import DataError
from tests.helpers.groups import begin_and_wait

WORK = SimpleNamespace(fingerprint="0123456789", path=Path())


@dataclass(frozen=True)
class Processes:
    """The part of a stage's config that launching reads."""

    nproc: int
    device: str = "cpu"


@in_processes
def failing(config: Processes, work) -> dict:
    """The second process fails, the first waits for it."""
    team = distributed.team()
    if not team.chief:
        raise DataError("picture 7 went bad")
    team.share([])
    return {}


@in_processes
def killed(config: Processes, work) -> dict:
    """The second process dies without a word, the first waits for it."""
    team = distributed.team()
    if not team.chief:
        os.kill(os.getpid(), signal.SIGKILL)
    team.share([])
    return {}


@in_processes
def waiting(config: Processes, work) -> dict:
    """Every process says that it has begun and waits."""
    begin_and_wait(work.path)
    return {}
