"""Files of a cache are damaged and then needed: they are named, or made anew, never believed.

The files are found by walking the cache, so that those of a new artifact are attacked without anybody thinking of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.attacks import things
from tests.attacks.arena import UNCLEAR, Arena
from tests.attacks.kills import begun, killed
from tests.attacks.world import BESIDE, LOGS, SUFFIX, loosen

NAME, COUNT, WHAT = "damage", 640, "damaged cache files"
PAGE = 4096
PARTIAL_EVERY, BESIDE_EVERY = 6, 12  # of so many attacks one is on an unfinished artifact, on the store's own files
REMEDY = re.compile(r"rm -r (.+?)\.?$")

Damage = Callable[[Path, Random, list[Path]], None]


def _flip(path: Path, random: Random, _: list[Path]) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _truncate(path: Path, random: Random, _: list[Path]) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(max(1, path.stat().st_size))])


def _extend(path: Path, random: Random, _: list[Path]) -> None:
    path.write_bytes(path.read_bytes() + random.randbytes(random.choice([1, 7, PAGE])))


def _zero(path: Path, random: Random, _: list[Path]) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    start = random.randrange(len(content)) // PAGE * PAGE
    stop = min(start + PAGE, len(content))
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)


def _noise(path: Path, random: Random, _: list[Path]) -> None:
    path.write_bytes(random.randbytes(path.stat().st_size))


def _empty(path: Path, *_: object) -> None:
    path.write_bytes(b"")


def _delete(path: Path, *_: object) -> None:
    path.unlink()


def _swap(path: Path, random: Random, twins: list[Path]) -> None:
    shutil.copy(random.choice(twins), path.with_name("twin"))
    path.with_name("twin").replace(path)


DAMAGES: dict[str, Damage] = {
    "a flipped bit": _flip,
    "cut short": _truncate,
    "longer": _extend,
    "a page of zeros": _zero,
    "noise": _noise,
    "empty": _empty,
    "deleted": _delete,
    "a folder": things.folder,
    "a FIFO": things.pipe,
    "a loop of links": things.loop,
    "another artifact's": _swap,
}
LIKELY = ("a flipped bit", "a flipped bit", "another artifact's", "a page of zeros")


def attack(arena: Arena) -> None:
    """Damage one file, have it read, and follow the remedy."""
    place = arena.place()
    if arena.random.random() < 1 / PARTIAL_EVERY:
        _unfinished(arena, place)
    elif arena.random.random() < 1 / BESIDE_EVERY:
        _own(arena, place)
    else:
        _finished(arena, place)


def _finished(arena: Arena, place: Path) -> None:
    """A file of an artifact; what was made from the artifact is to be made anew."""
    reference, random = arena.reference, arena.random
    read = [name for name in reference.artifacts if reference.readers(name)]
    artifact = random.choice(read if random.random() < 0.93 else reference.artifacts)
    folder = reference.folder(place) / artifact
    file = random.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    told = _damage(arena, file)
    readers = reference.readers(artifact)
    removed = reference.remove(place, *readers) if readers else set()
    last = not readers or all(not reference.readers(name) for name in readers)
    _demand(arena, place, "report" if last or random.random() < 0.25 else "evaluate", file, told, bool(removed))


def _own(arena: Arena, place: Path) -> None:
    """A file of the store itself; it is a memory, so that whatever is in it the cache ends as it was."""
    random, root = arena.random, arena.reference.folder(place)
    file = random.choice([path for name in BESIDE for path in [root / name, *root.glob(f"{name}/*")] if path.is_file()])
    told = _damage(arena, file)
    artifact = random.choice(arena.reference.artifacts)
    arena.reference.remove(place, artifact)
    _demand(arena, place, "report", file, told, needed=True)


def _unfinished(arena: Arena, place: Path) -> None:
    """A file of an artifact whose making was interrupted."""
    command = begun(arena, place)
    killed(arena, place, command)
    root = arena.reference.folder(place)
    files = sorted(path for path in root.glob(f"*{SUFFIX}/**/*") if path.is_file() and LOGS not in path.parts)
    if not files:  # killed between two artifacts: the next run clears up all the same
        arena.judge(arena.start(command, place).outcome())
        return
    file = arena.random.choice(files)
    told = _damage(arena, file)
    _demand(arena, place, command, file, told, needed=True)


def _damage(arena: Arena, file: Path) -> str:
    """Damage a file in a random way; in words, what was done. Another's is a file of its name, or of any if none is."""
    random = arena.random
    kind = random.choice(LIKELY if random.random() < 0.4 else tuple(DAMAGES))
    store = arena.reference.store
    others = [path for path in sorted(store.rglob("*")) if path.is_file() and path.parent.name != file.parent.name]
    twins = [path for path in others if path.name == file.name]
    loosen(file)
    DAMAGES[kind](file, random, twins or others)
    arena.count += 1
    return f"{file.parent.name}/{file.name}: {kind}"


def _demand(arena: Arena, place: Path, command: str, file: Path, told: str, needed: bool) -> None:
    """One line that names the file or its folder and whose remedy helps, or the undisturbed bytes."""
    own = file.relative_to(place / "cache").as_posix()
    outcome = arena.judge(arena.start(command, place).outcome(), f" ({told})")
    told = f"{told}, {command}"
    unfinished = SUFFIX in own
    if outcome.verdict == "ok" and needed:
        arena.compare(place, told, whole=False, ignored="" if unfinished else own)
    elif outcome.verdict == "line":
        names = (file.parent.name, file.parent.name.removesuffix(SUFFIX), file.name)
        if not any(name in outcome.error for name in names):
            arena.note(UNCLEAR, f"{told}: does not name it: {outcome.error}")
        _follow(arena, place, command, outcome.error, file, told)


def _follow(arena: Arena, place: Path, command: str, error: str, file: Path, told: str) -> None:
    """Remove what the message says, or the folder, and run the command again."""
    match = REMEDY.search(error)
    target = place / match[1] if match else file.parent
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    outcome = arena.judge(arena.start(command, place).outcome(), f" (after {target.name} was removed; {told})")
    if outcome.verdict == "ok":
        arena.compare(place, f"{told}, {target.name} removed", whole=False)
    elif outcome.verdict == "line":
        arena.note(UNCLEAR, f"{told}: its remedy does not help: {error} -> {outcome.error}")
