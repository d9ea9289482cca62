"""Figures of tasks of points: errors added up over faces, errors drawn on a face, and true shapes against soft ones."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.reporting.cells import signed
from pipeline.reporting.drawing import INK, MUTED, PALETTE, PAPER, STYLE, Picture, picture, plain
from pipeline.reporting.figures import color_of
from pipeline.reporting.methods import Method

LARGEST_PT = 13.0  # diameter of the dot with the largest error
LEAST_PT = 1.5
BELOW = 0.09  # of a face's height, from one line under it to the next
PERCENT, POINT = " %", " point"
NEARER, FARTHER = PALETTE[2], PALETTE[1]
SHAPES_A_ROW = 2


@matplotlib.rc_context(STYLE)
def ced(curves: dict[str, tuple[Method, np.ndarray, np.ndarray]], title: str, areas: dict[str, float]) -> Picture:
    """Share of all faces up to an NME, a line a method: teachers dashed.

    Parameters
    ----------
    curves : by name the method, NME and share, float, each of shape (steps + 1,), the mean over its seeds.
    areas : by name the AUC up to the end of the curve.
    """
    figure = Figure(figsize=(4.4, 3.1 + 0.17 * len(curves)))
    axes = figure.subplots()
    for method, x, y in reversed(list(curves.values())):
        axes.plot(100 * x, 100 * y, color=color_of(method), lw=1.4, ls=(0, (4, 2)) if method.is_teacher else "-")
    axes.set(title=title, xlabel="NME, %", ylabel="Share of all faces, %", xlim=(0, 100 * x[-1]), ylim=(0, 101))
    axes.grid()
    axes.set_axisbelow(True)
    for place, (name, (method, _, _)) in enumerate(curves.items()):
        text = f"{'╌' if method.is_teacher else '—'} {name}  AUC {100 * areas[name]:.1f}"
        under = {"xycoords": "axes fraction", "textcoords": "offset points", "size": 8}
        axes.annotate(text, (0, 0), (0, -44 - 12 * place), color=color_of(method), **under)
    spoken = "; ".join(f"{name} AUC {100 * area:.1f}" for name, area in areas.items())
    return picture(figure, f"ced-{plain(title)}", f"Share of faces up to an error, {title}: {spoken}")


@matplotlib.rc_context(STYLE)
def errors(shape: np.ndarray, nme: np.ndarray, method: Method) -> Picture:
    """The NME of every point of a method as the size of its dot on the mean true face.

    Parameters
    ----------
    shape : float, shape (K, 2), y downwards.
    nme : float, shape (K,), shares.
    """
    figure, axes = _face(shape, method.title)
    largest = float(nme.max())
    axes.scatter(*shape.T, s=_areas(nme, largest), color=color_of(method), alpha=0.75, lw=0)
    size = _round_below(largest)
    _sizes(axes, shape, [size / 2, size], largest, color_of(method))
    spoken = f"from {100 * nme.min():.1f} to {100 * largest:.1f} percent"
    return picture(figure, "errors-of-points", f"NME of every point on a mean face, {method.title}: {spoken}")


@matplotlib.rc_context(STYLE)
def difference(shape: np.ndarray, change: np.ndarray, untaught: Method) -> Picture:
    """What a teacher changes in the NME of every point: filled where points come nearer to the truth, else hollow.

    Parameters
    ----------
    shape : float, shape (K, 2), y downwards.
    change : float, shape (K,), taught minus untaught, shares.
    """
    figure, axes = _face(shape, f"Against {untaught.title}")
    largest = float(np.abs(change).max())
    for inside, color, fill in ((change < 0, NEARER, NEARER), (change >= 0, FARTHER, PAPER)):
        style = {"edgecolors": color, "facecolors": fill, "alpha": 0.75, "linewidths": 1}
        axes.scatter(*shape[inside].T, s=_areas(np.abs(change[inside]), largest), **style)
    size = _round_below(largest)
    _sizes(axes, shape, [size / 2, size], largest, MUTED, POINT)
    middle, bottom, step = _under(shape)
    axes.text(middle, bottom + 1.5 * step, "● nearer to the truth", color=NEARER, size=8, ha="center", va="center")
    axes.text(middle, bottom + 2.4 * step, "○ farther from it", color=FARTHER, size=8, ha="center", va="center")
    spoken = f"from {signed(change.min())} to {signed(change.max())} points, {int((change < 0).sum())} come nearer"
    return picture(figure, "change-of-points", f"Change of the NME of {len(change)} points on a mean face: {spoken}")


@matplotlib.rc_context(STYLE)
def soft(true: np.ndarray, smoothed: np.ndarray, teacher: Method) -> Picture:
    """Some true shapes, hollow, and what the shape model makes of them, filled.

    Parameters
    ----------
    true, smoothed : float, shape (N, K, 2), y downwards.
    """
    rows = -(-len(true) // SHAPES_A_ROW)
    figure, color = Figure(figsize=(4.4, 2.2 * rows)), color_of(teacher)
    panels = figure.subplots(rows, SHAPES_A_ROW, squeeze=False).ravel()
    for axes, hard, mild in zip(panels, true, smoothed, strict=False):
        axes.plot(*np.stack([hard, mild], axis=1).transpose(2, 1, 0), color=color, lw=0.8)
        axes.plot(*hard.T, "o", color=INK, mfc="none", ms=3.4, mew=0.6)
        axes.plot(*mild.T, "o", color=color, ms=2.2, mew=0)
    for axes in panels:
        _bare(axes)
    spoken = f"True and soft points of {len(true)} faces, {teacher.title}"
    return picture(figure, f"soft-points-{plain(teacher.teacher)}", spoken)


def _face(shape: np.ndarray, title: str) -> tuple[Figure, Axes]:
    """A panel for a face, its y axis downwards, with room for three lines under it."""
    figure = Figure(figsize=(3.3, 4.1))
    axes = figure.subplots()
    axes.set_title(title)
    _bare(axes)
    _, bottom, step = _under(shape)
    axes.set_ylim(bottom + 3 * step, shape[:, 1].min() - step)
    return figure, axes


def _bare(axes: Axes) -> None:
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")
    axes.margins(0.08)


def _areas(values: np.ndarray, largest: float) -> np.ndarray:
    """Areas of dots, points squared, whose diameters rise with values."""
    return np.maximum(LEAST_PT, LARGEST_PT * np.asarray(values) / (largest or 1.0)) ** 2


def _round_below(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that a share does not exceed."""
    power = 10.0 ** np.floor(np.log10(value)) if value > 0 else 1.0
    return float(max(step * power for step in (1, 2, 5) if step * power <= value or step == 1))


def _under(shape: np.ndarray) -> tuple[float, float, float]:
    """The middle of a face, where the first line under it is, and how far the next."""
    height = float(np.ptp(shape[:, 1]))
    return float(shape[:, 0].mean()), float(shape[:, 1].max()) + 1.3 * BELOW * height, BELOW * height


def _sizes(axes: Axes, shape: np.ndarray, sizes: list[float], largest: float, color: str, unit: str = PERCENT) -> None:
    """Dots under the face that say what a size means."""
    middle, bottom, _ = _under(shape)
    width = float(np.ptp(shape[:, 0]))
    for place, size in zip(middle + width * np.array([-0.35, 0.1]), sizes, strict=True):
        axes.scatter(place, bottom, s=_areas(size, largest), color=color, alpha=0.75, lw=0)
        text = f"{100 * size:g}{unit}" + "s" * (unit == POINT and not np.isclose(size, 0.01))
        axes.text(place + 0.06 * width, bottom, text, color=MUTED, size=8, va="center")
