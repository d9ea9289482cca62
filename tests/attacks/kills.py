"""Commands are killed at any moment; run again, they end with what an undisturbed run makes."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.arena import Arena
from tests.attacks.world import CACHE, SUFFIX

NAME, COUNT, WHAT = "kills", 120, "kills"
TRIES = 3  # a run may end before its moment comes
START_S = 0.3  # until the first artifact is begun
MOMENTS = ("", "*", "*.h5", "*.done", "checkpoint.pt", "*.draft", "record.json*", "*.json", "*.csv")
# By the stage that makes an artifact; what is not here, the report makes.
MAKERS = {"inputs": "align", "samples": "index", "split": "split"}


def attack(arena: Arena) -> None:
    """Remove some artifacts, kill the run that makes them anew, once or more, and let it finish."""
    place = arena.place()
    command = begun(arena, place)
    for attempt in range(1, 4):
        if not killed(arena, place, command):
            break
        arena.count += 1
        if arena.random.random() < 0.6:
            break
        command = arena.random.choice([command, "report"]) if attempt > 1 else command
    final = arena.run(command, place)
    told = f"{command} after {arena.count} kills"
    if final.verdict == "line":
        arena.note("unclear", f"{told}: {final.error}")
    arena.compare(place, told, whole=command == "report")


def begun(arena: Arena, place: Path) -> str:
    """Remove one artifact and what was made from it from a copy; the command that makes it again, or more."""
    reference, random = arena.reference, arena.random
    artifact = random.choice(reference.artifacts)
    reference.remove(place, artifact)
    own = MAKERS.get(artifact.rpartition("-")[0], "report")
    return random.choice([own, "evaluate", "distill", "sweep", "report"] if reference.readers(artifact) else ["report"])


def killed(arena: Arena, place: Path, command: str) -> bool:
    """Whether a run was killed at a random moment: a time, or when a file of an artifact in the making is there."""
    random, reference = arena.random, arena.reference
    missing = [name for name in reference.artifacts if not (reference.folder(place) / name).exists()]
    whole, workers = random.random() < 0.7, random.choice([1, 1, 2])
    for _ in range(TRIES):
        if random.random() < 0.5 and missing:
            moment = {"kill_when": f"{CACHE}/*/{random.choice(missing)}{SUFFIX}/{random.choice(MOMENTS)}".rstrip("/")}
        else:
            expected = START_S + sum(reference.seconds[name] for name in missing)
            moment = {"kill_s": random.uniform(0.02, expected)}
        outcome = arena.run(command, place, {"workers": workers}, whole=whole, **moment)
        if outcome.verdict != "ok":
            return outcome.verdict == "killed"
        missing = [name for name in missing if not (reference.folder(place) / name).exists()]
    return False
