"""What this machine computes with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
VNNI = {"avx512_vnni", "avx_vnni"}  # instructions that add products of 8 bits without overflow


def name() -> str:
    """The processor's name as the system gives it."""
    return _first("model name") or platform.processor() or platform.machine()


def has_vnni() -> bool:
    """Whether it says that it adds products of 8 bits without overflow; other processors than x86's say nothing."""
    return bool(VNNI & set(_first("flags").split()))


def busy() -> str:
    """That other processes had work for it in the last minute, with the load; empty where it was quiet."""
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load <= cores + 0.5:
        return ""
    return f"The machine was busy, with a load of {load:.1f} on {cores} cores: it is faster than these latencies say."


def _first(key: str) -> str:
    """The first value of a key in what Linux tells of its processors; empty where there is none."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")
