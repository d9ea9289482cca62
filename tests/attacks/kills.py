"""Commands are killed at any moment; run again, they end with what an undisturbed run makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from tests.attacks.arena import SILENT, UNCLEAR, Arena
from tests.attacks.world import CACHE, PREPARE, SUFFIX, Reference

NAME, COUNT, WHAT = "kills", 150, "kills"
TRIES = 3  # a run may end before its moment comes
PREDICT, PREDICTED = 0.08, 6  # share of the kills that meet predictions, and of how many files
START_S = 0.2  # until the first artifact is begun
MOMENTS = ("", "*", "*.done", "*.draft", "record.json*")  # beside its own files, of an artifact in the making
# By the stage that makes an artifact; what is not here, the report makes.
MAKERS = {"inputs": PREPARE, "samples": "index", "split": "split"}


def attack(arena: Arena) -> None:
    """Kill a run that makes artifacts, or one that predicts."""
    (_predict if arena.random.random() < PREDICT else _make)(arena)


def _predict(arena: Arena) -> None:
    """Predictions that were begun are made anew."""
    place, source = arena.place(), arena.folder / "source"
    source.mkdir()
    for path in arena.reference.samples[:PREDICTED]:
        shutil.copy(path, source)
    given = {"input": source, "out": "out"}
    undisturbed = arena.run("predict", place, {**given, "out": "undisturbed"})
    moment = arena.random.choice(
        [{"kill_s": arena.random.uniform(0, undisturbed.seconds)}, {"kill_when": "out/*/*"}, {"kill_when": "out/*"}]
    )
    arena.count += arena.run("predict", place, given, **moment).verdict == "killed"
    arena.run("predict", place, given)
    for name in sorted(path.relative_to(place / "undisturbed") for path in (place / "undisturbed").rglob("*.*")):
        if (place / "out" / name).read_bytes() != (place / "undisturbed" / name).read_bytes():
            arena.note(SILENT, f"predict, killed at {moment} and run again: {name} differs")


def _make(arena: Arena) -> None:
    """Remove some artifacts, kill the run that makes them anew, once or more, and let it finish."""
    place = arena.place()
    command = begun(arena, place)
    for attempt in range(1, 4):
        if not killed(arena, place, command):
            break
        arena.count += 1
        if arena.random.random() < 0.6:
            break
        if attempt > 1 and command != "sweep":  # which alone writes its table
            command = arena.random.choice([command, "report"])
    final = arena.run(command, place)
    told = f"{command} after {arena.count} kills"
    if final.verdict == "line":
        arena.note(UNCLEAR, f"{told}: {final.error}")
    arena.compare(place, told, whole=command == "report")


def begun(arena: Arena, place: Path) -> str:
    """Remove one artifact and what was made from it from a copy; the command that makes it again, or more."""
    reference, random = arena.reference, arena.random
    artifact = random.choice(reference.artifacts)
    reference.remove(place, artifact)
    own = MAKERS.get(artifact.rpartition("-")[0], "report")
    return random.choice([own, "evaluate", "distill", "sweep", "report"] if reference.readers(artifact) else ["report"])


def killed(arena: Arena, place: Path, command: str, **moment: object) -> bool:
    """Whether a run was killed at a moment, a random one if none is given: a time, or when a file is there."""
    random, reference = arena.random, arena.reference
    whole, workers = random.random() < 0.5, random.choice([1, 2])
    for _ in range(TRIES):
        missing = [name for name in reference.artifacts if not (reference.folder(place) / name).exists()]
        if not missing:
            return False
        chosen = moment or _moment(random, reference, missing)
        outcome = arena.run(command, place, {"workers": workers}, whole=whole, **chosen)
        if outcome.verdict != "ok":
            return outcome.verdict == "killed"
    return False


def _moment(random: Random, reference: Reference, missing: list[str]) -> dict[str, object]:
    """A moment while the missing artifacts are made: a time, or the appearance of a file of one of them."""
    if random.random() < 0.5:
        artifact = random.choice(missing)
        files = [path.name for path in sorted((reference.store / artifact).iterdir())]
        pattern = f"{CACHE}/*/{artifact}{SUFFIX}/{random.choice([*files, *MOMENTS])}"
        return {"kill_when": pattern.rstrip("/")}
    return {"kill_s": random.uniform(0.02, START_S + 0.8 * sum(reference.seconds[name] for name in missing))}
