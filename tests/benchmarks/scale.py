"""Every stage over many faces: time for each face beside a run of 1,000, and the peak memory of all its processes.

``python -m tests.benchmarks.scale --n 100000`` runs the commands themselves with the smoke preset's networks, over
copies of the demo set's pictures (640 x 360 pixels, two faces each) under names of other subjects. 100,000 faces take
half an hour or more on two cores, most of it to align, and 22 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.config import DEMO_DATA, REPOSITORY
from tests.benchmarks import measure, pictures, table
from tests.benchmarks.measure import Figure

FEW, MOST_MB = 1000, 3000
ONE_STUDENT = ("--teacher", "resnet", "--views", "1", "--seed", "0", "--epochs", "1")
COMMANDS = {  # by the folder that each makes
    "samples": ("index",),
    "split": ("split",),
    "inputs": ("align",),
    "teacher": ("teacher", "--teacher", "resnet", "--epochs", "1"),
    "labels": ("teacher-labels", "--teacher", "resnet", "--views", "1", "--teacher-epochs", "1"),
    "student": ("distill", *ONE_STUDENT, "--teacher-epochs", "1"),
}
EVERY_S = 0.2


class Watch(threading.Thread):
    """The peak memory in MB of a process and all that it started."""

    def __init__(self, process: int):
        super().__init__(daemon=True)
        self.peak = {"pss": 0.0, "anonymous": 0.0}
        self._process, self._end = process, threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._end.wait(EVERY_S):
            found = [memory for number in _tree(self._process) if (memory := _memory(number))]
            for name, peak in self.peak.items():
                self.peak[name] = max(peak, sum(memory[name] for memory in found))

    def stop(self) -> dict[str, float]:
        """The peak."""
        self._end.set()
        self.join()
        return self.peak


def _tree(process: int) -> Iterator[int]:
    yield process
    try:
        children = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:  # it ended meanwhile
        return
    for child in chain(*children):
        yield from _tree(int(child))


def _memory(process: int) -> dict[str, float] | None:
    try:
        return measure.memory_mb(str(process))
    except OSError:
        return None


def stages(faces: int, folder: Path) -> dict[str, dict[str, float]]:
    """Run every stage over so many faces; for each its microseconds a face and its peak memory in MB."""
    data = pictures.multiplied(DEMO_DATA, folder / "pictures", faces // 2)
    cache, measured = folder / "cache", {}
    for slug, arguments in COMMANDS.items():
        command = [sys.executable, "-m", "stages", "--quiet", *arguments, "--preset", "smoke", "--data", str(data)]
        process = subprocess.Popen([*command, "--cache", str(cache)], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        watch = Watch(process.pid)
        watch.start()
        code, peak = process.wait(), watch.stop()
        if code:
            sys.exit(f"{' '.join(command)} ended with status {code}")
        (record,) = cache.glob(f"*/{slug}-*/record.json")
        seconds = json.loads(record.read_text(encoding="utf-8"))["duration_s"]
        measured[arguments[0]] = {"ms": 1e3 * seconds / faces, **peak}
        print(f"{faces:,} faces, {arguments[0]}: {seconds:.0f} s, {peak['pss']:,.0f} MB", file=sys.stderr, flush=True)
    return measured


def run(faces: int) -> Iterator[Figure]:
    """Time and memory of each stage; the few before and after the many, since machines change their speed."""
    measured = []
    for count in (FEW, faces, FEW):
        with TemporaryDirectory(dir=pictures.scratch()) as folder:
            measured.append(stages(count, Path(folder)))
    before, many, after = measured
    few = {name: {kind: (before[name][kind] + after[name][kind]) / 2 for kind in before[name]} for name in before}
    for name, found in many.items():
        ratio, against = few[name]["ms"] / found["ms"], f"{FEW:,} faces"
        yield Figure(name, "time", found["ms"], "ms/face", few[name]["ms"], against, ratio, "≥ 0.9×", ratio >= 0.9)
        for kind, what in (("pss", "peak memory, mapped files included"), ("anonymous", "peak memory of its own")):
            reached = found[kind] <= MOST_MB
            ratio = few[name][kind] / found[kind]
            yield Figure(name, what, found[kind], "MB", few[name][kind], against, ratio, f"≤ {MOST_MB:,} MB", reached)


def main() -> None:
    """Run, print the table, and write it to ``bench-scale.json`` and ``bench-scale.md``."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="faces, an even number  [default: 100000]")
    asked = parser.parse_args()
    figures, machine = list(run(asked.n)), measure.machine() | {"faces": f"{asked.n:,}"}
    print(table.markdown(machine, figures), end="")
    table.write(REPOSITORY / "bench-scale.json", machine, figures)


if __name__ == "__main__":
    main()
