"""How well a method does for each group of people, and how far its groups lie apart.

Subjects are drawn from all subjects, not group by group, and every group is measured inside the same resamples. A
difference of two groups is therefore paired where one person can be in both, and a small group has the wide interval
that its few people deserve.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, significance
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.predictions import attributes
from pipeline.evaluation.question import Question

FEW_VALUES = 8  # an attribute with more is a measurement, not a group


@dataclass(frozen=True)
class Group:
    """One group of people.

    Parameters
    ----------
    name : the attribute's value.
    estimate : the metric within the group.
    against_rest : the group minus everyone else whose attribute is known.
    p : of that difference (`significance.bootstrap_p`), corrected by Holm over the groups of the attribute; two groups
        are one comparison and need no correction.
    """

    name: Hashable
    subjects: int
    samples: int
    estimate: Estimate
    against_rest: Estimate
    p: float


@dataclass(frozen=True)
class Division:
    """The groups of one attribute.

    Parameters
    ----------
    best, worst : names of the groups with the highest and the lowest value on the sample, of an error the other way
        round; None where fewer than two have one.
    gap : best minus worst, of an error below zero. With more than two groups the pair was chosen for lying far apart,
        so that its interval leans away from zero: judge by the corrected ``p`` of the groups.
    missing : samples whose attribute is unknown; they are in no group.
    """

    groups: tuple[Group, ...]
    best: Hashable
    worst: Hashable
    gap: Estimate
    missing: int


@dataclass(frozen=True)
class Failures:
    """Faces of one group in which no face was found."""

    name: Hashable
    faces: int
    missed: int
    share: Estimate


def compared_by(question: Question) -> str:
    """The metric that compares groups of samples: the headline, unless it has no value in many groups."""
    return METRICS[question.kind].GROUPED or question.headline


def groupings(frame: pd.DataFrame) -> list[str]:
    """The attributes in a table of samples or predictions that divide people into a few groups."""
    return [name for name in attributes(frame) if 1 < frame[name].nunique() <= FEW_VALUES]


def measure(
    outcomes: Sequence[Any],
    group: np.ndarray,
    subject_ids: np.ndarray,
    weights: np.ndarray,
    metric: str,
    confidence: float = 0.95,
) -> Division:
    """A metric within every group, each group against the rest, and the gap between best and worst.

    Parameters
    ----------
    outcomes : of any kind (`metrics.METRICS`), one for each seed of a method, over the same N samples in the same
        order; the metric is averaged over seeds inside every resample.
    group : shape (N,); the attribute's value of every sample, None or NaN where it is unknown.
    subject_ids : shape (N,)
    weights : float64, shape (1 + replicates, N): `bootstrap.resamples` of all subjects.
    metric : a name in the kind's ``metrics(question)``.
    """
    group, subject_ids = np.asarray(group, dtype=object), np.asarray(subject_ids)
    grouped = ~pd.isna(group)
    names = sorted(set(group[grouped]))
    inside = [grouped & (group == name) for name in names]
    question = outcomes[0].question
    described = METRICS[question.kind].metrics(question)[metric]
    reason = described.undefined
    rows = [_rows(outcomes, mask, weights, metric) for mask in inside]
    if len(names) == 2:
        apart = [rows[0] - rows[1], rows[1] - rows[0]]
    else:
        rest = [_rows(outcomes, grouped & ~mask, weights, metric) for mask in inside]
        apart = [row - other for row, other in zip(rows, rest, strict=True)]
    p_values = [significance.bootstrap_p(row) for row in apart]
    corrected = p_values if len(names) == 2 else significance.holm(p_values)
    groups = tuple(
        Group(
            name=name,
            subjects=len(np.unique(subject_ids[mask])),
            samples=int(mask.sum()),
            estimate=bootstrap.interval(row, confidence, reason),
            against_rest=bootstrap.interval(difference, confidence, f"{reason}, in the group and in the rest"),
            p=float(p),
        )
        for name, mask, row, difference, p in zip(names, inside, rows, apart, corrected, strict=True)
    )
    best, worst, gap = _gap(names, rows, confidence, described.lower_is_better)
    return Division(groups, best, worst, gap, int((~grouped).sum()))


def summary(
    frame: pd.DataFrame, question: Question, replicates: int, confidence: float, seed: int
) -> list[dict[str, Any]]:
    """The metric of `compared_by` in every group of one part, as rows that JSON can hold.

    Parameters
    ----------
    frame : predictions of the part.

    Returns
    -------
    dicts with attribute, group, subjects, samples and the fields of an `Estimate`.
    """
    outcome, subjects = METRICS[question.kind].outcome(frame, question), frame["subject_id"].to_numpy()
    weights = bootstrap.resamples(subjects, replicates, seed)
    divisions = {
        name: measure([outcome], frame[name].to_numpy(), subjects, weights, compared_by(question), confidence)
        for name in groupings(frame)
    }
    return [
        {"attribute": name, "group": group.name, "subjects": group.subjects, "samples": group.samples}
        | bootstrap.plain(group.estimate)
        for name, division in divisions.items()
        for group in division.groups
    ]


def failures(group: np.ndarray, detected: np.ndarray, confidence: float = 0.95) -> tuple[Failures, ...]:
    """How often no face was found in each group, with exact intervals that take faces as independent.

    Parameters
    ----------
    group : shape (N,); None or NaN where the attribute is not known: such faces are left out.
    detected : bool, shape (N,)
    """
    group, missed = np.asarray(group, dtype=object), ~np.asarray(detected, dtype=bool)
    grouped = ~pd.isna(group)
    masks = {name: grouped & (group == name) for name in sorted(set(group[grouped]))}
    return tuple(
        Failures(
            name=name,
            faces=(faces := int(mask.sum())),
            missed=(lost := int(missed[mask].sum())),
            share=bootstrap.proportion(lost, faces, confidence),
        )
        for name, mask in masks.items()
    )


def _rows(outcomes: Sequence[Any], mask: np.ndarray, weights: np.ndarray, metric: str) -> np.ndarray:
    """The metric among some samples, mean over seeds, shape (1 + replicates,)."""
    drawn = weights[:, mask]
    kind = METRICS[outcomes[0].question.kind]
    values = [kind.compute(among(outcome, mask), drawn, (metric,))[metric] for outcome in outcomes]
    return bootstrap.over_seeds(np.stack(values))


def _gap(
    names: list[Hashable], rows: list[np.ndarray], confidence: float, lower_is_better: bool
) -> tuple[Hashable, Hashable, Estimate]:
    """Names of the best and the worst group on the sample, and their difference."""
    defined = [number for number, row in enumerate(rows) if not np.isnan(row[0])]
    if len(defined) < 2:
        return None, None, Estimate(np.nan, np.nan, np.nan, reason="needs two groups that have a value")
    sign = -1 if lower_is_better else 1
    best = max(defined, key=lambda number: sign * rows[number][0])
    worst = min((number for number in defined if number != best), key=lambda number: sign * rows[number][0])
    return names[best], names[worst], bootstrap.interval(rows[best] - rows[worst], confidence)
