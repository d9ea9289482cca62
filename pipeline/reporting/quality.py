"""The report's tables on how students resemble their teachers, whether probabilities hold, and second opinions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, calibration, distillation_gain, significance
from pipeline.evaluation.predictions import log_odds, probability_column
from pipeline.reporting.cells import Cell, Table, figure, number, percent, points, probability
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method, baseline, teacher_of, tested
from pipeline.reporting.tables import identity, numbers_of

FIGURES = ("ece", "brier", "slope", "intercept")
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
DEFINITIONS = {
    TERMS[name]: distillation_gain.DEFINITIONS[name] for name in TERMS if name in distillation_gain.DEFINITIONS
} | {
    TERMS["seeds_icc"]: (
        "Intraclass correlation ICC(2,1) of the probability of pain over seeds, faces as targets: 1 when the seed "
        "changes nothing."
    )
}
RESCALED = ("ece", "brier")  # of these the temperature says something new


def calibrated(methods: list[Method], weights: np.ndarray) -> Table:
    """Whether probabilities are as large as the shares they speak of, before and after a temperature.

    Parameters
    ----------
    weights : of the test faces, as `pipeline.reporting.methods.draws` gives them.
    """
    shown, numbers = [], []
    for method in methods:
        before, after = _calibration(method, weights, scaled=False), _calibration(method, weights, scaled=True)
        values = [run.temperature for run in method.runs]
        line: dict[str, Any] = {"Model": method.title}
        line |= {calibration.FIGURES[name].title: figure(before[name]) for name in FIGURES}
        line["Temperature"] = "—" if np.isnan(np.mean(values)) else number(float(np.mean(values)))
        line |= {f"{calibration.FIGURES[name].title}, after": figure(after[name]) for name in RESCALED}
        shown.append(line)
        for when, found in (("before", before), ("after", after)):
            numbers += [identity(method) | {"when": when, "figure": n} | numbers_of(e) for n, e in found.items()]
        numbers.append(identity(method) | {"when": "", "figure": "temperature", "value": float(np.mean(values))})
    caption = (
        "Calibration on test faces, means over seeds. After: log-odds divided by the temperature. A resample has fewer "
        "different faces, and so a larger ECE, than the sample: its interval can lie above its value."
    )
    missing = {line["figure"] for line in numbers if line["when"] == "before" and np.isnan(line["value"])}
    reasons = dict.fromkeys(known.undefined for name, known in calibration.FIGURES.items() if name in missing)
    caption += f" Where a figure has no value, it {'; '.join(reasons)}." if reasons else ""
    return Table("calibration", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def transferred(methods: list[Method], shown: list[Method], weights: np.ndarray) -> Table | None:
    """How much of each teacher reached its students; None without a taught student whose teacher is compared."""
    lines, numbers = [], []
    for method in methods:
        teacher, untaught = teacher_of(method, methods), baseline(method, methods)
        if not method.is_taught or teacher is None:
            continue
        found = distillation_gain.measure(
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
                | {TERMS[n]: _points(getattr(found, n)) for n in ("gain", "gap")}
                | {TERMS[n]: percent(getattr(found, n)) for n in ("closed", "kept")}
                | {TERMS[n]: figure(getattr(found, n)) for n in ("per_parameters", "per_gflops")}
                | {TERMS[n]: percent(getattr(copied, n)) for n in ("agreement", "on_errors", "untaught_on_errors")}
                | {TERMS["seeds_icc"]: figure(agreement)}
            )
        every = {**vars(found), **vars(copied), "seeds_icc": agreement}
        for name, value in every.items():
            known = numbers_of(value) if isinstance(value, bootstrap.Estimate) else {"value": value}
            reason = value.reason if isinstance(value, bootstrap.Estimate) else ""
            numbers.append(identity(method) | {"figure": name} | known | {"reason": reason})
    if not lines:
        return None
    undefined = {line["reason"] for line in numbers if line["figure"] == "closed" and line["reason"]}
    caption = "What reached the students, test faces, means over seeds."
    caption += f" Gap closed, where it has no value: {'; '.join(sorted(undefined))}." if undefined else ""
    if any(method.recipe.folds for method in methods if method.is_taught):
        caption += (
            " The gap is that to the teacher trained on all training subjects; agreement of a cross-fitted student is "
            "with the mean of the teachers that it learned from."
        )
    return Table("transfer", caption, pd.DataFrame(lines), pd.DataFrame(numbers))


def opinions(e: Effect) -> Table | None:
    """Two other tests of the two best teachers, seed by seed, for the recipe that did best on validation.

    None when their students share no seed.
    """
    first, second = max(e.pairs, key=lambda pair: tuple(np.add(pair[0].validation, pair[1].validation)))
    shown, numbers = [], []
    for seed in (seed for seed in first.seeds if seed in second.seeds):
        a, b = (tested(method.runs[method.seeds.index(seed)]) for method in (first, second))
        label, column = a["label"].to_numpy(), probability_column(a)
        right = [frame["predicted"].to_numpy() == label for frame in (a, b)]
        discordant = significance.mcnemar(*right)
        area = significance.delong(
            label, a[column].to_numpy(), b[column].to_numpy(), a["subject_id"].to_numpy(), first.confidence
        )
        shown.append(
            {
                "Seed": str(seed),
                f"Only {e.names[0]} right": str(discordant.first_only),
                f"Only {e.names[1]} right": str(discordant.second_only),
                "McNemar, p": probability(discordant.p),
                "ROC-AUC": f"{100 * area.first:.1f} and {100 * area.second:.1f}",
                "Difference, points": _points(area.difference),
                "DeLong, p": probability(area.p),
            }
        )
        numbers.append(
            {"seed": seed, "first": first.title, "second": second.title, "first_only": discordant.first_only}
            | {"second_only": discordant.second_only, "p_mcnemar": discordant.p}
            | {"first_roc_auc": area.first, "second_roc_auc": area.second}
            | numbers_of(area.difference)
            | {"p_delong": area.p}
        )
    caption = (
        f"Second opinions on {first.title} against {second.title}, one seed at a time, not corrected for their number. "
        "McNemar’s exact test takes faces as independent, which those of one subject are not; DeLong’s variance of the "
        "difference of areas is Obuchowski’s for clusters of faces of one subject."
    )
    return Table("opinions", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def seeds_agree(method: Method) -> bootstrap.Estimate:
    """Intraclass correlation of the probability of pain over seeds, faces as targets: absolute agreement, ICC(2,1)."""
    if len(method.runs) < 2:
        return bootstrap.Estimate(np.nan, np.nan, np.nan, 0, "needs two seeds")
    frames = [tested(run) for run in method.runs]
    ratings = np.stack([frame[probability_column(frame)] for frame in frames], axis=1)
    return bootstrap.intraclass(ratings, method.confidence).agreement


def _calibration(method: Method, weights: np.ndarray, scaled: bool) -> dict[str, bootstrap.Estimate]:
    """Every figure of calibration, the mean over seeds with its interval over subjects."""
    per_run = []
    for run in method.runs:
        faces = tested(run)
        odds = log_odds(faces) / (run.temperature if scaled else 1.0)
        per_run.append(_figures(faces["label"].to_numpy(), odds, weights))
    return {
        name: bootstrap.interval(
            bootstrap.over_seeds(np.stack([values[name] for values in per_run])), method.confidence, known.undefined
        )
        for name, known in calibration.FIGURES.items()
    }


def _figures(label: np.ndarray, odds: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of one run; NaN all of them where no temperature could be fitted."""
    if np.isnan(odds).any():
        return {name: np.full(len(weights), np.nan) for name in calibration.FIGURES}
    return calibration.compute(label, odds, weights)


def _copied(method: Method, untaught: Method | None, weights: np.ndarray) -> distillation_gain.Copied:
    """Agreement with the teacher whose answers were learned, and on its errors."""
    frames = [tested(run) for run in method.runs]
    others = [tested(run)["predicted"] for run in untaught.runs] if untaught else []
    return distillation_gain.copied(
        np.stack([frame["predicted"] for frame in frames]),
        frames[0]["teacher_predicted"].to_numpy(),
        frames[0]["label"].to_numpy(),
        weights,
        np.stack(others) if others else None,
        method.confidence,
    )


def _points(estimate: bootstrap.Estimate) -> Cell:
    return Cell("—") if np.isnan(estimate.value) else points(estimate)
