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

SMALL = "NME"  # what titles of errors of a few percent begin with: one decimal would hide what parts them
SHARE = Metric("", "", "")  # any metric that is read in percent and better when higher


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


def percent(estimate: Estimate, spread: float = float("nan"), digits: int = 1) -> Cell:
    """An estimate of a share, in percent, with one decimal unless more are asked for."""
    if np.isnan(estimate.value):
        return Cell("—")
    value, low, high = (minus(f"{100 * x:.{digits}f}") for x in (estimate.value, estimate.low, estimate.high))
    interval = "" if np.isnan(estimate.low) else f"{low}–{high}" if estimate.low >= 0 else f"{low} to {high}"
    return Cell(value, interval, "" if np.isnan(spread) else f"±{100 * spread:.{digits}f}")


def figure(estimate: Estimate, spread: float = float("nan")) -> Cell:
    """An estimate of a figure that is no share, with its interval."""
    if np.isnan(estimate.value):
        return Cell("—")
    interval = "" if np.isnan(estimate.low) else f"{number(estimate.low)} to {number(estimate.high)}"
    return Cell(number(estimate.value), interval, "" if np.isnan(spread) else f"±{number(spread)}")


def measured(metric: Metric, estimate: Estimate, spread: float = float("nan")) -> Cell:
    """An estimate of a metric, in percent where it is a share."""
    return percent(estimate, spread, digits(metric)) if metric.percent else figure(estimate, spread)


def digits(metric: Metric) -> int:
    """Decimals of a share in percent."""
    return 2 if metric.title.startswith(SMALL) else 1


def factor(metric: Metric) -> int:
    """What a value is multiplied by to be drawn or written: shares are read in percent."""
    return 100 if metric.percent else 1


def bare(metric: Metric, value: float) -> str:
    """A value as it stands in figures: ``94.5`` of a share, ``0.712`` of another metric."""
    if np.isnan(value):
        return "—"
    return minus(f"{100 * value:.{digits(metric)}f}") if metric.percent else number(value)


def valued(metric: Metric, value: float) -> str:
    """A value in a sentence: ``94.5%`` or ``0.712``."""
    return f"{bare(metric, value)}%" if metric.percent else bare(metric, value)


def apart(metric: Metric, difference: float) -> str:
    """A difference without a unit, with a true minus; what rounds to nothing has no sign."""
    text = f"{100 * difference:.{digits(metric)}f}" if metric.percent else f"{difference:.3f}"
    return minus(text) if float(text) else text.removeprefix("-")


def amount(metric: Metric, difference: float) -> str:
    """The size of a difference in a sentence: ``1.2 points`` of a share, ``0.062 CCC``."""
    return f"{apart(metric, difference)} {_scale(metric)}"


def amounts(metric: Metric, differences: Sequence[float]) -> str:
    """Several sizes: ``1.2 and 0.4 points``."""
    return f"{joined([apart(metric, difference) for difference in differences])} {_scale(metric)}"


def signed(difference: float, metric: Metric = SHARE) -> str:
    """A difference with its sign: percentage points of a share, else on the metric's own scale."""
    text = f"{100 * difference:+.{digits(metric)}f}" if metric.percent else f"{difference:+.3f}"
    return minus(text) if float(text) else text[1:]


def points(estimate: Estimate, metric: Metric = SHARE) -> Cell:
    """A difference with its sign and its interval, as `signed` writes them."""
    if np.isnan(estimate.value):
        return Cell("—")
    return Cell(signed(estimate.value, metric), "" if np.isnan(estimate.low) else between(estimate, metric))


def between(estimate: Estimate, metric: Metric = SHARE) -> str:
    """The ends of a difference's interval, with their signs."""
    return f"{signed(estimate.low, metric)} to {signed(estimate.high, metric)}"


def in_points(metric: Metric, text: str = " in percentage points") -> str:
    """What is said of the unit of differences, where they are percentage points; else nothing."""
    return text if metric.percent else ""


def axis(metric: Metric) -> str:
    """A metric as an axis names it."""
    return f"{metric.title}, %" if metric.percent else metric.title


def direction(metric: Metric) -> str:
    """What is said beside an error: `` (lower is better)``; else nothing."""
    return " (lower is better)" if metric.lower_is_better else ""


def improvement(metric: Metric) -> int:
    """What turns a difference into how much better it is: 1, and −1 of an error."""
    return -1 if metric.lower_is_better else 1


def minus(text: str) -> str:
    """A number as text with a true minus."""
    return text.replace("-", "−")


def number(value: float) -> str:
    """A number with three decimals, less where it is large, and a true minus."""
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return minus(text) if float(text) else text.removeprefix("-")


def _scale(metric: Metric) -> str:
    """What differences of a metric are counted in."""
    return "points" if metric.percent else lowered(metric.title)


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
