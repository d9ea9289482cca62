"""The short form of the attacks on what a user gives: pictures, tables, options."""

from __future__ import annotations

import pytest

from pipeline.tasks import TASKS

TASK = [name for name, task in TASKS.items() if task.prepare == "align"][-1]
SHORT = {"inputs": 3, "options": 2}


@pytest.mark.parametrize(
    ("part", "number"), [(part, number) for part, count in SHORT.items() for number in range(count)]
)
def test_what_is_given_is_used_or_named(part, number, attacked):
    attacked(part, number)
