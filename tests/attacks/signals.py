"""Ways to damage a recording: its bytes, or, where it is packed, the table in it, which is packed again."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.attacks import pictures, things

Damage = Callable[[Path, Random], None]
Rows = list[list[str]]

ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e300",
    "-1e300",
    "x",
    "٣",
    "0x10",
    "1,5",
    '"',
    "None",
    "\0",
    "9" * 5000,
)
BOMB = 2**30  # bytes of zeros


def _table(change: Callable[[Rows, Random], None]) -> Damage:
    """A damage to the cells of a recording."""

    def damage(path: Path, random: Random) -> None:
        rows = _cells(path)
        change(rows, random)
        _put(path, "\n".join(["\t".join(row) for row in rows] + [""]).encode("utf-8"))

    return damage


def _cells(path: Path) -> Rows:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    return [line.split("\t") for line in text.splitlines()]


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def _odd_cells(rows: Rows, random: Random) -> None:
    for _ in range(random.choice([1, 5, len(rows)])):
        row = random.choice(rows[1:])
        row[random.randrange(1, len(row))] = random.choice(ODD_CELLS)


def _odd_times(rows: Rows, random: Random) -> None:
    for _ in range(random.choice([1, 3])):
        random.choice(rows[1:])[0] = random.choice([*ODD_CELLS, "-1", "0", "5.5e6", rows[1][0]])


def _no_column(rows: Rows, random: Random) -> None:
    """A channel has no values, or is not there at all."""
    place, gone = random.randrange(1, len(rows[0])), random.random() < 0.5
    for number, row in enumerate(rows):
        if gone:
            del row[place]
        elif number:
            row[place] = ""


def _constant(rows: Rows, _: Random) -> None:
    for row in rows[2:]:
        row[1:] = rows[1][1:]


def _no_values(rows: Rows, _: Random) -> None:
    for row in rows[1:]:
        row[1:] = ["nan"] * len(row[1:])


def _gaps(rows: Rows, random: Random) -> None:
    start = random.randrange(1, len(rows))
    del rows[start : start + random.choice([1, 10, len(rows) // 3, len(rows)])]


def _short(rows: Rows, random: Random) -> None:
    del rows[random.choice([1, 2, 3, 5, 6, len(rows) // 2]) :]


def _long(rows: Rows, random: Random) -> None:
    """More steps that go on as the others do."""
    step = float(rows[2][0]) - float(rows[1][0])
    last = float(rows[-1][0])
    rows += [[f"{last + n * step:g}", *rows[1 + n % 50][1:]] for n in range(1, random.choice([2, 300, 30_000]))]


def _back(rows: Rows, random: Random) -> None:
    """Time that goes back: rows in another order."""
    rows[1:] = random.choice([rows[:0:-1], [*rows[50:], *rows[1:50]]])


def _still(rows: Rows, _: Random) -> None:
    for row in rows[1:]:
        row[0] = "0"


def _faster(rows: Rows, random: Random) -> None:
    """Another unit or another rate."""
    factor = random.choice([1e-9, 1e-6, 1e-3, 0.5, 3.0, 1e6, 1e300])
    for row in rows[1:]:
        row[0] = f"{float(row[0]) * factor:g}"


def _other_header(rows: Rows, random: Random) -> None:
    rows[0] = random.choice(
        [
            *([""] * len(rows[0]), ["time"] * len(rows[0]), rows[0][::-1], [name.upper() for name in rows[0]]),
            *(["time", "\x1b[2J", *rows[0][2:]], ["x" * 5000, *rows[0][1:]], [*rows[0], "more"], rows[0][:2]),
        ]
    )


def _no_header(rows: Rows, _: Random) -> None:
    del rows[0]


def _ragged(rows: Rows, random: Random) -> None:
    for place in random.sample(range(len(rows)), 3):
        rows[place] = random.choice([[], [""], rows[place] * 3, rows[place][:2], ['"'], ["#", "a"]])


def _wide(rows: Rows, random: Random) -> None:
    count = random.choice([100, 5000])
    rows[:] = [[*row, *["1"] * count] for row in rows[:20]]


def _written(path: Path, random: Random) -> None:
    """Other separators, line ends, decimal marks and encodings."""
    text = "\n".join("\t".join(row) for row in _cells(path))
    ways = [
        *(text.replace("\t", mark).encode() for mark in (",", ";", " ", "|", "\t\t")),
        *(text.replace("\n", mark).encode() for mark in ("\r\n", "\r", "\n\n", "\0")),
        text.replace(".", ",").encode(),
        *(text.encode(code) for code in ("utf-16", "utf-8-sig", "utf-32")),
        text.replace("time", "t\xefme").encode("latin-1"),
    ]
    _put(path, random.choice(ways))


def _bomb(path: Path, _: Random) -> None:
    """A gigabyte of zeros in a file that is small where it is packed, and sparse where it is not."""
    if path.suffix != ".gz":
        with path.open("wb") as file:
            file.truncate(BOMB)
        return
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(BOMB // 2**24):
            file.write(bytes(2**24))


BYTES = ("flipped bits", "another header", "cut short", "longer", "noise", "empty", "text", "a device")
DAMAGES: dict[str, Damage] = {name: pictures.DAMAGES[name] for name in BYTES} | {
    "odd cells": _table(_odd_cells),
    "odd times": _table(_odd_times),
    "a channel without values": _table(_no_column),
    "constant": _table(_constant),
    "no values": _table(_no_values),
    "gaps": _table(_gaps),
    "a short one": _table(_short),
    "a long one": _table(_long),
    "time that goes back": _table(_back),
    "time that stands": _table(_still),
    "another rate": _table(_faster),
    "other names": _table(_other_header),
    "no header": _table(_no_header),
    "ragged": _table(_ragged),
    "too wide": _table(_wide),
    "written otherwise": _written,
    "a bomb": _bomb,
    "a FIFO": things.pipe,
    "a socket": things.socket,
    "a loop of links": things.loop,
    "a folder": things.folder,
}
UNREADABLE = {
    *("noise", "empty", "text", "a device", "a bomb", "a FIFO", "a socket", "a loop of links"),
    *("constant", "no values", "time that goes back", "time that stands"),
}
