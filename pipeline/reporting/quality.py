"""The report's tables on how students resemble their teachers, whether probabilities hold, and second opinions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, calibration, distillation_gain, significance
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric, wholly_right
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import Cell, Table, figure, number, percent, points, probability
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method, baseline, outcomes, teacher_of, tested
from pipeline.reporting.tables import identity, numbers_of
from pipeline.tasks import Task

FIGURES = ("ece", "brier", "nll", "slope", "intercept")  # on the page, those that the task has
TERMS = {
    "gain": "Gain, points",
    "gap": "Gap, points",
    "closed": "Gap closed, %",
    "kept": "Kept, %",
    "per_parameters": "Kept per parameter",
    "per_gflops": "Kept per GFLOP",
    "agreement": "Agreement, %",
    "on_errors": "Errors repeated, %",
    "untaught_on_errors": "Made untaught, %",
    "seeds_icc": "Seeds agree, ICC",
}
RESCALED = ("ece", "brier")  # of these the temperature says something new


def definitions(task: Task) -> dict[str, str]:
    """What the columns of the table of transfer mean."""
    kind, question = METRICS[task.kind], Question.of(task)
    answers = f"{kind.ANSWERS} of {task.samples}" if kind.ANSWERS else task.samples
    measured = distillation_gain.definitions(question)
    return {TERMS[name]: measured[name] for name in TERMS if name in measured} | {
        TERMS["seeds_icc"]: (
            f"Intraclass correlation ICC(2,1) of the probability of {kind.spoken_of(question)} over seeds, {answers} "
            "as targets: 1 when the seed changes nothing."
        )
    }


def calibration_figures(task: Task) -> dict[str, Metric]:
    """What calibration is measured by, on the page."""
    every = calibration.figures(Question.of(task))
    return {name: every[name] for name in FIGURES if name in every}


def calibrated(methods: list[Method], weights: np.ndarray) -> Table:
    """Whether probabilities are as large as the shares they speak of, before and after a temperature.

    Parameters
    ----------
    weights : of the test samples, as `pipeline.reporting.methods.draws` gives them.
    """
    shown, numbers, task, unfitted = [], [], methods[0].task, 0
    every, on_page = calibration.figures(Question.of(task)), calibration_figures(task)
    for method in methods:
        before, after = _calibration(method, weights, scaled=False), _calibration(method, weights, scaled=True)
        values = [value for run in method.runs for value in run.temperatures.values()]
        unfitted += int(np.isnan(values).sum())
        line: dict[str, Any] = {"Model": method.title}
        line |= {metric.title: figure(before[name]) for name, metric in on_page.items()}
        line["Temperature"] = "—" if np.isnan(np.mean(values)) else number(float(np.mean(values)))
        line |= {f"{every[name].title}, after": figure(after[name]) for name in RESCALED}
        shown.append(line)
        for when, estimates in (("before", before), ("after", after)):
            numbers += [identity(method) | {"when": when, "figure": n} | numbers_of(e) for n, e in estimates.items()]
        numbers.append(identity(method) | {"when": "", "figure": "temperature", "value": float(np.mean(values))})
    caption = (
        f"Calibration on test {task.samples}, means over seeds. After: logits divided by the temperature. A resample "
        f"has fewer different {task.samples}, and so a larger ECE, than the whole: its interval can lie above it."
    )
    if methods[0].folds > 1:
        caption += (
            " Each fold’s network has its own temperature, fitted on its own validation subjects; shown is the mean."
        )
    if methods[0].folds > 1 and unfitted:
        caption += f" {unfitted} networks have none that is best, and with them their model no figures after it."
    missing = {line["figure"] for line in numbers if line["when"] == "before" and np.isnan(line["value"])}
    reasons = dict.fromkeys(metric.undefined for name, metric in every.items() if name in missing)
    caption += f" Where a figure has no value, it {'; '.join(reasons)}." if reasons else ""
    return Table("calibration", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def transferred(methods: list[Method], shown: list[Method], weights: np.ndarray) -> Table | None:
    """How much of each teacher reached its students; None without a taught student whose teacher is compared."""
    lines, numbers = [], []
    for method in methods:
        teacher, untaught = teacher_of(method, methods), baseline(method, methods)
        if not method.is_taught or teacher is None:
            continue
        gain = distillation_gain.measure(
            method.mean(method.headline),
            teacher.mean(teacher.headline),
            untaught.mean(untaught.headline) if untaught else None,
            method.cost,
            teacher.cost,
            method.confidence,
        )
        copied = _copied(method, untaught, weights)
        agreement = seeds_agree(method)
        if method in shown:
            lines.append(
                {"Model": method.title}
                | {TERMS[n]: _points(getattr(gain, n)) for n in ("gain", "gap")}
                | {TERMS[n]: percent(getattr(gain, n)) for n in ("closed", "kept")}
                | {TERMS[n]: figure(getattr(gain, n)) for n in ("per_parameters", "per_gflops")}
                | {TERMS[n]: percent(getattr(copied, n)) for n in ("agreement", "on_errors", "untaught_on_errors")}
                | {TERMS["seeds_icc"]: figure(agreement)}
            )
        every = {**vars(gain), **vars(copied), "seeds_icc": agreement}
        for name, value in every.items():
            columns = numbers_of(value) if isinstance(value, bootstrap.Estimate) else {"value": value}
            reason = value.reason if isinstance(value, bootstrap.Estimate) else ""
            numbers.append(identity(method) | {"figure": name} | columns | {"reason": reason})
    if not lines:
        return None
    undefined = {line["reason"] for line in numbers if line["figure"] == "closed" and line["reason"]}
    caption = f"What reached the students, test {methods[0].task.samples}, means over seeds."
    caption += f" Gap closed, where it has no value: {'; '.join(sorted(undefined))}." if undefined else ""
    if any(method.recipe.folds for method in methods if method.is_taught):
        caption += (
            " The gap is that to the teacher trained on all training subjects; agreement of a cross-fitted student is "
            "with the mean of the teachers that it learned from."
        )
    return Table("transfer", caption, pd.DataFrame(lines), pd.DataFrame(numbers))


def second_tests(task: Task) -> tuple[str, ...]:
    """The tests that `opinions` makes: areas under ROC curves are compared for two classes alone."""
    return ("McNemar", "DeLong") if Question.of(task).binary else ("McNemar",)


def opinions(e: Effect) -> Table | None:
    """Other tests of the two best teachers, seed by seed, for the recipe that did best on validation.

    None when their students share no seed.
    """
    first, second = max(e.pairs, key=lambda pair: tuple(np.add(pair[0].validation, pair[1].validation)))
    shown, numbers = [], []
    for seed in (seed for seed in first.seeds if seed in second.seeds):
        pair = tuple(tested(method.runs[method.seeds.index(seed)]) for method in (first, second))
        line, values = _discordant(e, pair)
        if "DeLong" in second_tests(first.task):
            more, areas = _areas(first, pair)
            line, values = line | more, values | areas
        shown.append({"Seed": str(seed)} | line)
        numbers.append({"seed": seed, "first": first.title, "second": second.title} | values)
    samples = first.task.samples
    caption = (
        f"Second opinions on {first.title} against {second.title}, one seed at a time, not corrected for their number. "
        f"McNemar’s exact test takes {samples} as independent, which those of one subject are not"
    )
    if "DeLong" in second_tests(first.task):
        caption += (
            f"; DeLong’s variance of the difference of areas is Obuchowski’s for clusters of {samples} of one subject"
        )
    caption += "." + (first.in_one_list(("roc_auc",)) if "DeLong" in second_tests(first.task) else "")
    return Table("opinions", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def seeds_agree(method: Method) -> bootstrap.Estimate:
    """Intraclass correlation over seeds, samples as targets, of the probability spoken of: ICC(2,1), agreement.

    Of two classes it is the positive one, of more the true class of each sample, of labels each of them.
    """
    if len(method.runs) < 2:
        return bootstrap.Estimate(np.nan, np.nan, np.nan, 0, "needs two seeds")
    kind, question = METRICS[method.task.kind], Question.of(method.task)
    ratings = np.stack([kind.spoken_probability(tested(run), question) for run in method.runs], axis=1)
    return bootstrap.intraclass(ratings, method.confidence).agreement


def _discordant(e: Effect, pair: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[dict[str, str], dict[str, Any]]:
    """McNemar's test of two runs: in words, and as numbers."""
    kind, question = METRICS[e.pairs[0][0].task.kind], Question.of(e.pairs[0][0].task)
    test = significance.mcnemar(*(wholly_right(kind.outcome(frame, question)) for frame in pair))
    counts = (test.first_only, test.second_only)
    line = {f"Only {name} right": str(count) for name, count in zip(e.names, counts, strict=True)}
    numbers = {"first_only": test.first_only, "second_only": test.second_only, "p_mcnemar": test.p}
    return line | {"McNemar, p": probability(test.p)}, numbers


def _areas(method: Method, pair: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[dict[str, Any], dict[str, Any]]:
    """DeLong's test of two runs of two classes: in words, and as numbers."""
    task, (a, b) = method.task, pair
    column = f"prob_{task.outputs[task.positive_output]}"
    positive = (a["label"] == task.positive_output).to_numpy().astype(int)
    area = significance.delong(
        positive, a[column].to_numpy(), b[column].to_numpy(), a["subject_id"].to_numpy(), method.confidence
    )
    line = {"ROC-AUC": f"{100 * area.first:.1f} and {100 * area.second:.1f}"}
    line |= {"Difference, points": _points(area.difference), "DeLong, p": probability(area.p)}
    numbers = {"first_roc_auc": area.first, "second_roc_auc": area.second} | numbers_of(area.difference)
    return line, numbers | {"p_delong": area.p}


def _calibration(method: Method, weights: np.ndarray, scaled: bool) -> dict[str, bootstrap.Estimate]:
    """Every figure of calibration, the mean over seeds with its interval over subjects."""
    question = Question.of(method.task)
    per_run = []
    for run in method.runs:
        samples = tested(run)
        per_run.append(_figures(samples["label"].to_numpy(), run.logits(samples, scaled), weights, question))
    return {
        name: bootstrap.interval(
            bootstrap.over_seeds(np.stack([values[name] for values in per_run])), method.confidence, metric.undefined
        )
        for name, metric in calibration.figures(question).items()
    }


def _figures(label: np.ndarray, scores: np.ndarray, weights: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """The figures of one run; NaN all of them where no temperature could be fitted."""
    if np.isnan(scores).any():
        return {name: np.full(len(weights), np.nan) for name in calibration.figures(question)}
    return calibration.compute(label, scores, weights, question)


def _copied(method: Method, untaught: Method | None, weights: np.ndarray) -> distillation_gain.Copied:
    """Agreement with the teacher whose answers were learned, and on its errors."""
    own, others = outcomes(method), outcomes(untaught) if untaught else []
    return distillation_gain.copied(
        np.stack([outcome.predicted for outcome in own]),
        own[0].teacher_predicted,
        own[0].label,
        weights,
        np.stack([outcome.predicted for outcome in others]) if others else None,
        method.confidence,
    )


def _points(estimate: bootstrap.Estimate) -> Cell:
    return Cell("—") if np.isnan(estimate.value) else points(estimate)
