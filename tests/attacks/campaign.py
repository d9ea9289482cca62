"""All attacks: which there are, one of them by its number, and the figures of many."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.tasks import TASKS
from tests.attacks.arena import KINDS, arena
from tests.attacks.outcome import Server
from tests.attacks.world import World

PARTS = ("kills", "damage", "cards", "inputs", "options", "pairs", "surroundings")


@dataclass(frozen=True)
class Result:
    """What one attack found, and with what it is run again."""

    part: str
    seed: int
    number: int
    task: str
    count: int
    findings: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Which attack of a seed it was."""
        return f"{self.part}:{self.number}:{self.task}"

    @property
    def again(self) -> str:
        """The command that runs this attack alone."""
        return f"make attack SEED={self.seed} ONLY={self.name}"


def part(name: str):
    """The module of a part."""
    return importlib.import_module(f"tests.attacks.{name}")


def chosen(only: str, scale: float) -> list[tuple[str, int, str]]:
    """The attacks that are asked for: part, number and task; all of the long form, or a share of it, when none is.

    The tasks take turns where none is named.
    """
    attacks = []
    for text in [text.strip() for text in only.split(",") if text.strip()] or PARTS:
        name, number, task, *_ = *text.split(":"), "", ""
        if name not in PARTS:
            raise SystemExit(f"ONLY={only} names {name}: there are {', '.join(PARTS)}")
        numbers = [int(number)] if number else range(max(1, round(part(name).COUNT * scale)))
        attacks += [(name, number, task or list(TASKS)[number % len(TASKS)]) for number in numbers]
    return attacks


def run(world: World, server: Server, root: Path, seed: int, name: str, number: int, task: str) -> Result:
    """One attack."""
    with arena(world.references[task], server, root, seed, name, number) as own:
        try:
            part(name).attack(own)
        except Exception as error:
            error.add_note(f"in the attack {name}:{number} of seed {seed}")
            raise
    return Result(name, seed, number, task, own.count, tuple(own.findings))


def _figures(results: Sequence[Result]) -> list[tuple[str, int, list[int]]]:
    """By part: what was attacked, how often, and the findings of each kind."""
    rows = []
    for name in dict.fromkeys(result.part for result in results):
        own = [result for result in results if result.part == name]
        kinds = [kind for result in own for kind, _ in result.findings]
        rows.append((part(name).WHAT, sum(result.count for result in own), [kinds.count(kind) for kind in KINDS]))
    return rows


def table(results: Sequence[Result], seed: int) -> str:
    """The figures as a table in Markdown."""
    head = [f"attacked (seed {seed})", "number", *KINDS]
    rows = [[what, f"{count:,}", *map(str, found)] for what, count, found in _figures(results)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def line(results: Sequence[Result], seed: int, seconds: float) -> str:
    """The figures in one line."""
    rows = _figures(results)
    attacked = ", ".join(f"{count} {what}" for what, count, _ in rows)
    totals = [sum(found[place] for _, _, found in rows) for place in range(len(KINDS))]
    found = ", ".join(f"{total} {kind}" for total, kind in zip(totals, KINDS, strict=True))
    failed = sorted({result.name for result in results if result.findings})
    again = f"; again: make attack SEED={seed} ONLY={','.join(failed)}" if failed else ""
    return f"{attacked}: {found} ({seconds / 60:.0f} min, seed {seed}){again}"
