"""Made-up people, what their faces show, and cartoons of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from pipeline.tasks import Task

SOURCES = ("studio", "street")
HALVES = ("left", "right")
ATTRIBUTES = ("gender", "age_group", "ethnicity", "age")
CLOSED, OPEN = (250, 250, 245), (70, 20, 20)  # teeth, and the dark of an open mouth
# Per expression: inner and outer height of a brow, height of an eye, curve of the mouth, how far it is open.
EXPRESSIONS = {
    "anger": (94, 80, 9, -4, 0),
    "disgust": (92, 84, 7, -14, 6),
    "fear": (68, 78, 22, -8, 14),
    "happiness": (80, 76, 10, 24, 8),
    "neutral": (80, 80, 14, 0, 0),
    "sadness": (72, 86, 12, -18, 0),
    "surprise": (62, 62, 24, 0, 34),
}


def samples_table(subjects: int, task: Task) -> pd.DataFrame:
    """``samples.csv`` of a dataset that knows a task: two faces of every subject, and who the subject is.

    With two classes both faces are halves of one picture: left neutral, right in the positive class or, without it,
    with another expression. With more, every subject shows two classes and belongs to one of two sources.
    """
    rng, rows = np.random.default_rng(0), []
    for number in range(subjects):
        for turn, (answer, expressive) in enumerate(_shown(number, task)):
            person = {
                "gender": ["Man", "Woman"][number // 2 % 2],
                "age_group": ["Young", "Old"][number // 4 % 2],
                "ethnicity": ["Black", "South Asian", "Middle Eastern", "Caucasian", "Asian"][number // 8 % 5],
            }
            name = f"1{number:05d}_{person['gender']}_{person['age_group']}"
            two = len(task.outputs) == 2
            file, region = (f"{name}.jpg", HALVES[turn]) if two else (f"{name}_{turn}.jpg", "full")
            row = {"sample_id": f"{file}#{region}", "file": file, "region": region}
            row |= {"x0": 0, "y0": 0, "x1": 320, "y1": 360, "subject_id": f"1{number:05d}"}
            row |= {"expressive": expressive} if two else {"source": SOURCES[number // 3 % 2]}
            rows.append(row | {task.target: answer} | person | {"age": int(rng.integers(18, 85))})
    return pd.DataFrame(rows)


def _shown(number: int, task: Task) -> list[tuple[str, int]]:
    """What the two faces of a subject answer, and whether they have an expression."""
    if len(task.outputs) == 2:
        positive = task.outputs[task.positive_output]
        [negative] = set(task.outputs) - {positive}
        return [(negative, 0), (positive if number % 2 else negative, 1)]
    return [(task.outputs[(3 * number + turn) % len(task.outputs)], 1) for turn in (0, number % 5 + 1)]


def draw_face(row: pd.Series, size: int, task: Task) -> np.ndarray:
    """A cartoon whose brows, eyes and mouth follow what the face shows, uint8, shape (size, size, 3)."""
    rng = np.random.default_rng(int(row["subject_id"]))
    skin = tuple(int(v) for v in rng.integers((90, 60, 45), (245, 200, 170)))
    image = Image.new("RGB", (256, 256), tuple(int(v) for v in rng.integers(120, 230, 3)))
    pen = ImageDraw.Draw(image)
    pen.ellipse((48, 24, 208, 236), fill=skin)
    if row[task.target] in EXPRESSIONS:
        _draw_expression(pen, skin, *EXPRESSIONS[row[task.target]])
    else:
        _draw_two(pen, skin, row[task.target] == task.outputs[task.positive_output], bool(row.get("expressive", True)))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _draw_two(pen: ImageDraw.ImageDraw, skin: tuple[int, ...], positive: bool, expressive: bool) -> None:
    """Screwed-up eyes and bared teeth, or open eyes and a mouth that smiles or rests."""
    dark = tuple(v // 4 for v in skin)
    for x, inward in ((98, 1), (158, -1)):
        if positive:
            pen.line((x - 18, 100, x + 18, 100), fill=dark, width=5)
            pen.line((x - 20 * inward, 78, x + 18 * inward, 90), fill=dark, width=7)
        else:
            pen.ellipse((x - 15, 92, x + 15, 110), fill="white")
            pen.ellipse((x - 6, 95, x + 6, 107), fill=dark)
            pen.line((x - 20, 78, x + 20, 78), fill=dark, width=6)
    if positive:
        pen.rectangle((98, 178, 158, 196), fill=CLOSED, outline=(130, 40, 40), width=5)
    elif expressive:
        pen.chord((90, 150, 166, 206), 0, 180, fill=(130, 40, 40))
    else:
        pen.line((98, 185, 158, 185), fill=(130, 40, 40), width=6)


def _draw_expression(
    pen: ImageDraw.ImageDraw, skin: tuple[int, ...], inner: int, outer: int, eye: int, curve: int, gap: int
) -> None:
    """Brows, eyes and mouth of one of seven expressions."""
    dark = tuple(v // 4 for v in skin)
    for x, inward in ((98, 1), (158, -1)):
        pen.ellipse((x - 15, 102 - eye // 2, x + 15, 102 + eye // 2), fill="white")
        pen.ellipse((x - 5, 97, x + 5, 107), fill=dark)
        pen.line((x - 20 * inward, outer, x + 18 * inward, inner), fill=dark, width=6)
    mouth = [(98 + 6 * i, 185 - curve * (abs(i - 5) / 5) ** 2 + curve / 2) for i in range(11)]
    lower = [(x, y + gap * (1 - (abs(i - 5) / 5) ** 2)) for i, (x, y) in enumerate(mouth)]
    pen.polygon(mouth + lower[::-1], fill=OPEN)
    pen.line(mouth, fill=(130, 40, 40), width=6)
    pen.line(lower, fill=(130, 40, 40), width=6)
