"""Two commands at once on one cache: both end well, or one says in a line why not, and the cache ends as it should."""

from __future__ import annotations

import time

from tests.attacks.arena import SILENT, UNCLEAR, Arena
from tests.attacks.kills import begun
from tests.attacks.world import PREPARE

NAME, COUNT, WHAT = "pairs", 28, "pairs of commands at once"
OTHERS = {"epochs": 1, "margin": 0.25, "split_seed": 1}  # what makes another grid of artifacts
MAKERS = ("report", "evaluate", "distill", "teacher-labels", PREPARE, "sweep")
BESIDE = ("gc", "predict", "status", "plan", "verify-labels", *MAKERS)


def attack(arena: Arena) -> None:
    """Start a command that makes something, and another one a moment later."""
    random, place = arena.random, arena.place()
    begun(arena, place)
    first, second = random.choice(MAKERS), random.choice(BESIDE)
    given = dict([random.choice(sorted(OTHERS.items()))]) if random.random() < 0.5 else {}
    running = arena.start(first, place)
    time.sleep(random.uniform(0, 2))  # so that the second finds the first at anything
    other = arena.start(second, place, {**given, "input": arena.reference.data, "out": "out", "yes": "true"})
    told = f" (beside {second} {given})"
    outcomes = [arena.judge(running.outcome(), told), arena.judge(other.outcome(), f" (beside {first})")]
    arena.count += 1
    if outcomes[0].verdict == "line":  # nothing that runs beside it may stop who makes what is missing
        arena.note(UNCLEAR, f"{first}{told}: {outcomes[0].error}")
    arena.run("report", place)
    if not given:
        arena.compare(place, f"{first} and {second} at once")
    else:
        differing = [name for name in arena.reference.differences(place) if name in arena.reference.files]
        missing = [name for name in differing if not name.endswith("/runs.csv")]  # the last sweep's, of another grid
        if missing:
            arena.note(SILENT, f"{first} and {second} {given} at once: {missing[:4]} differ")
