"""Run the benchmarks: ``python -m tests.benchmarks`` all of them, with names those alone, without writing.

``--quick`` takes less of everything and one round: to see that they run.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from tests.benchmarks import measure, table

NAMES = ("idle", "gather", "align", "labels", "distill", "verification", "online", "bootstrap")


def main() -> None:
    """Run, print the table, and write ``bench.json`` and ``bench.md`` when all were run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="less of everything, one round")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures = []
    for name in asked.names or NAMES:
        start = time.monotonic()
        found = list(importlib.import_module(f"tests.benchmarks.{name}").run(asked.quick))
        figures += found
        print(f"{name}: {len(found)} figures in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    machine = measure.machine()
    print(table.markdown(machine, figures), end="")
    if not (asked.names or asked.quick):
        table.write(table.BENCH, machine, figures)


if __name__ == "__main__":
    main()
