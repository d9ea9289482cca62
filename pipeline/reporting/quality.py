"""The report's tables on how students resemble their teachers, whether probabilities hold, and second opinions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, calibration, distillation_gain, significance
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric, wholly_right
from pipeline.evaluation.question import Question
from pipeline.reporting import copied
from pipeline.reporting.cells import Table, bare, figure, in_points, number, percent, points, probability
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method, baseline, teacher_of, tested
from pipeline.reporting.runs import described
from pipeline.reporting.tables import identity, numbers_of
from pipeline.tasks import Task

FIGURES = ("ece", "brier", "nll", "slope", "intercept")  # on the page, those that the task has
GAINED = {
    "gain": "Gain",
    "gap": "Gap",
    "closed": "Gap closed, %",
    "kept": "Kept, %",
    "per_parameters": "Kept per parameter",
    "per_gflops": "Kept per GFLOP",
}
SEEDS = {"seeds_icc": "Seeds agree, ICC"}
RESCALED = ("ece", "brier")  # of these the temperature says something new
Pair = tuple[pd.DataFrame, pd.DataFrame]  # predictions of two runs about the same samples


def definitions(task: Task) -> dict[str, str]:
    """What the columns of the table of transfer mean."""
    kind, question = METRICS[task.kind], Question.of(task)
    answers = f"{kind.ANSWERS} of {task.samples}" if kind.ANSWERS else task.samples
    measured = distillation_gain.definitions(question)
    told = {title: measured[name] for name, title in _gained(described(task)[task.headline]).items()}
    told |= {column.title: column.meaning(question) for column in copied.COPIED[task.kind].columns.values()}
    if task.kind in copied.SPOKEN:
        of = copied.SPOKEN[task.kind].called(question)
        told[SEEDS["seeds_icc"]] = (
            f"Intraclass correlation ICC(2,1) of {of} over seeds, {answers} as targets: 1 when the seed changes "
            "nothing."
        )
    return told


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
    task, metric, copies = methods[0].task, methods[0].headline_metric, copied.COPIED[methods[0].task.kind]
    terms = _gained(metric)
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
            metric.lower_is_better,
        )
        alike = copies.measure(method, untaught, weights)
        seeds = {"seeds_icc": seeds_agree(method)} if task.kind in copied.SPOKEN else {}
        if method in shown:
            lines.append(
                {"Model": method.title}
                | {terms[n]: points(getattr(gain, n), metric) for n in ("gain", "gap")}
                | {terms[n]: percent(getattr(gain, n)) for n in ("closed", "kept")}
                | {terms[n]: figure(getattr(gain, n)) for n in ("per_parameters", "per_gflops")}
                | {column.title: column.cell(alike[name]) for name, column in copies.columns.items()}
                | {SEEDS[name]: figure(agreement) for name, agreement in seeds.items()}
            )
        every = {**vars(gain), **alike, **seeds}
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
    """The tests that `opinions` makes.

    Areas under ROC curves are compared for two classes alone, and errors of samples where there is a size of them.
    """
    if task.kind in ERRORS:
        return ("Wilcoxon",)
    return ("McNemar", "DeLong") if Question.of(task).binary else ("McNemar",)


def opinions(e: Effect) -> Table | None:
    """Other tests of the two best teachers, seed by seed, for the recipe that did best on validation.

    None when their students share no seed.
    """
    first, second = max(e.pairs, key=lambda pair: tuple(np.add(pair[0].merit, pair[1].merit)))
    tests, shown, numbers = second_tests(first.task), [], []
    for seed in (seed for seed in first.seeds if seed in second.seeds):
        pair = tuple(tested(method.runs[method.seeds.index(seed)]) for method in (first, second))
        line, values = {}, {}
        for test in tests:
            more, further = SECOND[test](e, first, pair)
            line, values = line | more, values | further
        shown.append({"Seed": str(seed)} | line)
        numbers.append({"seed": seed, "first": first.title, "second": second.title} | values)
    samples = first.task.samples
    pair = f"{first.title} against {second.title}"
    caption = f"Second opinions on {pair}, one seed at a time, not corrected for their number."
    if "Wilcoxon" in tests:
        caption += " Wilcoxon’s signed-rank test takes each subject once, by the mean of its errors."
    if "McNemar" in tests:
        caption += f" McNemar’s exact test takes {samples} as independent, which those of one subject are not"
        caption += "." if "DeLong" not in tests else ""
    if "DeLong" in tests:
        caption += (
            f"; DeLong’s variance of the difference of areas is Obuchowski’s for clusters of {samples} of one subject."
        )
        caption += first.in_one_list(("roc_auc",))
    return Table("opinions", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def seeds_agree(method: Method) -> bootstrap.Estimate:
    """Intraclass correlation over seeds, samples as targets, of what was answered: ICC(2,1), agreement.

    Of two classes it is the probability of the positive one, of more that of the true class of each sample, of labels
    that of each of them; of numbers the number.
    """
    if len(method.runs) < 2:
        return bootstrap.Estimate(np.nan, np.nan, np.nan, 0, "needs two seeds")
    question = Question.of(method.task)
    answered = copied.SPOKEN[method.task.kind].answers
    ratings = np.stack([answered(tested(run), question) for run in method.runs], axis=1)
    return bootstrap.intraclass(ratings, method.confidence).agreement


def _discordant(e: Effect, method: Method, pair: Pair) -> tuple[dict[str, str], dict[str, Any]]:
    """McNemar's test of two runs: in words, and as numbers."""
    kind, question = METRICS[method.task.kind], Question.of(method.task)
    test = significance.mcnemar(*(wholly_right(kind.outcome(frame, question)) for frame in pair))
    counts = (test.first_only, test.second_only)
    line = {f"Only {name} right": str(count) for name, count in zip(e.names, counts, strict=True)}
    numbers = {"first_only": test.first_only, "second_only": test.second_only, "p_mcnemar": test.p}
    return line | {"McNemar, p": probability(test.p)}, numbers


def _ranked_errors(e: Effect, method: Method, pair: Pair) -> tuple[dict[str, str], dict[str, Any]]:
    """Wilcoxon's test of the subjects' mean errors in two runs: in words, and as numbers."""
    question = Question.of(method.task)
    errors = [
        pd.Series(ERRORS[method.task.kind](METRICS[method.task.kind].outcome(frame, question)))
        .groupby(frame["subject_id"].to_numpy())
        .mean()
        for frame in pair
    ]
    means = pd.concat(errors, axis=1).dropna().to_numpy()
    test, sides = significance.wilcoxon(means[:, 0] - means[:, 1]), means.mean(axis=0)
    metric = described(method.task)[OF_ERRORS[method.task.kind]]
    line = {f"{name}, {metric.title}": bare(metric, side) for name, side in zip(e.names, sides, strict=True)}
    numbers = dict(zip(("first_error", "second_error"), sides, strict=True))
    numbers |= {"subjects": len(means), "p_wilcoxon_subjects": test.p}
    return line | {"Wilcoxon, p": probability(test.p)}, numbers


def _areas(e: Effect, method: Method, pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    """DeLong's test of two runs of two classes: in words, and as numbers."""
    task, (a, b) = method.task, pair
    column = f"prob_{task.outputs[task.positive_output]}"
    positive = (a["label"] == task.positive_output).to_numpy().astype(int)
    area = significance.delong(
        positive, a[column].to_numpy(), b[column].to_numpy(), a["subject_id"].to_numpy(), method.confidence
    )
    line = {"ROC-AUC": f"{100 * area.first:.1f} and {100 * area.second:.1f}"}
    line |= {"Difference, points": points(area.difference), "DeLong, p": probability(area.p)}
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


def _gained(metric: Metric) -> dict[str, str]:
    """The titles of what a student gained, with the unit of differences."""
    return GAINED | {name: f"{GAINED[name]}{in_points(metric, ', points')}" for name in ("gain", "gap")}


# By kind of task without right and wrong, the size of every sample's error, and the metric that means it.
ERRORS = {
    "regress": lambda outcome: np.abs(outcome.value - outcome.label).mean(axis=1),
    "points": METRICS["points"].sample_nme,
}
OF_ERRORS = {"regress": "mae", "points": "nme"}
SECOND = {"McNemar": _discordant, "DeLong": _areas, "Wilcoxon": _ranked_errors}
