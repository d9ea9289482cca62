"""How much of a teacher a student took over, and what it costs.

Values of a metric come as rows: on the sample, then on every resample of subjects (`pipeline.evaluation.bootstrap`),
the same resamples for all models, averaged over seeds. Ratios and differences are taken inside a resample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import ratio
from pipeline.evaluation.question import Question, with_article

NO_UNTAUGHT = "needs the same student without a teacher"


def definitions(question: Question) -> dict[str, str]:
    """What each field of `Transfer` and `Copied` is, in the words of the task."""
    described = METRICS[question.kind].metrics(question)[question.headline]
    metric = described.title
    metric = metric[0].lower() + metric[1:] if metric[1:2].islower() else metric  # CCC stays as it is
    sample, answers = question.sample, METRICS[question.kind].ANSWERS or question.samples
    chance = ""
    if question.headline == "balanced_accuracy":
        chance = f" Guessing has a balanced accuracy of one in {len(question.outputs)}."
    side, better, kept = "above", "", f"The student's {metric} divided by the teacher's.{chance}"
    if described.lower_is_better:
        side, better = "below", " It is an error: below zero is better."
        kept = f"The teacher's {metric} divided by the student's: 1 is a student as good as its teacher."
    return {
        "gap": f"The teacher's {metric} minus that of the same student without a teacher.{better}",
        "gain": f"The taught student's {metric} minus that of the same student without a teacher.{better}",
        "closed": (
            "The gain divided by the gap: 0 is a student that learned nothing from its teacher, 1 one that reached it."
            f" It has no value unless the whole interval of the gap lies {side} zero: where the teacher is not clearly"
            " better than the student without it, there is no gap to close. Resamples without a gap are left out of"
            " the interval."
        ),
        "kept": kept,
        "parameters": "The student's number of parameters divided by the teacher's.",
        "gflops": f"The student's arithmetic for one {sample} divided by the teacher's.",
        "per_parameters": f"The share of {metric} kept, divided by the share of parameters.",
        "per_gflops": f"The share of {metric} kept, divided by the share of arithmetic.",
        "teacher_errors": f"Test {answers} that the teacher got wrong.",
        "agreement": f"Share of test {answers} that the student calls as the teacher does.",
        "on_errors": f"The same share among the {answers} that the teacher got wrong: errors that the student repeats.",
        "untaught_agreement": f"Share of test {answers} that the student without a teacher calls as the teacher does.",
        "untaught_on_errors": f"The same share among the {answers} that the teacher got wrong: errors made untaught.",
        "excess": "Repeated errors of the taught student minus those of the student without a teacher.",
    }


@dataclass(frozen=True)
class Transfer:
    """What a student took over; `definitions` says what each field is."""

    gap: Estimate
    gain: Estimate
    closed: Estimate
    kept: Estimate
    parameters: float
    gflops: float
    per_parameters: Estimate
    per_gflops: Estimate


@dataclass(frozen=True)
class Copied:
    """How far a student answers like its teacher; `definitions` says what each field is."""

    teacher_errors: int
    agreement: Estimate
    on_errors: Estimate
    untaught_agreement: Estimate
    untaught_on_errors: Estimate
    excess: Estimate


def measure(
    taught: np.ndarray,
    teacher: np.ndarray,
    untaught: np.ndarray | None,
    cost: Mapping[str, float],
    teacher_cost: Mapping[str, float],
    confidence: float = 0.95,
    lower_is_better: bool = False,
) -> Transfer:
    """How far a student came from its untaught self towards its teacher, and at what size.

    Parameters
    ----------
    taught, teacher, untaught : float, shape (1 + replicates,): a metric, mean over seeds. ``untaught`` is None where
        that student was not trained without a teacher.
    cost, teacher_cost : with ``parameters`` and ``gflops``, as `pipeline.models.cost.measure` gives them.
    lower_is_better : whether the metric is an error. Gap and gain keep their sign, so that a gain of it is negative.
    """
    if untaught is None:
        gap = gain = closed = _nothing(NO_UNTAUGHT)
    else:
        gap = bootstrap.interval(teacher - untaught, confidence)
        gain = bootstrap.interval(taught - untaught, confidence)
        sign = -1 if lower_is_better else 1
        gains = sign * (taught - untaught), sign * (teacher - untaught)
        closed = share(*gains, confidence, "the teacher", "the student without it", "gap")
    kept = ratio(teacher, taught) if lower_is_better else ratio(taught, teacher)
    parameters, gflops = (cost[name] / teacher_cost[name] for name in ("parameters", "gflops"))
    reason = f"needs a {'student' if lower_is_better else 'teacher'} whose metric lies above zero"
    return Transfer(
        gap=gap,
        gain=gain,
        closed=closed,
        kept=bootstrap.interval(kept, confidence, reason),
        parameters=parameters,
        gflops=gflops,
        per_parameters=bootstrap.interval(kept / parameters, confidence, reason),
        per_gflops=bootstrap.interval(kept / gflops, confidence, reason),
    )


def copied(
    taught: np.ndarray,
    teacher: np.ndarray,
    label: np.ndarray,
    weights: np.ndarray,
    untaught: np.ndarray | None = None,
    confidence: float = 0.95,
    sample: str = "face",
) -> Copied:
    """How often a student answers like its teacher, over all samples and where the teacher is wrong.

    Parameters
    ----------
    taught, untaught : int, shape (seeds, N), classes the student chose, or (seeds, N, L), labels that it called;
        numbers of seeds may differ.
    teacher : int, shape (N,) or (N, L), what the teacher chose or called.
    label : int, shape (N,) or (N, L)
    weights : float64, shape (1 + replicates, N), of `bootstrap.resamples`.
    sample : what one of the N is called.
    """
    wrong = teacher != label
    agreement, on_errors = _agreements(taught, teacher, wrong, weights)
    reason = f"needs a test {sample} that the teacher got wrong"
    if untaught is None:
        without = without_errors = excess = _nothing(NO_UNTAUGHT)
    else:
        rows, rows_on_errors = _agreements(untaught, teacher, wrong, weights)
        without = bootstrap.interval(rows, confidence, f"needs {with_article(sample)}")
        without_errors = bootstrap.interval(rows_on_errors, confidence, reason)
        excess = bootstrap.interval(on_errors - rows_on_errors, confidence, reason)
    return Copied(
        teacher_errors=int(wrong.sum()),
        agreement=bootstrap.interval(agreement, confidence, f"needs {with_article(sample)}"),
        on_errors=bootstrap.interval(on_errors, confidence, reason),
        untaught_agreement=without,
        untaught_on_errors=without_errors,
        excess=excess,
    )


def share(
    gain: np.ndarray, lead: np.ndarray, confidence: float, better: str, worse: str, called: str = "lead"
) -> Estimate:
    """A gain divided by a lead, both of shape (1 + replicates,), where the lead's whole interval lies above zero.

    Both are differences that are better when higher: those of an error with their sign turned. Resamples without a lead
    are left out of the interval.

    Parameters
    ----------
    better, worse : who leads whom, and ``called`` what that is, for the reason why there is no value.
    """
    estimate = bootstrap.interval(lead, confidence)
    if estimate.reason:
        return _nothing(estimate.reason)
    if not estimate.low > 0:
        return _nothing(f"{better} is not clearly better than {worse}: the {called}'s interval includes zero")
    return bootstrap.interval(ratio(gain, lead), confidence)


def _agreements(
    predicted: np.ndarray, teacher: np.ndarray, wrong: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share called as the teacher does, among all answers and among its errors, mean over seeds, (1 + replicates,)."""
    wrong = wrong.reshape(len(wrong), -1)  # (N, L)
    alike = (np.asarray(predicted) == teacher).reshape(-1, *wrong.shape)  # (seeds, N, L)
    same = alike.mean(axis=0)  # equal weights: the mean over seeds of the shares
    on_errors = ratio(weights @ (same * wrong).sum(axis=1), weights @ wrong.sum(axis=1).astype(float))
    return ratio(weights @ same.mean(axis=1), weights.sum(axis=1)), on_errors


def _nothing(reason: str) -> Estimate:
    return Estimate(np.nan, np.nan, np.nan, reason=reason)
