"""Two ways of doing one thing, timed in turn, and the figures that come of it."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Does its work and says how many things it did; where not all of its time counts, also in how many seconds.
Way = Callable[[], int | tuple[int, float]]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    stage : what was measured.
    what : of it, in the words of the table.
    ours, other : both ways' medians, in ``unit``; ``other`` is None where a figure stands alone.
    against : the other way.
    ratio : how many times better ours is, the median over the rounds; None where a figure stands alone.
    wanted : what the ratio, or ``ours``, is to reach; empty where it is only told.
    reached : whether it does; None where nothing is wanted.
    """

    stage: str
    what: str
    ours: float
    unit: str
    other: float | None = None
    against: str = ""
    ratio: float | None = None
    wanted: str = ""
    reached: bool | None = None


def interleaved(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Things a second of each way and round, the ways in turn, after one run of each that does not count."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            done = way()
            count, seconds = done if isinstance(done, tuple) else (done, time.perf_counter() - start)
            if number:
                rates[name].append(count / seconds)
    return rates


def compare(
    stage: str, what: str, ours: Way, other: Way, against: str, unit: str, rounds: int, least: float | None = None
) -> Figure:
    """Time two ways in turn.

    Parameters
    ----------
    least : the ratio that is wanted.
    """
    return figure(stage, what, interleaved({"ours": ours, "other": other}, rounds), against, unit, least)


def figure(
    stage: str, what: str, rates: Mapping[str, list[float]], against: str, unit: str, least: float | None = None
) -> Figure:
    """The figure of what ``interleaved`` gave for two ways, ours first."""
    ours, other = rates.values()
    ratio = statistics.median(a / b for a, b in zip(ours, other, strict=True))
    return Figure(
        stage,
        what,
        statistics.median(ours),
        unit,
        statistics.median(other),
        against,
        ratio,
        "" if least is None else f"≥ {least:g}×",
        None if least is None else ratio >= least,
    )


def alone(stage: str, what: str, value: float, unit: str, most: float | None = None, least: float | None = None):
    """A figure that stands by itself, and the bound that it is to keep."""
    if most is not None:
        return Figure(stage, what, value, unit, wanted=f"≤ {most:g}", reached=value <= most)
    if least is not None:
        return Figure(stage, what, value, unit, wanted=f"≥ {least:g}", reached=value >= least)
    return Figure(stage, what, value, unit)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    import torch

    from pipeline.compute import devices

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "bfloat16": "in hardware" if devices.arithmetic("cpu", "auto") == "bfloat16" else "emulated",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def _processor() -> str:
    """The processor's name, its family and model: virtual machines have names without a number."""
    told: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    name = told.get("model name", platform.processor())
    return f"{name} (family {told['cpu family']}, model {told['model']})" if "cpu family" in told else name


def memory_mb(process: str = "self") -> dict[str, float]:
    """Memory of a process in MB: ``anonymous``, which is its own, and ``pss``, with its share of mapped files."""
    found = dict.fromkeys(("Pss", "Pss_Anon", "Pss_Shmem"), 0)
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0])
    return {"pss": found["Pss"] / 1e3, "anonymous": (found["Pss_Anon"] + found["Pss_Shmem"]) / 1e3}
