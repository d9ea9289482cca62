"""A full disk at any moment, few file descriptors, small files, a cache where none can be: a line, then it resumes."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.arena import UNCLEAR, Arena
from tests.attacks.world import CACHE, PREPARE

NAME, COUNT, WHAT = "surroundings", 50, "poor surroundings"
ROOM_KB = 64 * 1024
LONG_S = 60
NOWHERE = ("/proc/cache", "/proc/self/cache", "/sys/cache", "/dev/null", "/dev/null/cache", "/".join(["y" * 200] * 30))
LIMITS = {"RLIMIT_NOFILE": (8, 12, 16, 20, 24, 32), "RLIMIT_FSIZE": (0, 1, 1000, 4096, 40_000, 400_000)}


def attack(arena: Arena) -> None:
    """One of the poor surroundings, then the same command with room."""
    kinds = [_nowhere, _limit, _limit, *[_disk] * 3] if arena.server.isolated else [_nowhere, _limit]
    arena.random.choice(kinds)(arena)
    arena.count += 1


def _nowhere(arena: Arena) -> None:
    """A cache that cannot be made."""
    place = arena.folder / "nowhere"
    place.mkdir()
    cache = arena.random.choice(NOWHERE)
    command = arena.random.choice(["index", "report", "status", "gc", "plan"])
    outcome = arena.run(command, place, {"cache": cache, "yes": "true"})
    if outcome.verdict == "line" and len(outcome.error) > 2000:
        arena.note(UNCLEAR, f"cache {cache[:40]}: an error of {len(outcome.error)} characters")


def _limit(arena: Arena) -> None:
    """Few descriptors, or no large files."""
    place = arena.folder / "limited"
    place.mkdir()
    name = arena.random.choice(sorted(LIMITS))
    limits = {name: arena.random.choice(LIMITS[name])}
    command = arena.random.choice(["index", "split", PREPARE, "evaluate", "report"])
    arena.judge(arena.start(command, place, limits=limits).outcome(), f" ({limits})")
    _again(arena, place, command, f"{command} after {limits}")


def _disk(arena: Arena) -> None:
    """A small disk, which then grows."""
    place = arena.folder / "disk"
    place.mkdir()
    size = _size(arena)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "attacks", str(place)]
    arena.server.within(mount)
    try:
        command = arena.random.choice(["report", "evaluate", "distill", PREPARE])
        arena.judge(arena.start(command, place, limit_s=LONG_S).outcome(), f" (disk of {size} kB)")
        arena.server.within(["mount", "-o", f"remount,size={ROOM_KB}k", str(place)])
        _again(arena, place, command, f"{command} after a disk of {size} kB")
    finally:
        arena.server.within(["umount", "-l", str(place)])


def _size(arena: Arena) -> int:
    """Kilobytes: anything from almost nothing to all that a finished cache needs."""
    files = [path for path in (arena.reference.place / CACHE).rglob("*") if path.is_file()]
    return arena.random.randrange(16, sum(path.stat().st_size for path in files) // 1024)


def _again(arena: Arena, place: Path, command: str, told: str) -> None:
    """The same command with room ends with what an undisturbed run makes."""
    outcome = arena.judge(arena.start(command, place, limit_s=LONG_S).outcome(), f" ({told})")
    if outcome.verdict == "line":
        arena.note(UNCLEAR, f"{told}: {outcome.error}")
    seen = arena.server.root / place.relative_to("/")
    arena.compare(seen, told, whole=False)
