"""Where an attack takes place and what it finds; the parts of the attack are modules that give ``attack`` a number.

A part says ``NAME``, ``COUNT`` (attacks of the long form), ``WHAT`` (what is counted) and has ``attack(arena)``. Every
random choice comes from ``arena.random``, which depends on the seed, the part and the number alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.attacks.outcome import Outcome, Running, Server
from tests.attacks.world import SUFFIX, Reference

SILENT, TRACEBACK, HANG, LEFT, UNCLEAR = "silently wrong", "tracebacks", "hangs", "left behind", "unclear"
KINDS = (SILENT, TRACEBACK, HANG, LEFT, UNCLEAR)
NOTHING: Mapping[str, object] = {}
BY_VERDICT = {"traceback": TRACEBACK, "died": TRACEBACK, "hang": HANG, "unclear": UNCLEAR}


@dataclass
class Arena:
    """One attack: a finished cache to begin with, a server, a folder of its own, and what is found.

    Parameters
    ----------
    findings : pairs of a kind (of ``KINDS``) and what happened.
    count : how much was attacked: kills, files, values.
    """

    reference: Reference
    server: Server
    folder: Path
    random: Random
    findings: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def place(self, name: str = "copy") -> Path:
        """A copy of the finished cache to be attacked."""
        return self.reference.copy(self.folder / name)

    def start(self, command: str, place: Path, given: Mapping[str, object] = NOTHING, **circumstances: Any) -> Running:
        """Begin a command on the reference's dataset in a place."""
        return self.server.start(self.reference.argv(command, **given), place, **circumstances)

    def run(self, command: str, place: Path, given: Mapping[str, object] = NOTHING, **circumstances: Any) -> Outcome:
        """Run a command on the reference's dataset in a place, and judge how it ended."""
        return self.judge(self.start(command, place, given, **circumstances).outcome())

    def judge(self, outcome: Outcome, context: str = "") -> Outcome:
        """Note what no command may do, however it is attacked."""
        told = f"{' '.join(outcome.argv)[:400]!r}{context}: {outcome.brief}"
        if outcome.verdict in BY_VERDICT:
            self.findings.append((BY_VERDICT[outcome.verdict], told))
        if outcome.processes:
            self.findings.append((LEFT, f"{told}: {len(outcome.processes)} processes lived on: {outcome.processes[0]}"))
        return outcome

    def note(self, kind: str, told: str) -> None:
        """Note something found."""
        self.findings.append((kind, told))

    def compare(self, place: Path, context: str, whole: bool = True, ignored: str = "") -> None:
        """Note where a cache differs from the finished one, and what is left half made."""
        if wrong := self.reference.differences(place, whole, ignored):
            self.note(SILENT, f"{context}: {len(wrong)} files differ from the undisturbed ones: {', '.join(wrong[:4])}")
        if half := [path.name for path in self.reference.folder(place).glob(f"*{SUFFIX}")]:
            self.note(LEFT, f"{context}: {', '.join(half)}")


@contextmanager
def arena(reference: Reference, server: Server, folder: Path, seed: int, part: str, number: int) -> Iterator[Arena]:
    """The arena of one attack; what it leaves in shared memory and the temporary folder is noted at its end."""
    own = Arena(reference, server, folder / f"{part}-{number}-{reference.task.name}", Random(f"{seed}/{part}/{number}"))
    own.folder.mkdir(parents=True)
    try:
        yield own
        if left := server.left():
            own.note(LEFT, f"{len(left)} names, the first is {left[0]}")
    finally:
        shutil.rmtree(own.folder, ignore_errors=True)
