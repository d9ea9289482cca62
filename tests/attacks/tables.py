"""Ways to damage a table of pictures or of recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.attacks import things

Damage = Callable[[Path, Random], None]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def _put(path: Path, lines: list[str]) -> None:
    path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))


def _cell(path: Path, random: Random) -> None:
    """Any cell becomes something else."""
    lines = _lines(path)
    place = random.randrange(len(lines))
    cells = lines[place].split(",")
    cells[random.randrange(len(cells))] = random.choice(HOSTILE)
    lines[place] = ",".join(cells)
    _put(path, lines)


def _column(path: Path, random: Random) -> None:
    """A whole column becomes something else."""
    header, *lines = [line.split(",") for line in _lines(path)]
    place, value = random.randrange(len(header)), random.choice(HOSTILE)
    for cells in lines:
        cells[min(place, len(cells) - 1)] = value
    _put(path, [",".join(cells) for cells in (header, *lines)])


def _added(path: Path, random: Random) -> None:
    """A column that has a meaning, or none, with odd values."""
    name = random.choice(
        ["fold", "part", "source", "expressive", "subject", "path", "label", "x0", "sample_id", "odd", ""]
    )
    header, *lines = _lines(path)
    _put(path, [f"{header},{name}", *(f"{line},{random.choice(HOSTILE)}" for line in lines)])


def _dropped(path: Path, random: Random) -> None:
    rows = [line.split(",") for line in _lines(path)]
    place = random.randrange(len(rows[0]))
    _put(path, [",".join(cells[:place] + cells[place + 1 :]) for cells in rows])


def _ragged(path: Path, random: Random) -> None:
    lines = _lines(path)
    for place in random.sample(range(len(lines)), 3):
        lines[place] = random.choice(["", ",,,", lines[place] * 2, lines[place][:3], '"', lines[place] + ',"'])
    _put(path, lines)


def _twice(path: Path, random: Random) -> None:
    header, *lines = _lines(path)
    _put(path, [header, *lines, *random.sample(lines, 3), header])


def _wide(path: Path, random: Random) -> None:
    header, *lines = _lines(path)
    count = random.choice([300, 20_000, 100_000])
    names = "".join(f",c{number}" for number in range(count))
    _put(path, [header + names, *(line + ",1" * count for line in lines[:8]), *lines[8:]])


def _encoding(path: Path, random: Random) -> None:
    text = path.read_text("utf-8").replace("Man", "Männ")
    path.write_bytes(text.encode(random.choice(["utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037"])))


def _ends(path: Path, random: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n", random.choice([b"\r", b"\r\n", b"\n\n", b"\0", b"\x0b", b"\xe2\x80\xa8"])))


def _separator(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes().replace(b",", random.choice([b";", b"\t", b"|", b" ", b",;"])))


def _flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 5, 200])):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _truncate(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def _noise(path: Path, random: Random) -> None:
    path.write_bytes(random.randbytes(random.choice([0, 1, 5000])))


def _device(path: Path, random: Random) -> None:
    path.unlink()
    path.symlink_to(random.choice(["/dev/zero", "/dev/full", "/nowhere"]))


HOSTILE = (
    *("", " ", "nan", "inf", "-1", "9" * 5000, "x" * 140_000, "\0", "\udcff", "٣", '"', '""', "a\rb", "=1+1", "None"),
    *("../../etc/passwd", "/dev/zero", "/proc/self/mem", "..", ".", "a/" * 3000, "1e999", "True", "e\u0301", "\u202e"),
)
DAMAGES: tuple[Damage, ...] = (
    *(_cell, _cell, _column, _column, _added, _added, _dropped, _ragged, _twice, _wide, _encoding, _ends, _separator),
    *(_flip, _truncate, _noise, things.pipe, things.loop, things.folder, _device),
)


def damage(path: Path, random: Random) -> str:
    """Damage a table; in a word, how."""
    chosen = random.choice(DAMAGES)
    chosen(path, random)
    return chosen.__name__.strip("_")
