"""Metrics of points: how far they lie from the true ones, in shares of a length of the face.

The error of a face is the mean distance of its points from the true ones, divided by a length of the true face (NME).
The failure rate is the share of faces whose NME is above a bound, and the AUC the area under the curve of the share of
faces up to an NME (CED), from 0 to the bound, divided by the bound. That area is exactly the mean of
max(0, 1 - NME / bound), so that no step of integration has to be chosen. A face that was not found has no error: it is
left out of the NME, and counts as a failure and with an area of 0. A true face without the length that divides, such
as one whose eye corners are in one place, is left out.

Every metric is therefore a mean of one value a sample. The weightings and what is undefined:
`pipeline.evaluation.metrics.weighted`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics.weighted import Metric, asked, checked, ratio
from pipeline.evaluation.question import Question
from pipeline.tasks import Task
from pipeline.tasks.schemes import SCHEMES
from pipeline.tasks.task import numbers_of

HEADLINE = "nme"
GROUPED = ANSWERS = ""
CALIBRATED = EMBEDDED = THRESHOLDED = SEQUENCED = False
NORMS = {  # metric → the length of the true face that divides, a column of `Outcome.norms`
    "nme": "the distance of the outer corners of the eyes",
    "nme_pupil": "the distance of the pupils",
    "nme_box": "the root of the area of the box around the true points",
}
BOUNDS = {"10": 0.10, "8": 0.08}  # of the NME: above them a face has failed, and the AUC ends there
WARP = tuple(f"warp_{number}" for number in range(6))


@dataclass(frozen=True)
class Outcome:
    """Where a model put the K points of N samples and where they are, in pixels of the whole picture.

    Parameters
    ----------
    question : the points, in their order below.
    label, value : float, shape (N, K, 2): x and y.
    found : bool, shape (N,): whether the face was found, and has an answer.
    errors : float, shape (N, K): distance of every point from the true one.
    norms : float, shape (N, 3): the lengths of `NORMS`; 0 where a face has none.
    teacher_value : float, shape (N, K, 2); None for a model without a teacher.
    """

    question: Question
    label: np.ndarray
    value: np.ndarray
    found: np.ndarray
    errors: np.ndarray
    norms: np.ndarray
    teacher_value: np.ndarray | None = None


def label_columns(samples: pd.DataFrame, task: Task) -> pd.DataFrame:
    """``label_<point>_x`` and ``label_<point>_y``, pixels; NaN where the points of a sample are not known."""
    known = samples[task.target].notna()
    columns = [f"{task.target}_{number}_{axis}" for number in range(len(task.outputs)) for axis in "xy"]
    return samples[columns].where(known).set_axis([f"label_{name}" for name in task.numbers], axis=1)


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with what a model answered.

    Parameters
    ----------
    table : N rows of `pipeline.evaluation.predictions.samples_table`, with the columns of `WARP`.
    outputs, teacher_outputs : float32, shape (N, 2 K): x and y of each point in shares of the prepared input's side
        from its middle.

    Returns
    -------
    ``table`` with value_<point>_<axis> and, with a teacher, teacher_value_<point>_<axis>: pixels of the whole picture.
    """
    answers = {"value": outputs} | ({} if teacher_outputs is None else {"teacher_value": teacher_outputs})
    warp = table[list(WARP)].to_numpy(dtype=np.float64).reshape(-1, 2, 3)
    made = [
        pd.DataFrame(
            pixels(shares.reshape(len(table), -1, 2), warp).reshape(len(table), -1),
            columns=_columns(kind, question),
            index=table.index,
        )
        for kind, shares in answers.items()
    ]
    return pd.concat([table, *made], axis=1)


def pixels(shares: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Points of prepared inputs in the pictures that these were made of: the inverse of their warps.

    Parameters
    ----------
    shares : float, shape (N, K, 2), of the prepared input's side from its middle.
    warp : float, shape (N, 2, 3): from pixels of the picture to such shares. One that has no inverse gives NaN.

    Returns
    -------
    float64, shape (N, K, 2)
    """
    (a, b), (c, d) = np.moveaxis(warp[:, :, :2], 0, -1)
    determinant = a * d - b * c
    inverse = np.moveaxis(np.array([[d, -b], [-c, a]]), -1, 0)  # (N, 2, 2)
    inverse = inverse / np.where(determinant == 0, np.nan, determinant)[:, None, None]
    return np.einsum("nij,nkj->nki", inverse, shares - warp[:, None, :, 2])


def outcome(frame: pd.DataFrame, question: Question) -> Outcome:
    """What the metrics need of a predictions table."""

    def columns(kind: str) -> np.ndarray:
        return frame[_columns(kind, question)].to_numpy(dtype=np.float64).reshape(len(frame), len(question.outputs), 2)

    label, value = columns("label"), columns("value")
    found = frame["detected"].to_numpy() == 1 if "detected" in frame else np.ones(len(frame), bool)
    return Outcome(
        question=question,
        label=label,
        value=value,
        found=found & np.isfinite(value).all(axis=(1, 2)),
        errors=np.linalg.norm(value - label, axis=2),
        norms=lengths(label),
        teacher_value=columns("teacher_value") if _columns("teacher_value", question)[0] in frame else None,
    )


def lengths(label: np.ndarray) -> np.ndarray:
    """The lengths of `NORMS` of true faces, float, shape (N, 3), in the unit of the points.

    Parameters
    ----------
    label : float, shape (N, K, 2)
    """
    scheme = SCHEMES[label.shape[1]]
    corners = label[:, scheme.corners[0]] - label[:, scheme.corners[1]]
    left, right = (label[:, list(points)].mean(axis=1) for points in scheme.pupils)
    width_height = label.max(axis=1) - label.min(axis=1)
    return np.stack(
        [np.linalg.norm(corners, axis=1), np.linalg.norm(left - right, axis=1), np.sqrt(width_height.prod(axis=1))],
        axis=1,
    )


def metrics(question: Question) -> dict[str, Metric]:
    """The metrics of such an outcome, in the words of its task, the most important first."""
    one, samples = question.one, question.samples
    left_out = f"{samples} that were not found are left out"
    titles = dict(zip(NORMS, ("NME", "NME, pupils", "NME, box"), strict=True))
    values = {
        name: Metric(
            titles[name],
            f"mean distance of the points from the true ones, divided by {length}; {left_out}",
            f"needs {one} that was found and has a size",
            lower_is_better=True,
        )
        for name, length in NORMS.items()
    }
    values |= {
        f"fr{bound}": Metric(
            f"Failures at {bound} %",
            f"{samples} with an NME above {bound} %, and those that were not found",
            f"needs {one}",
            lower_is_better=True,
        )
        for bound in BOUNDS
    }
    return values | {
        f"auc{bound}": Metric(
            f"AUC at {bound} %",
            f"area under the share of {samples} up to an NME, from 0 to {bound} %; those not found count 0",
            f"needs {one}",
        )
        for bound in BOUNDS
    }


def per_output_metrics(question: Question) -> dict[str, Metric]:
    """The metrics of one point."""
    return {
        "nme": Metric(
            "NME",
            f"mean distance of the point from the true one, divided by {NORMS['nme']}; "
            f"{question.samples} that were not found are left out",
            f"needs {question.one} that was found and has a size",
            lower_is_better=True,
        )
    }


def compute(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `metrics` under every weighting, float64, shape (R,); NaN where they are undefined.

    Parameters
    ----------
    weights : float, shape (R, N), not negative.
    names : of the metrics that are wanted, all by default.
    """
    values = {name: sample_nme(outcome, name) for name in NORMS}
    nme, counted = values["nme"], ~outcome.found | ~np.isnan(values["nme"])
    values |= {f"fr{name}": np.where(counted, ~(nme <= bound), np.nan) for name, bound in BOUNDS.items()}
    area = {name: np.where(outcome.found, np.maximum(0, 1 - nme / bound), 0.0) for name, bound in BOUNDS.items()}
    values |= {f"auc{name}": column for name, column in area.items()}
    values = asked(values, names)
    return dict(zip(values, _means(np.stack(list(values.values()), axis=1), checked(weights)).T, strict=True))


def per_output(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `per_output_metrics`, all by default, for every point: float64 arrays, shape (R, K)."""
    return asked({"nme": _means(_shares(outcome, "nme"), checked(weights))}, names)


def sample_nme(outcome: Outcome, norm: str = "nme") -> np.ndarray:
    """The error of every sample by a length of `NORMS`, float, shape (N,); NaN where not found, or without a length."""
    return _shares(outcome, norm).mean(axis=1)


def by_region(outcome: Outcome, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The inter-ocular NME of the points of every part of the face under every weighting, float64, shape (R,)."""
    shares, regions = _shares(outcome, "nme"), SCHEMES[len(outcome.question.outputs)].regions
    values = np.stack([shares[:, list(points)].mean(axis=1) for points in regions.values()], axis=1)  # (N, regions)
    return dict(zip(regions, _means(values, checked(weights)).T, strict=True))


def ced(nme: np.ndarray, found: np.ndarray, bound: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The cumulative error distribution: the share of all samples with an NME of at most x.

    Parameters
    ----------
    nme : float, shape (N,), of `sample_nme`.
    found : bool, shape (N,): samples that were not found count and are never reached.
    bound : the last x; ``steps`` equal steps lead to it from 0.

    Returns
    -------
    x, y : float64, shape (steps + 1,); y is NaN where no sample counts.
    """
    reached = np.sort(nme[found & ~np.isnan(nme)])
    x = np.linspace(0, bound, steps + 1)
    total = np.full(len(x), len(reached) + (~found).sum())
    return x, ratio(np.searchsorted(reached, x, side="right"), total)


def extras(outcome: Outcome) -> dict[str, Any]:
    """What stands beside the metrics, for JSON: how many samples have no error, and the NME of the face's parts."""
    regions = by_region(outcome, np.ones((1, len(outcome.found))))
    return {
        "not_found": int((~outcome.found).sum()),
        "without_size": int((outcome.found & ~(outcome.norms[:, 0] > 0)).sum()),
        "regions": {name: None if math.isnan(nme) else float(nme) for name, (nme,) in regions.items()},
    }


def _columns(kind: str, question: Question) -> list[str]:
    """The columns of a predictions table that hold the points of one kind."""
    return [f"{kind}_{name}" for name in numbers_of(question.kind, question.outputs)]


def _shares(outcome: Outcome, norm: str) -> np.ndarray:
    """Error of every point by a length of the face, shape (N, K); NaN where not found, or without a length."""
    length = outcome.norms[:, list(NORMS).index(norm)]
    length = np.where(outcome.found & (length > 0), length, np.nan)
    return outcome.errors / length[:, None]


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of each column over the samples that have a value in it, under every weighting, shape (R, C).

    Parameters
    ----------
    values : float, shape (N, C)
    weights : float, shape (R, N)
    """
    counted = ~np.isnan(values)
    return ratio(weights @ np.where(counted, values, 0.0), weights @ counted.astype(float))
