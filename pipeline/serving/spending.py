"""Where the time of predictions goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Spent:
    """Where the time of videos went: frames, and seconds by what they were spent on."""

    frames: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=perf_counter)

    def told(self, more: Mapping[str, float]) -> str:
        """One line: frames, frames a second, and milliseconds of a frame by what they were spent on."""
        seconds, frames = perf_counter() - self.began, max(1, self.frames)
        parts = ", ".join(f"{name} {1000 * part / frames:.1f}" for name, part in {**self.seconds, **more}.items())
        rate = self.frames / seconds
        return f"{self.frames} frames of videos in {seconds:.1f} s, {rate:.1f} a second; ms a frame: {parts}"


@contextmanager
def spent_on(what: str, seconds: Counter[str]) -> Iterator[None]:
    """Add the seconds that a block takes to those that were spent on something."""
    began = perf_counter()
    yield
    seconds[what] += perf_counter() - began
