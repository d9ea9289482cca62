"""Numbers as answers: how the true ones are distributed, how far answers are from them, and whether seeds agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics import regress
from pipeline.evaluation.metrics.regress import Outcome
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import capital, minus, words
from pipeline.tasks import Task

# Words of names of columns that are written in capitals.
ABBREVIATED = {word: word.upper() for word in ("au", "bdi", "facs", "nrs", "opr", "phq", "pspi", "vas")}


def distributed(samples: pd.DataFrame, task: Task) -> Callable[[pd.Series], dict[str, Any]]:
    """How the true numbers are distributed of some samples, a mask of them given: mean, SD, how many of each level."""
    question = Question.of(task)

    def told(inside: pd.Series) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name in task.outputs:
            values, front = samples.loc[inside, f"label_{name}"].to_numpy(), _front(name, task)
            columns |= {f"{front}mean": decimals(values.mean() if len(values) else np.nan)}
            columns |= {f"{front}SD": decimals(values.std(ddof=1) if len(values) > 1 else np.nan)}
            level = regress.level_of(values, question)
            columns |= {f"{front}{title}": int((level == n).sum()) for n, title in enumerate(level_titles(task))}
        return {capital(title): value for title, value in columns.items()}

    return told


def level_titles(task: Task) -> list[str]:
    """The levels of a number in words: ``at 0``, ``0–4`` … ; the second leaves the lowest value out."""
    names = regress.levels(Question.of(task))
    return [f"at {names[0]}", *names[1:]] if names else []


def copied(own: list[Outcome], others: list[Outcome], weights: np.ndarray) -> dict[str, np.ndarray]:
    """How far a student answers like its teacher, and errs like it: means over seeds, shape (1 + replicates,).

    Parameters
    ----------
    own : of every seed of the taught student.
    others : of the student without a teacher; none where it was not run.

    Returns
    -------
    ``agreement``, the CCC of student and teacher; ``shared_errors``, Pearson's correlation of their errors, and
    ``untaught_shared_errors``, that of the untaught student's errors with the same teacher's.
    """
    teacher = own[0].teacher_value
    values = {
        "agreement": [regress.compute(replace(one, label=teacher), weights, ("ccc",))["ccc"] for one in own],
        "shared_errors": [_shared(one, teacher, weights) for one in own],
        "untaught_shared_errors": [_shared(one, teacher, weights) for one in others],
    }
    return {name: np.mean(rows, axis=0) for name, rows in values.items() if rows}


def asked(name: str) -> str:
    """A number's name in words: ``PSPI``, ``PHQ score``."""
    return " ".join(ABBREVIATED.get(word, word) for word in words(name).split())


def decimals(value: float) -> str:
    """A mean with two decimals and a true minus; a dash where there is none."""
    return "—" if np.isnan(value) else minus(f"{value:.2f}")


def _shared(outcome: Outcome, teacher: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation of a student's errors with its teacher's, shape (1 + replicates,)."""
    errors = replace(outcome, label=teacher - outcome.label, value=outcome.value - outcome.label)
    return regress.compute(errors, weights, ("pearson",))["pearson"]


def _front(name: str, task: Task) -> str:
    """What stands before the columns of one number of several."""
    return "" if len(task.outputs) == 1 else f"{asked(name)}: "
