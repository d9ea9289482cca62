"""What is asked: one file for each task, each with a frozen ``Task`` named ``TASK``."""

from __future__ import annotations

import importlib
import pkgutil

from pipeline.errors import ConfigError
from pipeline.tasks.task import Task

_NOT_TASKS = {"task", "objective", "schemes"}


def _all() -> dict[str, Task]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_TASKS)
    tasks = [importlib.import_module(f"{__name__}.{name}").TASK for name in names]
    return {task.name: task for task in tasks}


TASKS = _all()
DEFAULT = "pain"  # the task where none is named
PAIN = TASKS[DEFAULT]


def find(
    name: str,
    levels: str | None = None,
    labels: str | None = None,
    target: str | None = None,
    bounds: str | None = None,
    points: int | None = None,
) -> Task:
    """The task of a name, about some of its levels, other labels, another number or other points, where given.

    Parameters
    ----------
    levels, labels : as of ``Task.grouped`` and ``Task.labelled``.
    target, bounds : as of ``Task.about``.
    points : as of ``Task.pointed``.

    Raises
    ------
    ConfigError : there is none, or what is given is not a question of it.
    """
    if name not in TASKS:
        raise ConfigError(
            f"TASK={name} is no task: there are {', '.join(TASKS)}. Choose one, or add a file to pipeline/tasks/"
        )
    task = TASKS[name] if levels is None else TASKS[name].grouped(levels)
    task = task if labels is None else task.labelled(labels)
    task = task if target is None and bounds is None else task.about(target, bounds)
    return task if points is None else task.pointed(points)


__all__ = ["DEFAULT", "PAIN", "TASKS", "Task", "find"]
