"""Crafted records, cards, checkpoints and memories: what cannot be believed is one line, or made anew.

A crafted record or card is sealed anew (sizes, SHA-256, checksum), so that what reads it must judge what it says.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

from tests.attacks.arena import SILENT, UNCLEAR, Arena
from tests.attacks.kills import killed
from tests.attacks.world import RECORD, SUFFIX, loosen

NAME, COUNT, WHAT = "cards", 240, "crafted cards and records"
CARD, CHECKPOINT = "model.json", "checkpoint.pt"
DEEP = 100_000
MEMORIES = (".hashes.json", ".weights.json")
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, -0.5, 1e308, float("nan"), float("inf"), 10**6, 10**9, 2**63, 10**400, "", "x" * 70_000),
    *("\ud800", "../../etc/passwd", "/dev/zero", "a\nb", [], {}, [[]], [1] * 7, {"": None}, "nan", "0"),
)
WHOLE = ("null", "[]", "{}", "3", '"text"', "", "{", "\ufeff{}", "[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP)


def attack(arena: Arena) -> None:
    """Craft one file and have it read."""
    arena.count += 1
    arena.random.choice([_card, _card, _record, _record, _memory, _checkpoint])(arena)


def crafted(content: Any, random: Random) -> str:
    """A JSON text like another one's content: a value somewhere is another, gone, or too many, or all is other."""
    if random.random() < 0.15:
        return random.choice(WHOLE)
    holder, key = random.choice(list(_places(content)))
    change = random.random()
    if change < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif change < 0.3 and isinstance(holder, dict):
        holder[random.choice(["extra", "", "\ud800", "__class__", "9" * 300])] = random.choice(VALUES)
    elif change < 0.4:
        value = holder[key]
        for _ in range(random.choice([1, 900])):
            value = [value]
        holder[key] = value
    else:
        holder[key] = random.choice(VALUES)
    return json.dumps(content)


def _places(content: Any):
    """Every value of a nested content, as what holds it and the key there."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(pairs):
        yield content, key
        yield from _places(value)


def _write(path: Path, text: str) -> None:
    loosen(path)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


def sealed(folder: Path) -> None:
    """Make a record describe the files as they are."""
    record = json.loads((folder / RECORD).read_text("utf-8"))
    for name in [CARD]:
        content = (folder / name).read_bytes()
        record["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _write(folder / RECORD, _checked(json.dumps(record)))


def _checked(text: str) -> str:
    """A record with a checksum that fits, if it can have one."""
    try:
        record = json.loads(text)
        rest = {name: value for name, value in record.items() if name != "checksum"}
        seal = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        return json.dumps({**rest, "checksum": seal})
    except (ValueError, AttributeError, RecursionError):
        return text


def _model(arena: Arena, place: Path) -> Path:
    """The folder of any model."""
    return arena.random.choice(sorted(path.parent for path in arena.reference.folder(place).glob(f"*/{CARD}")))


def _card(arena: Arena) -> None:
    """The card of a model, by which it is used alone or in an evaluation."""
    place = arena.place()
    model = _model(arena, place)
    _write(model / CARD, crafted(json.loads((model / CARD).read_text("utf-8")), arena.random))
    known = arena.random.random() < 0.3
    if not known:
        sealed(model)
    _read(arena, place, model, known)


def _record(arena: Arena) -> None:
    """The record of any artifact."""
    place = arena.place()
    folder = arena.reference.folder(place) / arena.random.choice(arena.reference.artifacts)
    if arena.random.random() < 0.5:
        folder = _model(arena, place)
    text = crafted(json.loads((folder / RECORD).read_text("utf-8")), arena.random)
    known = arena.random.random() < 0.3
    _write(folder / RECORD, text if known else _checked(text))
    _read(arena, place, folder, known=False)


def _read(arena: Arena, place: Path, folder: Path, known: bool) -> None:
    """Have an artifact read by a command.

    Parameters
    ----------
    known : whether the record tells that a file is not the one it describes.
    """
    random, reference = arena.random, arena.reference
    command = random.choice(["predict", "predict", "status", "plan", "evaluate", "report", "gc"])
    if command in ("evaluate", "report"):
        reference.remove(place, *reference.readers(folder.name))
    given = {"input": _one_sample(arena), "out": "out", "model": folder, "yes": "true"}
    outcome = arena.run(command, place, given)
    if outcome.verdict == "ok" and command == "predict" and known:
        arena.note(SILENT, f"predict used {folder.name}, whose card is not the one recorded")
    if outcome.verdict == "line" and folder.name not in outcome.error:
        arena.note(UNCLEAR, f"{command}: {folder.name} is crafted, said is {outcome.error[:300]}")


def _one_sample(arena: Arena) -> Path:
    source = arena.reference.samples[0]
    return Path(shutil.copy(source, arena.folder / source.name))


def _memory(arena: Arena) -> None:
    """A memory of hashes; whatever it says, the cache ends as it was."""
    place, random = arena.place(), arena.random
    path = arena.reference.folder(place) / random.choice(MEMORIES)
    content = json.loads(path.read_text("utf-8")) if path.exists() else {"/a": [1, 2, "0" * 64]}
    path.unlink(missing_ok=True)
    _write(path, crafted(content, random))
    arena.reference.remove(place, random.choice(arena.reference.artifacts))
    outcome = arena.run("report", place)
    if outcome.verdict == "ok":
        arena.compare(place, f"report with a crafted {path.name}")
    elif outcome.verdict == "line" and path.name not in outcome.error:
        arena.note(UNCLEAR, f"{path.name} is crafted, said is {outcome.error[:300]}")


def _checkpoint(arena: Arena) -> None:
    """A checkpoint of another shape: training begins anew."""
    import torch

    place, random, reference = arena.place(), arena.random, arena.reference
    trained = [name for name in reference.artifacts if f"{reference.store.name}/{name}/{CARD}" in reference.files]
    artifact = random.choice(trained)
    reference.remove(place, artifact)
    partial = reference.folder(place) / f"{artifact}{SUFFIX}"
    killed(arena, place, "distill", kill_when=f"cache/*/{partial.name}/{CHECKPOINT}")
    path = partial / CHECKPOINT
    if not path.exists() and (reference.folder(place) / artifact).exists():  # it was made before it could be killed
        reference.remove(place, artifact)
    content = torch.load(path, weights_only=True) if path.exists() else {}
    partial.mkdir(exist_ok=True)
    if isinstance(content, dict) and content and random.random() < 0.6:
        holder, key = random.choice([place for place in _places(content) if isinstance(place[0], dict)])
        holder[key] = random.choice([None, [], {}, -1, "x", 10**9, torch.zeros(3), torch.full((2, 2), float("nan"))])
        if random.random() < 0.4:
            del holder[key]
    else:
        content = random.choice([[], {}, None, 3, "text", torch.zeros(3), [content], {"model": content}])
    torch.save(content, path)
    outcome = arena.run("distill", place)
    if outcome.verdict == "line":
        arena.note(UNCLEAR, f"a crafted checkpoint stops the training: {outcome.error[:300]}")
    elif outcome.verdict == "ok":
        arena.compare(place, f"{artifact} from a crafted checkpoint", whole=False)
