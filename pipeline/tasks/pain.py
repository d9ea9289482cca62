"""Pain or no pain from the picture of a face."""

from __future__ import annotations

from pipeline.tasks.task import Task

TASK = Task(
    name="pain",
    kind="classify",
    target="pain",
    outputs=("no_pain", "pain"),
    aliases=(
        ("non_pain", "no_pain"),
        ("not_pain", "no_pain"),
        ("not_in_pain", "no_pain"),
        ("painless", "no_pain"),
        ("neutral", "no_pain"),
        ("none", "no_pain"),
        ("0", "no_pain"),
        ("painful", "pain"),
        ("in_pain", "pain"),
        ("1", "pain"),
    ),
    positive="pain",
    hard_negatives="expressive",
    subject="the facial expression of pain",
    demo="pain",
)
