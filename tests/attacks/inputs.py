"""Damaged pictures, recordings, tables and answers, as a dataset and before a model: each is named, good ones stay."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.attacks import answers, pictures, signals, tables, things
from tests.attacks.arena import SILENT, UNCLEAR, Arena
from tests.attacks.world import PREPARE, samples_in

NAME, COUNT, WHAT = "inputs", 120, "damaged inputs"
EACH = 12  # damaged files in a dataset, which has more good ones
ODD_EACH = 3
LONG_S = 60
# By the command that reads them: ways to damage what it reads.
FORMS = {"align": pictures, "resize": pictures, "window": signals}
INFRARED, COLOUR = "ir/", "rgb/"  # folders of the halves of pairs, of which the sample bears the second's name


def attack(arena: Arena) -> None:
    """A dataset with damaged files, a damaged table, files that are to be predicted, or, of faces, damaged answers."""
    ways = [_dataset, _table, _predict, *([answers.attack] if arena.reference.task.prepare == "align" else [])]
    arena.random.choice(ways)(arena)


@dataclass(frozen=True)
class Files:
    """A dataset of its own, some of whose files were damaged and some given odd names.

    Parameters
    ----------
    names : every sample but those of odd names, as tables name it: the file, or the first of a pair's.
    damaged : of these the damaged ones, and how.
    odd : the names that tables cannot hold as they are; of pairs, which a table names, those that it has.
    """

    data: Path
    names: tuple[str, ...]
    damaged: Mapping[str, str]
    odd: tuple[bytes | str, ...]

    @property
    def told(self) -> str:
        """In words, what was done."""
        return f"{', '.join(sorted(set(self.damaged.values())))}; {', '.join(map(repr, self.odd))}"


def _attacked(arena: Arena, most: int | None = None) -> Files:
    """Damage a copy of the dataset, or of its first files, each of which is then a sample of its own."""
    random, data = arena.random, arena.folder / "data"
    shutil.copytree(arena.reference.data, data)
    paths = samples_in(data)
    for path in paths[most:] if most else ():
        path.unlink()
    paths = paths[:most]
    random.shuffle(paths)
    names = [path.relative_to(data).as_posix() for path in paths]
    samples = names if most else [name.replace(INFRARED, COLOUR) for name in names]
    damaged = {sample: _damaged(arena, path) for sample, path in zip(samples, paths[:EACH], strict=False)}
    renamed = set(samples[EACH : EACH + ODD_EACH]) - damaged.keys()
    odd = tuple(things.odd(path, random) for path in paths[EACH : EACH + ODD_EACH])
    good = dict.fromkeys(sample for sample in samples if sample not in damaged and sample not in renamed)
    arena.count += len(damaged) + len(odd)
    return Files(data, (*damaged, *good), damaged, odd if most or samples == names else tuple(renamed))


def _damaged(arena: Arena, path: Path) -> str:
    """Damage a file; in a word, how."""
    damages = FORMS[arena.reference.task.prepare].DAMAGES
    kind = arena.random.choice(sorted(damages))
    damages[kind](path, arena.random)
    return kind


def _all_named(arena: Arena, attacked: Files, command: str, named: set[str], used: set[str]) -> None:
    """Note files that nothing is said of, good ones that were not used, and bad ones that were."""
    unreadable = FORMS[arena.reference.task.prepare].UNREADABLE
    damaged = {name: how for name, how in attacked.damaged.items() if how != "a folder"}
    expected = [name for name in attacked.names if attacked.damaged.get(name) != "a folder"]
    if lost := [f"{name} ({damaged.get(name, 'good')})" for name in expected if name not in named]:
        arena.note(SILENT, f"{command} says nothing of {', '.join(lost[:3])}")
    if gone := [name for name in expected if name not in damaged and name in named and name not in used]:
        arena.note(SILENT, f"{command} left out good files: {', '.join(gone[:3])} ({attacked.told})")
    if believed := [f"{name} ({how})" for name, how in damaged.items() if how in unreadable and name in used]:
        arena.note(SILENT, f"{command} believed {', '.join(believed[:3])}")
    if len(named) < len(expected) + len(set(attacked.odd)) - len(lost):
        arena.note(SILENT, f"{command} says nothing of some of {attacked.odd}")


def _dataset(arena: Arena) -> None:
    """Damaged files are rows of ``skipped.csv`` or can be used; odd names too; all others are samples."""
    attacked = _attacked(arena)
    place = arena.folder / "place"
    place.mkdir()
    align = arena.random.choice(["none", "none", "none", "mtcnn"])
    given = {"data": attacked.data, "max_skipped": 1, "align": align}
    outcome = arena.judge(arena.start("index", place, given, limit_s=LONG_S).outcome(), f" ({attacked.told})")
    if outcome.verdict != "ok":
        arena.note(UNCLEAR, f"index of good files with some bad: {outcome.brief} ({attacked.told})")
        return
    samples, skipped = (_column(place, f"samples-*/{name}.csv", "file") for name in ("samples", "skipped"))
    _all_named(arena, attacked, "index", samples | skipped, samples)
    for command in ("split", PREPARE):
        outcome = arena.judge(arena.start(command, place, given, limit_s=LONG_S).outcome(), f" ({attacked.told})")
        if outcome.verdict == "line" and command == PREPARE:
            arena.note(UNCLEAR, f"{command}: {outcome.error}")


def _column(place: Path, pattern: str, name: str) -> set[str]:
    (path,) = place.glob(f"cache/*/{pattern}")
    with path.open(encoding="utf-8", newline="") as file:
        return {row[name] for row in csv.DictReader(file)}


def _table(arena: Arena) -> None:
    """A damaged table beside the files, or as the dataset: no sample is a file that is not there."""
    data = arena.folder / "data"
    shutil.copytree(arena.reference.data, data)
    table = arena.random.choice(sorted(data.rglob("*.csv")))
    _narrow(table)
    if arena.random.random() < 0.5:
        table = table.rename(data / "faces.csv")
        given = {"data": table}
    else:
        given = {"data": data}
    place = arena.folder / "place"
    place.mkdir()
    how = tables.damage(table, arena.random)
    arena.count += 1
    outcome = arena.judge(arena.start("split", place, {**given, "max_skipped": 1}).outcome(), f" ({how})")
    if outcome.verdict == "ok":
        here = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
        if strange := _column(place, "samples-*/samples.csv", "file") - here:
            arena.note(SILENT, f"a table ({how}) brought {sorted(strange)[:3]}")


def _narrow(table: Path) -> None:
    """Leave only the first columns of a table, which say what others do not."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row[:8] for row in csv.reader(file)]
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _predict(arena: Arena) -> None:
    """Every file is a row, with a prediction or a reason."""
    attacked = _attacked(arena, EACH + 2 * ODD_EACH)
    place = arena.place()
    given = {"data": arena.reference.data, "input": attacked.data, "out": "out"}
    outcome = arena.judge(arena.start("predict", place, given, limit_s=LONG_S).outcome(), f" ({attacked.told})")
    if outcome.verdict != "ok":
        arena.note(UNCLEAR, f"predict of good files with some bad: {outcome.brief} ({attacked.told})")
        return
    with (place / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    _all_named(
        arena, attacked, "predict", {row["file"] for row in rows}, {row["file"] for row in rows if _answered(row)}
    )


def _answered(row: Mapping[str, str]) -> bool:
    """Whether a row of predictions has any: probabilities, a number or points."""
    return any(cell for name, cell in row.items() if name.startswith(("prob_", "value_", "p0_")))
