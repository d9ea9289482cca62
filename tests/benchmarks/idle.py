"""What commands take when there is nothing to do: help, a fresh report, and the status of a thousand artifacts,
of one split and of many folds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Node, topological
from pipeline.config import NO_TEACHER, REPOSITORY
from pipeline.presets import Preset
from stages.folds import Folds
from stages.graph import Graph, Selection, all_stages
from stages.options import store_for
from tests.benchmarks import pictures
from tests.benchmarks.measure import Figure, Way, interleaved
from tests.helpers.presets import DEMO

ARTIFACTS = 1000


def finished(cache: Path, preset: Preset = DEMO) -> list[Node]:
    """Fill a cache with all that a report of the demo set needs: whole artifacts by their records, with empty files."""

    def run(config, work, **inputs) -> dict:
        (work.path / "made").write_text("")
        return {"counts": {}, "skipped": []}

    stages = {
        name: SimpleNamespace(VERSION=module.VERSION, INPUTS=module.INPUTS, run=run)
        for name, module in all_stages().items()
    }
    store = store_for(preset, cache)
    graph = Graph(preset, RawData(Path(preset.data), store.root / ".hashes.json"), store.root / ".weights.json", stages)
    chosen = Selection(
        teachers=(*preset.teachers, NO_TEACHER),
        **{name: getattr(preset, name) for name in ("students", "seeds", "losses", "views", "folds", "labelled")},
    )
    report = Folds(graph, max(1, int(preset.split.cv))).report(chosen)
    store.build(report)
    return topological([report])


def run(quick: bool) -> Iterator[Figure]:
    """Seconds from start to end of whole commands."""
    rounds = 1 if quick else 5
    with TemporaryDirectory(dir=pictures.scratch()) as scratch:
        small, large, crossed = (Path(scratch) / name for name in ("small", "large", "crossed"))
        finished(small)
        folds = 3 if quick else 24
        every = len(finished(crossed, DEMO.changed({"split": {"cv": str(folds)}})))
        seeds = tuple(range(5 if quick else 100))
        count = len(finished(large, replace(DEMO, seeds=seeds)))
        named = ("--seed", ",".join(map(str, seeds)))
        ways = {
            "paindistill --help": _command("--help"),
            "report, all fresh": _command("report", "--cache", small),
            "make report, all fresh": _make("report", f"CACHE={small}"),
            f"status of {count} artifacts": _command("status", "--cache", large, *named),
            f"report over {count} artifacts, all fresh": _command("report", "--cache", large, *named),
            f"status of {folds} folds, {every} artifacts": _command("status", "--cache", crossed, "--cv", folds),
            f"report over {folds} folds, all fresh": _command("report", "--cache", crossed, "--cv", folds),
            "import torch": _python("-c", "import torch"),
        }
        rates = interleaved(ways, rounds)
    most = dict(zip(ways, (0.3, 1.5, 1.5, 1.0), strict=False))
    for name in list(ways)[:-1]:
        seconds = 1 / sorted(rates[name])[rounds // 2]
        torch = 1 / sorted(rates["import torch"])[rounds // 2]
        limit = most.get(name)
        reached = None if limit is None else seconds <= limit
        wanted = "" if limit is None else f"≤ {limit:g} s"
        yield Figure("nothing to do", name, seconds, "s", torch, "import torch alone", torch / seconds, wanted, reached)


def _command(*arguments: object) -> Way:
    return _python("-m", "stages", *arguments)


def _make(target: str, *variables: str) -> Way:
    return _call("make", "--no-print-directory", target, f"PYTHON={sys.executable}", *variables)


def _python(*arguments: object) -> Way:
    return _call(sys.executable, *arguments)


def _call(*command: object) -> Way:
    def way() -> int:
        subprocess.run(list(map(str, command)), cwd=REPOSITORY, check=True, capture_output=True)
        return 1

    return way
