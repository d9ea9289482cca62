"""A table and what stands in its cells: on the page, in LaTeX, and as numbers in CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts.arrays import write_table
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics.weighted import Metric


@dataclass(frozen=True)
class Cell:
    """An estimate as text: the value, its interval, and its spread over seeds."""

    value: str
    interval: str = ""
    spread: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.value, self.interval and f"[{self.interval}]", self.spread) if part)


@dataclass(frozen=True)
class Table:
    """A table for the eye (strings and cells) and its numbers.

    Parameters
    ----------
    shown : what the page and LaTeX print.
    numbers : what the CSV file holds.
    """

    name: str
    caption: str
    shown: pd.DataFrame
    numbers: pd.DataFrame

    def save(self, folder: Path) -> None:
        """Write ``<name>.csv`` and ``<name>.tex`` (for the LaTeX package booktabs)."""
        write_table(folder / f"{self.name}.csv", self.numbers)
        columns = "l" + "r" * (self.shown.shape[1] - 1)
        text = self.shown.map(str).map(_latex)
        text.columns = [_latex(name) for name in text.columns]
        tex = text.to_latex(
            index=False, escape=False, caption=_latex(self.caption), label=f"tab:{self.name}", column_format=columns
        )
        (folder / f"{self.name}.tex").write_text(tex, encoding="utf-8")


def words(name: Any) -> str:
    """An identifier as words."""
    return str(name).replace("_", " ")


def capital(text: str) -> str:
    """A text with a capital first letter; an abbreviation stays as it is."""
    return text[:1].upper() + text[1:]


def lowered(title: str) -> str:
    """A title inside a sentence: an abbreviation stays as it is."""
    return title[0].lower() + title[1:] if title[1:2].islower() else title


def joined(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def short(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def percent(estimate: Estimate, spread: float = float("nan")) -> Cell:
    """An estimate of a share, in percent with one decimal."""
    if np.isnan(estimate.value):
        return Cell("—")
    value, low, high = (f"{100 * x:.1f}".replace("-", "−") for x in (estimate.value, estimate.low, estimate.high))
    interval = "" if np.isnan(estimate.low) else f"{low}–{high}" if estimate.low >= 0 else f"{low} to {high}"
    return Cell(value, interval, "" if np.isnan(spread) else f"±{100 * spread:.1f}")


def figure(estimate: Estimate, spread: float = float("nan")) -> Cell:
    """An estimate of a figure that is no share, with its interval."""
    if np.isnan(estimate.value):
        return Cell("—")
    interval = "" if np.isnan(estimate.low) else f"{number(estimate.low)} to {number(estimate.high)}"
    return Cell(number(estimate.value), interval, "" if np.isnan(spread) else f"±{number(spread)}")


def measured(metric: Metric, estimate: Estimate, spread: float = float("nan")) -> Cell:
    """An estimate of a metric, in percent where it is a share."""
    return percent(estimate, spread) if metric.percent else figure(estimate, spread)


def number(value: float) -> str:
    """A number with three decimals, less where it is large, and a true minus."""
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace("-", "−")


def points(estimate: Estimate) -> Cell:
    """A difference in percentage points with its sign."""
    interval = "" if np.isnan(estimate.low) else f"{signed(estimate.low)} to {signed(estimate.high)}"
    return Cell(signed(estimate.value), interval)


def signed(value: float) -> str:
    """A share as signed percentage points with a true minus."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def probability(value: float) -> str:
    """A p-value with three decimals; a dash where there is none."""
    if np.isnan(value):
        return "—"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


_LATEX = {
    "\\": r"\textbackslash{}",
    "\u00a0": "~",
    "←": r"$\leftarrow$",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
    "—": "---",
    "<": r"\ensuremath{<}",
}
_LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}


def _latex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(_LATEX.get(character, character) for character in str(text))
