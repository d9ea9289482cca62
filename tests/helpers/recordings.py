"""Files of signals in BioVid's form, and hundreds that are damaged, each with what must come of it."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

COLUMNS = ("time", "gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
RATE_HZ, STEPS = 64, 352
READ = ""  # what must come of a file that is only written in another way: a recording, and nothing repaired


def table(seed: int = 0, steps: int = STEPS, rate_hz: float = RATE_HZ) -> np.ndarray:
    """Times in microseconds and five channels, float64, shape (steps, 6)."""
    times = np.arange(steps) / rate_hz
    noise = np.random.default_rng(seed).normal(scale=0.01, size=(steps, 5))
    waves = np.sin(times[:, None] * np.arange(1, 6) + seed)
    return np.concatenate([1e6 * times[:, None], 3 + waves + noise], axis=1)


def rows_of(values: np.ndarray) -> list[list[str]]:
    """The cells of a table, an empty one for NaN."""
    return [["" if np.isnan(cell) else f"{cell:.17g}" for cell in row] for row in values.tolist()]


def text(rows: list[list[str]], header=COLUMNS, separator: str = "\t", end: str = "\n") -> bytes:
    """A file's content; a header of None is left out."""
    lines = [*([list(header)] if header else []), *rows]
    return (end.join(separator.join(line) for line in lines) + end).encode()


def content(values: np.ndarray, **how) -> bytes:
    return text(rows_of(values), **how)


def archive(members: dict[str, np.ndarray | bytes]) -> bytes:
    """An ``.npz``, also of members that are none."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, member in members.items():
            stream = BytesIO()
            if not isinstance(member, bytes):
                np.save(stream, member, allow_pickle=True)
            file.writestr(f"{name}.npy", member if isinstance(member, bytes) else stream.getvalue())
    return packed.getvalue()


def npy_of(header: str, body: bytes = b"") -> bytes:
    """An ``.npy`` with any text as its header."""
    raw = header.encode() + b"\n"
    return npy.MAGIC_PREFIX + b"\x01\x00" + struct.pack("<H", len(raw)) + raw + body


def name(subject: int, level: int, number: int, suffix: str = "_bio.csv") -> str:
    """A name as BioVid's files have them."""
    return f"{71000 + subject:06d}_{'mw'[subject % 2]}_{20 + subject}-{LEVELS[level]}-{number:03d}{suffix}"


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@dataclass(frozen=True)
class Damage:
    """What somebody did to a file, and what must come of it.

    Parameters
    ----------
    what : in words.
    data : the content.
    kind : of the reason for which it is refused, or of the repair; empty for a file that is read as it is.
    repaired : whether ``kind`` is that of a repair.
    """

    what: str
    data: bytes
    kind: str
    repaired: bool = False


VARIANTS = 4


def damages() -> Iterator[Damage]:
    """Each way of damage ``VARIANTS`` times, at another place of another recording."""
    for make in (_written_otherwise, _of_headers, _of_bytes, _of_rows, _of_clocks, _of_values):
        for seed in range(VARIANTS):
            yield from make(table(seed), np.random.default_rng(seed))


Made = Iterator[Damage]


def _written_otherwise(values: np.ndarray, rng: np.random.Generator) -> Made:
    """All of this is read as it is."""
    rows = rows_of(values)
    commas = [[cell.replace(".", ",") for cell in row] for row in rows]
    order = rng.permutation(6)
    names = ("Time [us]", "EDA [uS]", "EKG", "EMG Trapezius", "emg-corrugator", "Zygomaticus")
    for what, data in {
        "semicolons and decimal commas": text(commas, separator=";"),
        "tabs and decimal commas": text(commas),
        "commas": text(rows, separator=","),
        "blanks": text(rows, separator="   "),
        "ends of Windows": text(rows, end="\r\n"),
        "ends of old Macs": text(rows, end="\r"),
        "byte order mark": b"\xef\xbb\xbf" + text(rows),
        "columns in another order": text([[row[k] for k in order] for row in rows], header=[COLUMNS[k] for k in order]),
        "columns under other names": text(rows, header=names),
        "capitals": text(rows, header=[column.upper() for column in COLUMNS]),
        "quotation marks": text([[f'"{cell}"' for cell in row] for row in rows], header=[f'"{c}"' for c in COLUMNS]),
        "gzip under a plain name": gzip.compress(text(rows)),
        "gzip of two members": gzip.compress(text(rows)[:900]) + gzip.compress(text(rows)[900:]),
        "separators at the ends of lines": text([[*row, ""] for row in rows]),
        "blank lines at the end": text(rows) + b"\n  \n\n",
        "milliseconds": content(values / [1e3, 1, 1, 1, 1, 1]),
        "seconds": content(values / [1e6, 1, 1, 1, 1, 1]),
        "microseconds since 1970": content(values + [1.7e15, 0, 0, 0, 0, 0]),
        "half as long": content(values[:176]),
        "a column more, without a name": text([[str(n), *row] for n, row in enumerate(rows)], header=("", *COLUMNS)),
    }.items():
        yield Damage(what, data, READ)


def _of_headers(values: np.ndarray, rng: np.random.Generator) -> Made:
    rows = rows_of(values)
    yield Damage("no header", text(rows, header=None), "no header", repaired=True)
    yield Damage("no header, five columns", text([row[:5] for row in rows], header=None), "no header")
    yield Damage("another header", text(rows, header=("a", "b", "c", "d", "e", "f")), "no time")
    yield Damage("no gsr", text(rows, header=("time", "scr", *COLUMNS[2:])), "no channel")
    yield Damage("no time", text([row[1:] for row in rows], header=COLUMNS[1:]), "no time")
    yield Damage("gsr twice", text(rows, header=("time", "gsr", "eda", *COLUMNS[3:])), "wrong header")
    wide = [f"x{n}" for n in range(70 + int(rng.integers(9)))]
    yield Damage("seventy columns", text([row + [""] * (len(wide) - 6) for row in rows], header=wide), "wrong header")
    yield Damage("a name that is none", text(rows, header=("time", "g\x07sr", *COLUMNS[2:])), "wrong header")
    yield Damage("a name of 900 characters", text(rows, header=("time", "g" * 900, *COLUMNS[2:])), "wrong header")
    yield Damage("header of tabs, rows of semicolons", text(rows)[:60] + text(rows, separator=";"), "ragged")


def _of_bytes(values: np.ndarray, rng: np.random.Generator) -> Made:
    good = content(values)
    packed = gzip.compress(good)
    place = int(rng.integers(200, len(good) - 200))
    flipped = bytearray(packed)
    flipped[len(packed) // 2 + place % 50] ^= 0x55
    bomb = zlib.compressobj(9, wbits=31)
    yield Damage("nothing", b"", "empty file")
    yield Damage("blank lines", b"\n \r\n" * 9, "empty file")
    yield Damage("a header alone", good.partition(b"\n")[0], "empty file")
    yield Damage("UTF-16", good.decode().encode("utf-16"), "no text")
    yield Damage("Latin-1", good.replace(b"gsr", "gsr (\u00b5S)".encode("latin-1")), "no text")
    yield Damage("a zero byte", good[:place] + b"\0" + good[place:], "no text")
    yield Damage("a picture", b"\x89PNG\r\n\x1a\n" + rng.bytes(500), "no text")
    yield Damage("any bytes", b"\xff" + rng.bytes(2000), "no text")
    yield Damage("prose", b"The subject left.\nNothing was recorded.\n" * 20, "no time")
    yield Damage("truncated gzip", packed[: len(packed) - 30 - place % 400], "unreadable")
    yield Damage("flipped gzip", bytes(flipped), "unreadable")
    yield Damage("something behind gzip", packed + b"behind", "unreadable")
    yield Damage("gzip of gzip", gzip.compress(packed), "no text")
    yield Damage("gzip bomb", bomb.compress(bytes(2**26 + 1)) + bomb.flush(), "too large")
    yield Damage("an archive", archive({"z": values}), "no array")


def _of_rows(values: np.ndarray, rng: np.random.Generator) -> Made:
    rows = rows_of(values)
    at = int(rng.integers(20, STEPS - 20))
    cut = content(values)
    yield Damage("cut off in a line", cut[: cut.rindex(b"\t", 0, len(cut) - 30)], "cut off", repaired=True)
    yield Damage("a cell too many", text([*rows[:at], [*rows[at], "1"], *rows[at + 1 :]]), "ragged")
    yield Damage("a cell too few", text([*rows[:at], rows[at][:4], *rows[at + 1 :]]), "ragged")
    yield Damage("three rows", content(values[:3]), "too short")
    yield Damage("a million cells too many", text([["1"] * 6] * 350_000), "too large")
    missing = np.delete(values, np.arange(at, at + 15), axis=0)
    yield Damage("fifteen rows are missing", content(missing), "gaps", repaired=True)
    yield Damage(
        "rows are missing here and there",
        content(np.delete(values, rng.choice(np.arange(1, 351), 30, False), 0)),
        "gaps",
        repaired=True,
    )
    yield Damage("a third is missing", content(np.delete(values, np.arange(100, 217), axis=0)), "gaps")
    yield Damage("a row twice", content(np.insert(values, at, values[at], axis=0)), "time", repaired=True)
    yield Damage("rows in any order", content(rng.permutation(values)), "time")


def _of_clocks(values: np.ndarray, rng: np.random.Generator) -> Made:
    at = int(rng.integers(20, STEPS - 20))

    def clock(change: Callable[[np.ndarray], np.ndarray]) -> bytes:
        changed = values.copy()
        changed[:, 0] = change(changed[:, 0].copy())
        return content(changed)

    def put(value: float) -> Callable[[np.ndarray], np.ndarray]:
        def change(times: np.ndarray) -> np.ndarray:
            times[at] = value
            return times

        return change

    yield Damage("a time that is none", clock(put(np.nan)), "time", repaired=True)
    yield Damage("a time far ahead", clock(put(1e12)), "time", repaired=True)
    yield Damage("a time of before", clock(put(-1.0)), "time", repaired=True)
    yield Damage("no times", clock(lambda times: times * np.nan), "no time")
    yield Damage("the clock stands", clock(lambda times: times * 0 + 7), "time")
    yield Damage("the clock runs backwards", clock(lambda times: times[::-1]), "time")
    yield Damage("the clock starts again", clock(lambda times: times % times[at]), "time")
    yield Damage("the clock leaps by a day", clock(lambda times: times + 8.64e10 * (times > times[at])), "gaps")
    yield Damage("an uneven clock", clock(lambda times: np.cumsum(rng.uniform(1e4, 9e4, len(times)))), "time")
    yield Damage("a clock too coarse", clock(lambda times: times // 1e6), "time")
    yield Damage("a step a minute", text(rows_of(values * [60 * 64, 1, 1, 1, 1, 1])), "rate")
    slow = text(rows_of(values / [15625, 1, 1, 1, 1, 1] * [10, 1, 1, 1, 1, 1]), header=("time_s", *COLUMNS[1:]))
    yield Damage("ten seconds a step, as it says", slow, "rate")


def _of_values(values: np.ndarray, rng: np.random.Generator) -> Made:
    some, most = rng.choice(STEPS, 40, replace=False), rng.choice(STEPS, 100, replace=False)

    def gsr(rows, value: str) -> bytes:
        cells = rows_of(values)
        for row in rows:
            cells[row][1] = value
        return text(cells)

    for value in ("", "nan", "n/a", "inf", "-1e300", "1e999", "1_000", "0x10", "9" * 5000, "\u0663"):
        yield Damage(f"forty cells are {value[:9]!r}", gsr(some, value), "no number", repaired=True)
    yield Damage("a hundred cells are empty", gsr(most, ""), "gaps")
    yield Damage("all cells are NaN", gsr(range(STEPS), "NaN"), "no value")
    yield Damage("always the same", gsr(range(STEPS), "3.25"), "constant")
    yield Damage("always nought", gsr(range(STEPS), "0"), "constant")
    yield Damage("always beyond measure", gsr(range(STEPS), "1e15"), "no value")


def packed_damages() -> Iterator[Damage]:
    """Ways in which a subject's file of three windows may be damaged; what must come of its window 1."""
    for seed in range(VARIANTS):
        yield from _of_archives(np.stack([table(seed + n)[:, 1] for n in range(3)]), np.random.default_rng(seed))


@cache
def _bomb() -> bytes:
    return archive({"x": bytes(2**27 + 1)})


@cache
def _crowd() -> bytes:
    return archive({f"{n:090d}": b"" for n in range(2000)})


def _of_archives(x: np.ndarray, rng: np.random.Generator) -> Made:
    y, rate = np.array([0, 4, 2]), {"rate_hz": np.float64(RATE_HZ)}
    good = archive({"x": x, "y": y, **rate})
    flipped = bytearray(good)
    flipped[200 + int(rng.integers(2000))] ^= 0x55
    directory = good.rindex(b"PK\x05\x06")
    encrypted = bytearray(good)
    encrypted[good.index(b"PK\x01\x02") + 8] |= 1
    objects = np.array([{"run": "this"}] * 3, dtype=object)
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
    yield Damage("whole", good, READ)
    yield Damage("float32, Fortran's order", archive({"x": np.asfortranarray(x, np.float32), "y": y, **rate}), READ)
    yield Damage("names in capitals", archive({"X": x, "Y": y, **rate}), READ)
    yield Damage("levels in words", archive({"x": x, "y": np.array(["BL1", "PA4", "pa2"]), **rate}), READ)
    yield Damage("levels as fractions", archive({"x": x, "y": y.astype(float)[:, None], **rate}), READ)
    more = archive({"x": np.stack([x, x + 1], axis=2), "y": y, "channels": np.array(["ECG", "EDA [uS]"]), **rate})
    yield Damage("two channels with names", more, READ)
    yield Damage("pickled windows", archive({"x": objects, "y": y, **rate}), "pickled")
    yield Damage("pickled levels", archive({"x": x, "y": objects, **rate}), "pickled")
    yield Damage("truncated", good[: len(good) - 40 - int(rng.integers(900))], "unreadable")
    yield Damage("flipped", bytes(flipped), "unreadable")
    yield Damage("encrypted", bytes(encrypted), "unreadable")
    yield Damage("no levels", archive({"x": x, **rate}), "no array")
    yield Damage("windows twice", archive({"x": x, "X": x, "y": y, **rate}), "two arrays")
    yield Damage("levels of other windows", archive({"x": x, "y": y[:2], **rate}), "wrong array")
    yield Damage("one long row", archive({"x": x.ravel(), "y": y, **rate}), "wrong array")
    yield Damage("words for windows", archive({"x": x.astype(str), "y": y, **rate}), "wrong array")
    yield Damage("complex numbers", archive({"x": x * 1j, "y": y, **rate}), "no numbers")
    yield Damage("a shape of terabytes", archive({"x": npy_of(header % 10**15, b"1234"), "y": y}), "unreadable")
    yield Damage("a shape below nought", archive({"x": npy_of(header % "-1, -1", b"12345678"), "y": y}), "unreadable")
    yield Damage("a header that is none", archive({"x": npy_of("[" * 900), "y": y}), "unreadable")
    yield Damage("a header that calls", archive({"x": npy_of("__import__('os').abort()"), "y": y}), "unreadable")
    yield Damage("an array that is none", archive({"x": rng.bytes(300), "y": y}), "unreadable")
    yield Damage("a bomb", _bomb(), "too large")
    yield Damage("thousands of names", _crowd(), "too large")
    entries = good[:directory] + good[directory : directory + 12] + b"\xff" * 4 + good[directory + 16 :]
    yield Damage("a directory of gigabytes", entries, "too large")
    yield Damage("no rate", archive({"x": x, "y": y}), "no time")
    yield Damage("a rate that is none", archive({"x": x, "y": y, "rate_hz": np.array([np.nan])}), "rate")
    yield Damage("two channels without names", archive({"x": np.stack([x, x], axis=2), "y": y, **rate}), "no channels")
    yield Damage(
        "names of other channels", archive({"x": x, "y": y, "channels": np.array(["a", "b"]), **rate}), "wrong array"
    )
    flat = x.copy()
    flat[1] = 2.5
    yield Damage("a constant window", archive({"x": flat, "y": y, **rate}), "constant")
    flat[1] = np.nan
    yield Damage("an empty window", archive({"x": flat, "y": y, **rate}), "no value")
    flat[1] = x[1]
    flat[1, :50] = np.inf
    yield Damage("a window with gaps", archive({"x": flat, "y": y, **rate}), "no number", repaired=True)
    yield Damage("windows of ten steps", archive({"x": x[:, :10], "y": y, **rate}), "too short")
