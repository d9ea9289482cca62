"""Which of seven expressions a face shows."""

from __future__ import annotations

from pipeline.tasks.task import Task

TASK = Task(
    name="expression",
    kind="classify",
    target="expression",
    outputs=("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    aliases=(
        ("angry", "anger"),
        ("disgusted", "disgust"),
        ("fearful", "fear"),
        ("happy", "happiness"),
        ("joy", "happiness"),
        ("smile", "happiness"),
        ("laugh", "happiness"),
        ("sad", "sadness"),
        ("surprised", "surprise"),
    ),
    subject="seven facial expressions",
    demo="expression",
)
