"""The short form of the attacks on the cache: kills, damage, crafted files, two commands at once, little room."""

from __future__ import annotations

import pytest

from pipeline.tasks import TASKS

pytestmark = pytest.mark.slow

TASK = next(iter(TASKS))
SHORT = {"kills": 1, "damage": 3, "cards": 3, "pairs": 1, "surroundings": 2}


@pytest.mark.parametrize(
    ("part", "number"), [(part, number) for part, count in SHORT.items() for number in range(count)]
)
def test_nothing_is_believed_lost_or_left_behind(part, number, attacked):
    attacked(part, number)
