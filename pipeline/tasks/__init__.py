"""What is recognised: one file for each task, each a frozen ``Task``."""

from pipeline.tasks.pain import PAIN
from pipeline.tasks.task import Task

__all__ = ["PAIN", "Task"]
