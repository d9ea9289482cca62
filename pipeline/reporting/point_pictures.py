"""Faces with their true and their predicted points drawn over them: each an SVG that holds its picture."""

from __future__ import annotations

import base64

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.evaluation.metrics import points
from pipeline.evaluation.question import Question
from pipeline.reporting.drawing import INK, PALETTE, PAPER
from pipeline.reporting.material import Material
from pipeline.reporting.methods import tested
from pipeline.reporting.pictures import Shown, data_uri

SIDE = 200.0  # of the drawing, in its own units
MANY = 70  # points; more are drawn smaller
PREDICTED = PALETTE[2]
RIGHT = 0.10  # the largest NME of a face that is no failure, as `fr10` counts them


def examples(material: Material) -> tuple[list[Shown], list[Shown]]:
    """The faces with the largest errors, and a drawing of those within 10%, of the method that did best on validation.

    The answers are those of its first seed: a mean of several would be nearer to the truth than any network is.
    """
    frame = tested(material.favourite.runs[0])
    error = points.sample_nme(points.outcome(frame, Question.of(material.task)))
    return tuple(_show(material, frame, error, rows) for rows in chosen(frame, error, material.config))


def chosen(frame: pd.DataFrame, error: np.ndarray, config) -> tuple[np.ndarray, np.ndarray]:
    """Places of the faces with the largest errors, and of some within 10% that are not among them.

    Parameters
    ----------
    error : float, shape (N,); NaN where no face was found, which is in neither.
    """
    order = np.lexsort((frame["sample_id"], -error))  # NaN comes last
    worst = order[: min(config.examples, int(np.isfinite(error).sum()))]
    right = np.setdiff1d(np.flatnonzero(error <= RIGHT), worst)
    drawn = np.random.default_rng(config.seed).permutation(right)[: config.examples]
    return worst, drawn


def in_shares(pixels: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Points of pictures, float (N, K, 2) in pixels, in shares of the input's side, -0.5 and 0.5 at its edges.

    Parameters
    ----------
    warp : float, shape (N, 2, 3).
    """
    return np.einsum("nij,nkj->nki", warp[:, :, :2], pixels) + warp[:, None, :, 2]


def warps(frame: pd.DataFrame) -> np.ndarray:
    """The way from each picture to its input, float (N, 2, 3), from a table of predictions."""
    return frame[[f"warp_{place}" for place in range(6)]].to_numpy(dtype=float).reshape(-1, 2, 3)


def overlay(image: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> str:
    """A face with its points as an SVG inside a URI: true ones hollow, predicted ones filled, a line between both.

    Parameters
    ----------
    image : uint8, shape (S, S, 3).
    true, predicted : float, shape (K, 2), in shares of the side.
    """
    radius = 1.9 if len(true) <= MANY else 1.5
    rings = "".join(f"M{x - radius:.1f} {y:.1f}{_ring(radius)}" for x, y in _placed(true))
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in _placed(predicted))
    lines = "".join(
        f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" for (x, y), (u, v) in zip(_placed(true), _placed(predicted), strict=True)
    )
    drawn = [
        f'<defs><path id="true" d="{rings}"/><path id="lines" d="{lines}"/><path id="dots" d="{dots}"/></defs>',
        f'<image href="{data_uri(image)}" width="{SIDE:g}" height="{SIDE:g}"/>',
        f'<use href="#true" stroke="{INK}" stroke-width="1.3" opacity=".6"/>',
        f'<use href="#true" stroke="{PAPER}" stroke-width=".7"/>',
        f'<use href="#lines" stroke="{PAPER}" stroke-width="1.1"/>',
        f'<use href="#lines" stroke="{PREDICTED}" stroke-width=".7"/>',
        f'<use href="#dots" stroke="{PAPER}" stroke-width="{1.7 * radius:.1f}"/>',
        f'<use href="#dots" stroke="{PREDICTED}" stroke-width="{1.3 * radius:.1f}"/>',
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE:g} {SIDE:g}" fill="none" stroke-linecap="round">'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode((head + ''.join(drawn) + '</svg>').encode()).decode()}"


def _ring(radius: float) -> str:
    """A circle that begins at its leftmost point."""
    r, d = f"{radius:g}", f"{2 * radius:g}"
    return f"a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0"


def _placed(shares: np.ndarray) -> np.ndarray:
    """Points in units of the drawing."""
    return (shares + 0.5) * SIDE


def _show(material: Material, frame: pd.DataFrame, error: np.ndarray, rows: np.ndarray) -> list[Shown]:
    """Faces with their points and their errors, and the part of the face that errs most."""
    some = frame.iloc[rows]
    outcome = points.outcome(some, Question.of(material.task))
    warp, store = warps(some), arrays.open_inputs(material.inputs)
    images = store["rgb"][store.rows(some["sample_id"])]
    shapes = (in_shares(shape, warp) for shape in (outcome.label, outcome.value))
    parts = pd.DataFrame(points.by_region(outcome, np.eye(len(some))))  # a face a row
    return [
        Shown(overlay(*face), f"NME {100 * nme:.1f} %", (f"{part.idxmax()} {100 * part.max():.1f} %",))
        for *face, nme, (_, part) in zip(images, *shapes, error[rows], parts.iterrows(), strict=True)
    ]
