"""The page: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from pipeline.reporting.cells import Cell
from pipeline.reporting.methods import Method

TEMPLATE = Path(__file__).parent / "template"
SHOWN_PX = 144


@dataclass(frozen=True)
class Face:
    """A face to show, with what is known and what was said of it."""

    uri: str
    truth: str
    probability: str
    note: str


def render(**content: Any) -> str:
    """Fill the template; a name that it lacks is an error, not a gap."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["cell"] = lambda value: isinstance(value, Cell)
    environment.filters["raw"] = Markup
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(style=Markup(style), **content)


def choose_faces(method: Method, count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Faces that a method got wrong, worst first, and a drawing of those it got right, if it can half of them in pain.

    Returns
    -------
    right, wrong : rows of ``method.faces``, at most ``count`` each.
    """
    faces = method.faces.assign(error=lambda faces: (faces["prob"] - faces["label"]).abs()).sort_values("sample_id")
    wrong = faces[faces["error"] >= 0.5].sort_values(["error", "sample_id"], ascending=[False, True])
    right = faces[faces["error"] < 0.5].sample(frac=1, random_state=np.random.default_rng(seed))
    halves = pd.concat([right[right["label"] == label].head(count // 2) for label in (1, 0)])
    right = pd.concat([halves, right.drop(halves.index)]).head(count)
    return right.drop(columns="error"), wrong.drop(columns="error").head(count)


def show_faces(rows: pd.DataFrame, images: np.ndarray, classes: list[str]) -> list[Face]:
    """Faces with their words.

    Parameters
    ----------
    images : uint8, shape (rows, S, S, 3)
    """
    names = [name.replace("_", " ") for name in classes]
    return [
        Face(
            uri=data_uri(image),
            truth=names[row.label] + (", expressive" if row.expressive and not row.label else ""),
            probability=f"{row.prob:.2f}",
            note="" if row.detected else "face not found",
        )
        for row, image in zip(rows.itertuples(), images, strict=True)
    ]


def data_uri(image: np.ndarray) -> str:
    """An RGB picture, uint8 (S, S, 3), as a small JPEG inside a URI."""
    picture = Image.fromarray(image)
    picture.thumbnail((SHOWN_PX * 3 // 2, SHOWN_PX * 3 // 2), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
