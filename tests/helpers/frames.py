"""Pairs of small frames whose grey tells their number, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (40, 32)  # width and height
LEVELS = 3  # grey levels between two numbers: JPEG moves a flat grey by one at most


def rgb(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A flat frame of the grey that tells its number."""
    return Image.new("RGB", size, (LEVELS * number,) * 3)


def ir(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """The infrared half: as grey as the RGB half is dark."""
    return Image.new("L", size, 255 - LEVELS * number)


def write(folder: Path, number: int) -> dict[str, str]:
    """Write a pair; its paths below the folder, as a row has them."""
    row = {"rgb_frame": f"rgb/frame {number}.png", "ir_frame": f"ir/frame {number}.png"}
    for (name, path), make in zip(row.items(), (rgb, ir), strict=True):
        assert name
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        make(number).save(folder / path)
    return row


def table(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write a table of such rows."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def dataset(folder: Path, count: int = 24, clips: int = 6) -> Path:
    """A folder of pairs with ``frames.csv``: fire in every second, smoke in every third, clips one after another."""
    rows = []
    for number in range(count):
        labels = {"fire": number % 2, "smoke": int(number % 3 == 0), "clip": f"c{number * clips // count}"}
        rows.append({"id": number} | write(folder, number) | labels)
    table(folder / "frames.csv", rows)
    return folder


def number_of(frame: np.ndarray) -> int:
    """The number that a prepared frame tells, RGB or infrared."""
    level = float(frame.mean())
    return round((level if frame.shape[-1] == 3 else 255 - level) / LEVELS)
