"""Pain or no pain from the picture of a face."""

from __future__ import annotations

from pipeline.tasks.task import Task

TASK = Task(
    name="pain",
    kind="classify",
    target="pain",
    outputs=("no_pain", "pain"),
    positive="pain",
    hard_negatives="expressive",
    subject="the facial expression of pain",
    demo="pain",
)
