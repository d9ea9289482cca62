"""How far a student answers like its teacher, and seeds like one another, by kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, distillation_gain
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.reporting import numeric
from pipeline.reporting.cells import Cell, figure, percent
from pipeline.reporting.methods import Method, outcomes


@dataclass(frozen=True)
class Column:
    """A column of the table of transfer: its title, what it means, and how an estimate of it is written."""

    title: str
    meaning: Callable[[Question], str]
    cell: Callable[[bootstrap.Estimate], Cell]


@dataclass(frozen=True)
class Copies:
    """How far a student answers like its teacher: measured by name, and the columns that are shown."""

    measure: Callable[[Method, Method | None, np.ndarray], dict[str, Any]]
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Spoken:
    """What seeds can agree about, in words and of a table of predictions."""

    called: Callable[[Question], str]
    answers: Callable[[pd.DataFrame, Question], np.ndarray]


def _called_alike(method: Method, untaught: Method | None, weights: np.ndarray) -> dict[str, Any]:
    """Agreement with the teacher whose answers were learned, and on its errors."""
    own, others = outcomes(method), outcomes(untaught) if untaught else []
    copied = distillation_gain.copied(
        np.stack([outcome.predicted for outcome in own]),
        own[0].teacher_predicted,
        own[0].label,
        weights,
        np.stack([outcome.predicted for outcome in others]) if others else None,
        method.confidence,
    )
    return vars(copied)


def _numbers_alike(method: Method, untaught: Method | None, weights: np.ndarray) -> dict[str, Any]:
    """Agreement with the teacher's numbers, and how far errors are shared with it."""
    rows = numeric.copied(outcomes(method), outcomes(untaught) if untaught else [], weights)
    return _estimates(rows, method.confidence, COPIED["regress"])


def _points_alike(method: Method, untaught: Method | None, weights: np.ndarray) -> dict[str, Any]:
    """How far a student's points lie from its teacher's, and those of the student without a teacher."""
    own, others = outcomes(method), outcomes(untaught) if untaught else []

    def mean(which: list[Any]) -> np.ndarray:
        far = [np.linalg.norm(one.value - own[0].teacher_value, axis=2) for one in which]
        each = [replace(one, errors=errors) for one, errors in zip(which, far, strict=True)]
        return np.mean([METRICS["points"].compute(one, weights, ("nme",))["nme"] for one in each], axis=0)

    rows = {name: mean(which) for name, which in (("distance", own), ("untaught_distance", others)) if which}
    return _estimates(rows, method.confidence, COPIED["points"])


def _estimates(rows: Mapping[str, np.ndarray], confidence: float, copies: Copies) -> dict[str, bootstrap.Estimate]:
    """Estimates of what the columns of a table show; nothing of a student that was not run."""
    missing = bootstrap.Estimate(np.nan, np.nan, np.nan, reason=distillation_gain.NO_UNTAUGHT)
    return {n: bootstrap.interval(rows[n], confidence) if n in rows else missing for n in copies.columns}


def _defined(name: str) -> Callable[[Question], str]:
    """What `distillation_gain` says of a figure."""
    return lambda question: distillation_gain.definitions(question)[name]


def _probability(kind: Any) -> Spoken:
    """Of answers that are right or wrong, the probability that is spoken of."""
    return Spoken(lambda question: f"the probability of {kind.spoken_of(question)}", kind.spoken_probability)


def _numbers(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """Every number of every sample: float, shape (N * D,)."""
    return frame[[f"value_{name}" for name in question.outputs]].to_numpy().ravel()


_CALLED_ALIKE = Copies(
    _called_alike,
    {
        "agreement": Column("Agreement, %", _defined("agreement"), percent),
        "on_errors": Column("Errors repeated, %", _defined("on_errors"), percent),
        "untaught_on_errors": Column("Made untaught, %", _defined("untaught_on_errors"), percent),
    },
)
# By kind of task, how far a student answers like its teacher.
COPIED = {
    "classify": _CALLED_ALIKE,
    "multilabel": _CALLED_ALIKE,
    "regress": Copies(
        _numbers_alike,
        {
            "agreement": Column(
                "Like the teacher, CCC",
                lambda question: f"Concordance of the student’s and its teacher’s numbers, test {question.samples}.",
                figure,
            ),
            "shared_errors": Column(
                "Errors shared, r",
                lambda question: "Correlation of the student’s errors with its teacher’s: 1 where it errs alike.",
                figure,
            ),
            "untaught_shared_errors": Column(
                "Shared untaught, r",
                lambda question: "The same of the student without a teacher: errors that both make of themselves.",
                figure,
            ),
        },
    ),
    "points": Copies(
        _points_alike,
        {
            "distance": Column(
                "From the teacher, NME %",
                lambda question: "Mean distance of the student’s points from its teacher’s, divided as the NME is.",
                partial(percent, digits=2),
            ),
            "untaught_distance": Column(
                "Untaught, NME %",
                lambda question: "The same of the student without a teacher.",
                partial(percent, digits=2),
            ),
        },
    ),
}
# By kind of task, what seeds can agree about; not of points, whose places are those of the faces.
SPOKEN = {
    "classify": _probability(METRICS["classify"]),
    "multilabel": _probability(METRICS["multilabel"]),
    "regress": Spoken(lambda question: "the number", _numbers),
}
