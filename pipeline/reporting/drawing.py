"""How a figure becomes part of the page and a file.

It is drawn once and saved twice: as PNG on white, and as SVG whose colours are CSS variables, so that it follows the
page into dark mode. Neither holds a date, a version or a random id: the same data give the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

# Hues of Okabe & Ito, darkened for text on white. The page repeats them as --c0 … --c6, with lighter ones for the dark.
PALETTE = ("#6e6e6e", "#c14f0b", "#0069a8", "#00805e", "#9d4a80", "#7d6300", "#a3262e")
INK, MUTED, RULE, PAPER = "#1c1c1a", "#66665f", "#dcdcd6", "#ffffff"
VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}
VARIABLES |= {color: f"--c{number}" for number, color in enumerate(PALETTE)}
MAGNIFIED = 1.3  # no larger than this in the page: letters would grow with it
STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine; the page sets its own
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "paindistill",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Picture:
    """A figure ready for the page and for a paper."""

    name: str
    alt: str
    svg: str
    png: bytes

    def save(self, folder: Path) -> None:
        """Write ``<name>.png``."""
        (folder / f"{self.name}.png").write_bytes(self.png)


def picture(figure: Figure, name: str, alt: str) -> Picture:
    """Save a figure both ways, with nothing in the files that changes from day to day."""
    text, png = io.StringIO(), io.BytesIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    figure.set_layout_engine("none")  # it is laid out; doing it again takes as long as drawing
    figure.savefig(png, format="png", dpi=200, facecolor=PAPER, metadata={"Software": None})
    return Picture(name, alt, inline_svg(text.getvalue(), name, alt), png.getvalue())


def inline_svg(svg: str, name: str, alt: str) -> str:
    """An SVG made fit to stand in a page: no prologue, ids of its own, colours as CSS variables."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", body)
    head, body = body.split(">", 1)
    width_px = float(re.search(r'width="([\d.]+)pt"', head)[1]) * 4 / 3
    head = re.sub(r' (width|height)="[\d.]+pt"', "", head)
    label = html.escape(alt, quote=True)
    body = f'{head} role="img" aria-label="{label}" style="max-width: {MAGNIFIED * width_px:.0f}px">{body}'
    for color, variable in VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    return body


def plain(name: str) -> str:
    """A name fit for files and for ids in the page."""
    return re.sub(r"[^a-z0-9-]+", "_", name.lower())
