"""Pain or no pain from the picture of a face."""

from __future__ import annotations

from pipeline.tasks.task import Task

PAIN = Task(name="pain", kind="classify", classes=("no_pain", "pain"))
