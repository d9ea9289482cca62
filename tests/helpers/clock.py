"""Every evaluation measures for half a second how long its network takes; tests do not ask how exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MOST_S = 0.01


@contextmanager
def hurried() -> Iterator[None]:
    """Let latencies be measured for hundredths of a second."""
    from torch.utils.benchmark import Timer

    measure = Timer.blocked_autorange

    def briefly(timer: Timer, min_run_time: float):
        return measure(timer, min_run_time=min(min_run_time, MOST_S))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Timer, "blocked_autorange", briefly)
        yield
