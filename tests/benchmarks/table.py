"""The table of the README from ``bench.json``: ``python -m tests.benchmarks.table [--readme]`` prints or inserts it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.measure import Figure

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench.json"
HEADER = ("stage", "what", "here", "beside it", "ratio", "wanted")
START, END = "<!-- bench: python -m tests.benchmarks.table --readme -->", "<!-- /bench -->"


def write(path: Path, machine: Mapping[str, str], figures: Sequence[Figure]) -> None:
    """Write ``bench.json``, and the table beside it as Markdown."""
    content = {"machine": dict(machine), "figures": [vars(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown(machine, figures), encoding="utf-8")


def read(path: Path) -> tuple[dict[str, str], list[Figure]]:
    """The machine and the figures of a ``bench.json``."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["machine"], [Figure(**figure) for figure in content["figures"]]


def markdown(machine: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """The table, and a line about the machine."""
    lines = [_row(HEADER), _row(["---"] * len(HEADER)), *(_row(_cells(figure)) for figure in figures)]
    told = ", ".join(f"{name} {value}" for name, value in machine.items())
    return "\n".join([*lines, "", f"Measured on: {told}.", ""])


def insert(readme: str, table: str) -> str:
    """The README with the table between its marks.

    Raises
    ------
    ValueError : the marks are missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"The README lacks the marks {START} and {END}")
    return f"{before}{START}\n{table}{END}{after}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(figure: Figure) -> list[str]:
    beside = "–" if figure.other is None else f"{number(figure.other)}, {figure.against}"
    wanted = figure.wanted and f"{figure.wanted} {'✓' if figure.reached else '✗'}"
    ratio = "–" if figure.ratio is None else f"{figure.ratio:.2f}×"
    return [figure.stage, figure.what, f"{number(figure.ours)} {figure.unit}", beside, ratio, wanted or "–"]


def number(value: float) -> str:
    """A value with three significant digits and thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def main() -> None:
    """Print the table of ``bench.json``, or put it into the README."""
    table = markdown(*read(BENCH))
    if "--readme" not in sys.argv[1:]:
        print(table, end="")
        return
    readme = ROOT / "README.md"
    readme.write_text(insert(readme.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
