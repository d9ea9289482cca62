"""Ways to damage a file of points, and what tells of a face in a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from pipeline.inputs.datasets import pts
from tests.attacks import things

Damage = Callable[[Path, Random], None]


def _number(path: Path, random: Random) -> None:
    """A coordinate becomes no number, or one that no pixel has."""
    lines = path.read_text().splitlines()
    place = random.randrange(3, len(lines) - 1)
    lines[place] = f"{random.choice(NO_NUMBERS)} {lines[place].split()[1]}"
    path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))


def _far(path: Path, random: Random) -> None:
    """A point is far outside."""
    points = pts.read(path.read_text())
    points[random.randrange(len(points))] += random.choice([1e4, -1e4, 1e8])
    path.write_text(pts.text_of(points))


def _count(path: Path, random: Random) -> None:
    """As many points as no scheme has."""
    path.write_text(pts.text_of(np.full((random.choice([0, 1, 19, 67, 69, 5000]), 2), 40.0)))


def _claim(path: Path, random: Random) -> None:
    """Another number of points is told."""
    claimed = random.choice(["0", "67", "999999", "9" * 400, "-68", "sixty-eight", "٦٨"])
    path.write_text(path.read_text().replace("n_points: 68", f"n_points: {claimed}"))


def _form(path: Path, random: Random) -> None:
    """What is about the points changes."""
    old, new = random.choice([("{", ""), ("}", ""), ("{", "{{"), ("}", "}}"), (" ", ","), ("n_points", "points")])
    path.write_text(path.read_text().replace(old, new))


def _encoding(path: Path, random: Random) -> None:
    path.write_bytes(path.read_text().encode(random.choice(["utf-16", "utf-32", "cp037"])))


def _large(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes() + b"0 0\n" * 500_000)


def _flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 5, 50])):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _truncate(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def _noise(path: Path, random: Random) -> None:
    path.write_bytes(random.randbytes(random.choice([0, 1, 3000])))


def _device(path: Path, random: Random) -> None:
    path.unlink()
    path.symlink_to(random.choice(["/dev/zero", "/dev/full", "/nowhere", "/proc/self/mem"]))


NO_NUMBERS = ("nan", "inf", "-inf", "1e999", "9" * 5000, "x", "٣", "0x10", "1_0", "--1", "1e", "\udcff", "\0")
DAMAGES: dict[str, Damage] = {
    "no number": _number,
    "a far point": _far,
    "another count": _count,
    "a false count": _claim,
    "another form": _form,
    "another encoding": _encoding,
    "large": _large,
    "flipped bits": _flip,
    "cut short": _truncate,
    "noise": _noise,
    "a device": _device,
    "a FIFO": things.pipe,
    "a socket": things.socket,
    "a loop of links": things.loop,
    "a folder": things.folder,
}
READABLE = {"flipped bits", "cut short"}  # what may leave points that nobody can tell from others
