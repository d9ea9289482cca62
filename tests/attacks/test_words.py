"""The short form of the attacks on what a user gives: pictures, tables, options."""

from __future__ import annotations

import pytest

from pipeline.tasks import TASKS

pytestmark = pytest.mark.slow

TASK = [name for name, task in TASKS.items() if task.prepare == "align"][-1]
SHORT = {"inputs": (0, 1, 6), "options": (0, 1)}  # of inputs a table, what is predicted, and pictures


@pytest.mark.parametrize(("part", "number"), [(part, number) for part, numbers in SHORT.items() for number in numbers])
def test_what_is_given_is_used_or_named(part, number, attacked):
    attacked(part, number)
