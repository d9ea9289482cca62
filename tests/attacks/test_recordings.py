"""The short form of the attacks on a task of signals: recordings, tables, the windows made of them, kills."""

from __future__ import annotations

import pytest

from pipeline.tasks import TASKS

pytestmark = pytest.mark.slow

TASK = next(name for name, task in TASKS.items() if task.prepare == "window")
SHORT = {"inputs": 2, "options": 1, "kills": 1, "damage": 1, "cards": 1}


@pytest.mark.parametrize(
    ("part", "number"), [(part, number) for part, count in SHORT.items() for number in range(count)]
)
def test_a_recording_is_used_or_named_and_its_windows_are_never_lost(part, number, attacked):
    attacked(part, number)
