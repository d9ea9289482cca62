"""Damaged answers of the kinds that no word says: points in files and tables, boxes, numbers beyond their bounds."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.inputs.datasets import pts
from tests.attacks import points, tables
from tests.attacks.arena import SILENT, UNCLEAR, Arena

FACES, EACH = 24, 8
SIDE = 96
POINTS = [f"p{number}_{axis}" for number in range(68) for axis in "xy"]
BOX = ["box_x0", "box_y0", "box_x1", "box_y1"]
OUTSIDE = ("-1", "16.5", "99", "1e8", "1e999", "nan", "inf", "x", "٣", "1e", "=1+1", "9" * 5000)  # no PSPI
NO_POINT = ("nan", "inf", "1e999", "x", "", "1e9", "-1e6", "9" * 5000, "٣", "0x10", '""')
NO_BOX = ("nan", "x", "", "-1e9", "1e999")
LONG_S = 60


def attack(arena: Arena) -> None:
    """Damage some answers of a dataset of its own; each is named, and no other is lost."""
    [_files, _cells, _any_table][arena.random.randrange(3)](arena)


def shapes() -> np.ndarray:
    """Points of the faces, float64 (N, 68, 2), in pixels."""
    return np.random.default_rng(0).uniform(20, 76, (FACES, 68, 2)).round(2)


def _pictures(folder: Path) -> list[Path]:
    """As many pictures, no two alike."""
    folder.mkdir()
    paths = [folder / f"{number:02d}.png" for number in range(FACES)]
    for number, path in enumerate(paths):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((SIDE // 8, SIDE // 8, 1), np.uint8))).save(path)
    return paths


def _files(arena: Arena) -> None:
    """A file of points beside each picture."""
    paths, random = _pictures(arena.folder / "data"), arena.random
    for path, shape in zip(paths, shapes(), strict=True):
        path.with_suffix(pts.SUFFIX).write_text(pts.text_of(shape))
    damaged = {}
    for path in random.sample(paths, EACH):
        damaged[path.name] = random.choice(sorted(points.DAMAGES))
        points.DAMAGES[damaged[path.name]](path.with_suffix(pts.SUFFIX), random)
    bad = {name for name, how in damaged.items() if how not in points.READABLE}
    _judge(arena, arena.folder / "data", damaged, bad, "landmarks", "points")


def _cells(arena: Arena) -> None:
    """Cells of a table: points, corners of a box, a number."""
    random, paths = arena.random, _pictures(arena.folder / "data")
    rows, damaged = _rows(paths), {}
    for row in random.sample(rows, EACH):
        column, values = random.choice([(random.choice(POINTS), NO_POINT), (random.choice(BOX), NO_BOX)])
        column, values = random.choice([(column, values), ("pspi", OUTSIDE)])
        row[column] = random.choice(values)
        damaged[row["path"]] = f"{column} {row[column][:20]}"
    table = _put(arena.folder / "data", rows)
    task, box = random.choice([("landmarks", "points"), ("landmarks", "dataset"), ("intensity", "dataset")])
    _judge(arena, table, damaged, set(damaged), task, box)


def _any_table(arena: Arena) -> None:
    """A table of points and numbers, damaged as any table: no sample is a file that is not there."""
    table = _put(arena.folder / "data", _rows(_pictures(arena.folder / "data")))
    how, place = tables.damage(table, arena.random), arena.folder / "place"
    place.mkdir()
    given = {"data": table, "max_skipped": 1, "task": arena.random.choice(["landmarks", "intensity"])}
    outcome = arena.judge(arena.start("split", place, given, limit_s=LONG_S).outcome(), f" ({how})")
    arena.count += 1
    if outcome.verdict == "ok" and (strange := _files_in(place, "samples") - {f"{n:02d}.png" for n in range(FACES)}):
        arena.note(SILENT, f"a table ({how}) brought {sorted(strange)[:3]}")


def _rows(paths: Sequence[Path]) -> list[dict[str, str]]:
    """A row for each picture, all of which are good."""
    rows = []
    for number, (path, shape) in enumerate(zip(paths, shapes(), strict=True)):
        corners = np.concatenate([shape.min(axis=0), shape.max(axis=0)])
        row = {"path": path.name, "subject": f"s{number}", "pspi": f"{number * 2 % 17}"}
        row |= dict(zip(BOX, map(str, corners.tolist()), strict=True))
        rows.append(row | dict(zip(POINTS, map(str, shape.ravel().tolist()), strict=True)))
    return rows


def _put(folder: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    table = folder / "faces.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return table


def _judge(arena: Arena, data: Path, damaged: Mapping[str, str], bad: set[str], task: str, box: str) -> None:
    """Note faces that nothing is said of, good ones that are not used, and bad ones that are."""
    told = f" ({', '.join(f'{name}: {how}' for name, how in sorted(damaged.items()))})"
    place = arena.folder / "place"
    place.mkdir()
    arena.count += len(damaged)
    given = {"data": data, "max_skipped": 1, "task": task, "align": "mtcnn", "box": box}
    for command in ("index", "split", "align"):
        outcome = arena.judge(arena.start(command, place, given, limit_s=LONG_S).outcome(), told)
        if outcome.verdict != "ok":
            arena.note(UNCLEAR, f"{command} of good answers with some bad: {outcome.brief}{told}")
            return
    used, named = _files_in(place, "samples"), _files_in(place, "samples") | _files_in(place, "skipped")
    every = {f"{number:02d}.png" for number in range(FACES)}
    if lost := sorted(every - named):
        arena.note(SILENT, f"index says nothing of {lost[:3]}{told}")
    if gone := sorted(every - set(damaged) - used):
        arena.note(SILENT, f"index left out good faces: {gone[:3]}{told}")
    if believed := sorted(bad & used):
        arena.note(SILENT, f"index believed {believed[:3]}{told}")


def _files_in(place: Path, name: str) -> set[str]:
    (path,) = place.glob(f"cache/*/samples-*/{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["file"] for row in csv.DictReader(file)}
