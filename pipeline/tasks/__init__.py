"""What is asked: one file for each task, each with a frozen ``Task`` named ``TASK``."""

from __future__ import annotations

import importlib
import pkgutil

from pipeline.errors import ConfigError
from pipeline.tasks.task import Task

_NOT_TASKS = {"task", "objective"}


def _all() -> dict[str, Task]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_TASKS)
    tasks = [importlib.import_module(f"{__name__}.{name}").TASK for name in names]
    return {task.name: task for task in tasks}


TASKS = _all()
DEFAULT = "pain"  # the task where none is named
PAIN = TASKS[DEFAULT]


def find(name: str, levels: str | None = None, labels: str | None = None) -> Task:
    """The task of a name, about some of its levels, or other labels, where a text says which.

    Raises
    ------
    ConfigError : there is none, or its levels are others, or it has no levels or labels.
    """
    if name not in TASKS:
        raise ConfigError(
            f"TASK={name} is no task: there are {', '.join(TASKS)}. Choose one, or add a file to pipeline/tasks/"
        )
    task = TASKS[name] if levels is None else TASKS[name].grouped(levels)
    return task if labels is None else task.labelled(labels)


__all__ = ["DEFAULT", "PAIN", "TASKS", "Task", "find"]
