"""Sections of tasks that ask for a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap
from pipeline.evaluation import videos as sequences
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import regress as kind
from pipeline.evaluation.metrics.weighted import ratio
from pipeline.evaluation.question import Question
from pipeline.reporting import folds, people, pictures
from pipeline.reporting import regress_figures as figures
from pipeline.reporting.cells import Cell, Table, bare, capital, figure, measured
from pipeline.reporting.classify import HALVES
from pipeline.reporting.common import unnamed
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, outcomes, tested
from pipeline.reporting.numeric import asked, decimals, level_titles
from pipeline.reporting.pictures import Shown
from pipeline.reporting.runs import described, held_out
from pipeline.reporting.tables import identity, level, numbers_of

GUESSED = ("ccc", "mae", "rmse")  # by what guessing is measured
AT_CUTS = ("balanced_accuracy", "sensitivity", "specificity", "roc_auc")  # on the page; the CSV file has all
OF_A_VIDEO = ("ccc", "mae")  # likewise
# What a straight line says of the numbers said: its columns and why there may be none.
AGREEMENT = {
    "bias": ("Said minus true, mean", "mean of the numbers said minus mean of the true ones"),
    "spread": ("Spread, said / true", "their standard deviation divided by that of the true ones"),
    "slope": ("Slope, said over true", "how much more is said where the truth is one more"),
}


def against(material: Material) -> Section:
    """Numbers said beside the true ones: every sample, the mean in bins of the truth, and a straight line."""
    binned = {(m.title, name): _binned(m, n, material.weights) for m in material.shown for n, name in _outputs(m)}
    drawn = [
        figures.against(method, number, binned[method.title, name])
        for method in material.shown
        for number, name in _outputs(method)
    ]
    return section(
        "Said against true",
        "Said and true",
        "against",
        tables=[_agreement(material), _bins(material, binned)],
        figures=drawn,
    )


def by_level(material: Material) -> Section:
    """How far off a model is where there is nothing, and where there is much."""
    return section("Errors by level", "Levels", "number-levels", tables=[_levels(material)])


def cuts(material: Material) -> Section | None:
    """The number as a threshold; None where none is of interest."""
    task = material.task
    if not task.cuts:
        return None
    tables = [_cut(material, cut) for cut in task.cuts]
    return section(
        f"{capital(asked(task.outputs[0]))} as a threshold",
        "Thresholds",
        "cuts",
        tables=tables,
        first=tables[0].name,
        asked=asked(task.outputs[0]),
    )


def videos(material: Material) -> Section | None:
    """One number for a whole video; None where samples are of none."""
    if sequences.measured(held_out(material.everyone), Question.of(material.task), 1, 0.95, 0) is None:
        return None
    return section("Whole videos", "Videos", tables=[_videos(material)], titles=list(sequences.TITLES.values()))


def guesses(material: Material) -> Section:
    """What is reached without looking."""
    return section("What guessing reaches", "Guessing", tables=[_guesses(material)])


def data(material: Material) -> Section:
    """What there is in each part of the split, who is in it, and how the number is distributed."""
    everyone, task = material.everyone, material.task
    low, high = task.bounds
    return section(
        "Data and split",
        "Data",
        "numbers",
        tables=[people.data(everyone, task) if material.folds == 1 else folds.data(material), people.people(everyone)],
        figures=[figures.distribution(everyone, task, name) for name in task.outputs],
        paired=bool(everyone["sample_id"].str.endswith(HALVES).any()),
        unnamed=unnamed(everyone),
        bounds=f"{low:g} to {high:g}",
        lowest=f"{low:g}",
    )


def examples(material: Material) -> Section:
    """The samples that the method that did best on validation gets most wrong, both ways, and those nearest to true."""
    too_high, too_low, nearest = extremes(material.favourite, material.config.examples)
    groups = [("Too high, worst first", too_high), ("Too low, worst first", too_low)]
    samples = material.task.samples.capitalize()
    return section(
        f"{samples}, worst and best",
        samples,
        "number-examples",
        method=material.favourite.phrase,
        wrong=[(heading, shown(material, rows)) for heading, rows in groups if len(rows)],
        right=shown(material, nearest),
    )


def extremes(method: Method, count: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Test samples of which the first number is said too high, too low (half of ``count`` each), and best.

    The best come level by level in turn, each time the nearest to the truth that is left.
    """
    name, question = method.task.outputs[0], Question.of(method.task)
    samples = method.samples.assign(error=lambda frame: frame[f"value_{name}"] - frame[f"label_{name}"])
    ordered = samples.sort_values(["error", "sample_id"])
    too_low, too_high = ordered[ordered["error"] < 0], ordered[ordered["error"] > 0]
    near = samples.assign(size=samples["error"].abs(), level=kind.level_of(samples[f"label_{name}"], question))
    near = near.sort_values(["size", "sample_id"])
    turn = near.groupby("level").cumcount().rename("turn")
    best = near.assign(turn=turn).sort_values(["turn", "level"], kind="stable").head(count)
    half = max(1, count // 2) if count else 0
    return too_high.iloc[::-1].head(half), too_low.head(half), best.sort_values(f"label_{name}", kind="stable")


def shown(material: Material, rows: pd.DataFrame) -> list[Shown]:
    """Samples with their true number and the one that is said of them."""
    task = material.task
    truths = pictures.TRUTH[task.kind](rows, task)
    answers = rows[[f"value_{name}" for name in task.outputs]].to_numpy()
    missed = people.not_found(rows)
    return [
        Shown(
            uri,
            truth,
            (f"said {', '.join(map(decimals, values))}", *((f"{task.sample} not found",) if lost else ())),
        )
        for uri, truth, values, lost in zip(pictures.uris(material, rows), truths, answers, missed, strict=True)
    ]


def _outputs(method: Method) -> list[tuple[int, str]]:
    return list(enumerate(method.task.outputs))


def _binned(method: Method, number: int, weights: np.ndarray) -> list[figures.Bin]:
    """The mean of what is said in bins of the truth, mean over seeds with its interval over subjects."""
    runs = outcomes(method)
    truth = runs[0].label[:, number]
    made = []
    for low, high, inside in figures.bins(truth, method.task):
        total = weights @ inside.astype(float)
        said = np.mean([ratio(weights @ (inside * run.value[:, number]), total) for run in runs], axis=0)
        estimate = bootstrap.interval(said, method.confidence)
        made.append(figures.Bin(low, high, int(inside.sum()), float(truth[inside].mean()), estimate))
    return made


def _bins(material: Material, binned: dict[tuple[str, str], list[figures.Bin]]) -> Table:
    """The binned means as a table: of the method that did best on validation on the page, of all in CSV."""
    numbers, lines = [], []
    for method in material.shown:
        for _, name in _outputs(method):
            for one in binned[method.title, name]:
                facts = {"output": name, "from": one.low, "to": one.high, "samples": one.samples, "true": one.true}
                numbers.append(identity(method) | facts | numbers_of(one.said))
                if method is material.favourite and name == material.task.outputs[0]:
                    ends = f"{one.low:g}" if one.low == one.high else f"{one.low:g}–{one.high:g}"
                    line = {"True": ends, material.task.samples.capitalize(): str(one.samples)}
                    lines.append(line | {"Mean true": decimals(one.true), "Mean said": figure(one.said)})
    caption = (
        f"{material.favourite.title}: mean of what is said in each bin of the true number, "
        f"{level([material.favourite])} intervals over subjects. The CSV file has every model."
    )
    return Table("said-and-true", caption, pd.DataFrame(lines), pd.DataFrame(numbers))


def _agreement(material: Material) -> Table:
    """Bias, spread and slope of what each method says."""
    shown, numbers = [], []
    for method in material.shown:
        line: dict[str, Any] = {"Model": method.title}
        for number, name in _outputs(method):
            front = "" if len(method.task.outputs) == 1 else f"{capital(asked(name))}: "
            for key, rows in _line(method, number, material.weights).items():
                estimate = bootstrap.interval(rows, method.confidence, "needs different values")
                line[f"{front}{AGREEMENT[key][0]}"] = figure(estimate)
                numbers.append(identity(method) | {"output": name, "figure": key} | numbers_of(estimate))
        shown.append(line)
    meanings = "; ".join(f"{title}: {meaning}" for title, meaning in AGREEMENT.values())
    caption = (
        f"Test {material.task.samples}, means over seeds, {level(material.shown)} intervals over subjects. {meanings}. "
        "What is said as it is has 0, 1 and 1; a model that knows little says the mean: a spread and a slope near 0."
    )
    return Table("agreement", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _line(method: Method, number: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `AGREEMENT` in every resample, means over seeds, shape (1 + replicates,)."""
    per_run = []
    total = weights.sum(axis=1)
    for run in outcomes(method):
        true, said = run.label[:, number], run.value[:, number]

        def mean(values: np.ndarray) -> np.ndarray:
            return ratio(weights @ values, total)

        true_variance = mean(true**2) - mean(true) ** 2
        said_variance = np.maximum(mean(said**2) - mean(said) ** 2, 0)
        together = mean(true * said) - mean(true) * mean(said)
        spread = np.sqrt(ratio(said_variance, true_variance))
        per_run.append({"bias": mean(said - true), "spread": spread, "slope": ratio(together, true_variance)})
    return {name: np.mean([values[name] for values in per_run], axis=0) for name in per_run[0]}


def _levels(material: Material) -> Table:
    """MAE within each level of the truth: a row for every method, with the number of samples on top."""
    task, question = material.task, Question.of(material.task)
    names, titles = kind.levels(question), level_titles(task)
    places = kind.level_of(outcomes(material.favourite)[0].label, question)
    support = {name: int((places == number).sum()) for number, name in enumerate(names)}
    shown: list[dict[str, Any]] = [
        {"Model": f"Test {task.samples}"} | {t: str(support[n]) for n, t in zip(names, titles, strict=True)}
    ]
    numbers = []
    for method in material.shown:
        per_run = [kind.mae_by_level(run, material.weights) for run in outcomes(method)]
        rows = {name: np.stack([values[name] for values in per_run]) for name in names}
        line: dict[str, Any] = {"Model": method.title}
        for name, title in zip(names, titles, strict=True):
            reason = f"needs a {task.sample} of the level"
            estimate = bootstrap.interval(bootstrap.over_seeds(rows[name]), method.confidence, reason)
            spread = bootstrap.seed_spread(rows[name])
            line[title] = figure(estimate, spread)
            facts = {"level": name, "samples": support[name], "metric": "mae"}
            numbers.append(identity(method) | facts | numbers_of(estimate) | {"seed_sd": spread})
        shown.append(line)
    caption = (
        f"MAE (lower is better) on test {task.samples} by the true number, {level(material.shown)} intervals over "
        f"subjects, students as means over seeds ± their SD. The first level is {names[0]} alone; a level ends before "
        "its last number, which the highest includes."
    )
    return Table("number-levels", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _cut(material: Material, cut: float) -> Table:
    """Every shown method as a yes or no: whether the number is a threshold or more."""
    task = material.task
    every = kind.cut_metrics(Question.of(task), cut)
    truth = outcomes(material.favourite)[0].label[:, 0] >= cut
    shown, numbers = [], []
    for method in material.shown:
        per_run = [kind.at_cut(run, cut, material.weights) for run in outcomes(method)]
        line: dict[str, Any] = {"Model": method.title}
        for name, metric in every.items():
            rows = np.stack([values[name] for values in per_run])
            estimate = bootstrap.interval(bootstrap.over_seeds(rows), method.confidence, metric.undefined)
            spread = bootstrap.seed_spread(rows)
            if name in AT_CUTS:
                line[metric.title] = measured(metric, estimate, spread)
            facts = {"cut": cut, "support": int(truth.sum()), "metric": name}
            numbers.append(identity(method) | facts | numbers_of(estimate) | {"seed_sd": spread})
        shown.append(line)
    called = f"{capital(asked(task.outputs[0]))} of {cut:g} or more"
    caption = (
        f"{called}: {int(truth.sum())} of {len(truth)} test {task.samples}; percent with {level(material.shown)} "
        f"intervals over subjects, students as means over seeds ± their SD. Called so where the number said is {cut:g} "
        "or more; ROC-AUC ranks the number itself."
    )
    if material.folds > 1:
        caption += f" Those of {material.folds} networks, one for each fold, are ranked in one list."
    missing = {line["metric"] for line in numbers if line["metric"] in AT_CUTS and np.isnan(line["value"])}
    reasons = "; ".join(f"{every[name].title} {every[name].undefined}" for name in AT_CUTS if name in missing)
    caption += f" A dash has no value: {reasons}." if reasons else ""
    return Table(f"cut-{cut:g}".replace(".", "_"), caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _videos(material: Material) -> Table:
    """Every shown method on whole videos, in every way that their frames become one number."""
    task, question, config = material.task, Question.of(material.task), material.config
    every = described(task)
    shown, numbers = [], []
    counts = sequences.scored(tested(material.runs[0]), question, "mean")
    weights = bootstrap.resamples(counts["subject_id"].to_numpy(), config.replicates, config.seed)
    for method in material.shown:
        line: dict[str, Any] = {"Model": method.title}
        for way, title in sequences.TITLES.items():
            tables = [sequences.scored(tested(run), question, way) for run in method.runs]
            per_run = [kind.compute(kind.outcome(table, question), weights, sequences.METRIC_NAMES) for table in tables]
            for name in sequences.METRIC_NAMES:
                rows = np.stack([values[name] for values in per_run])
                estimate = bootstrap.interval(bootstrap.over_seeds(rows), method.confidence, every[name].undefined)
                if name in OF_A_VIDEO:
                    line[f"{every[name].title}, {title}"] = figure(estimate)
                facts = {"aggregation": way, "videos": len(counts), "metric": name}
                numbers.append(identity(method) | facts | numbers_of(estimate))
        shown.append(line)
    caption = (
        f"{len(counts)} test videos of {counts['subject_id'].nunique()} subjects, {int(counts['frames'].sum())} "
        f"{task.samples}; {level(material.shown)} intervals over subjects, means over seeds. The true numbers of a "
        "video become one in the same way as those that are said."
    )
    return Table("videos", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _guesses(material: Material) -> Table:
    """What is reached by saying the same of every sample, and by the model that did best on validation."""
    task, best, one = material.task, material.favourite, outcomes(material.favourite)[0]
    every = described(task)
    lines = {}
    for title, take in (("mean", np.mean), ("median", np.median)):
        constant = _constant(material, take)
        values = kind.compute(replace(one, value=constant, teacher_value=None), np.ones((1, len(one.label))), GUESSED)
        ends = list(dict.fromkeys(decimals(end) for end in (constant[:, 0].min(), constant[:, 0].max())))
        lines[f"Always the {title} ({'–'.join(ends)})"] = {name: float(value[0]) for name, value in values.items()}
    shown = [
        {"Guess": name} | {every[m].title: Cell(bare(every[m], value)) for m, value in values.items()}
        for name, values in lines.items()
    ]
    estimates: dict[str, Estimate] = {m: best.estimate(m) for m in GUESSED}
    shown.append({"Guess": best.title} | {every[m].title: measured(every[m], e) for m, e in estimates.items()})
    numbers = [{"guess": name, "metric": m, "value": v} for name, values in lines.items() for m, v in values.items()]
    numbers += [{"guess": best.title, "metric": m} | numbers_of(e) for m, e in estimates.items()]
    learned = "of the other folds" if material.folds > 1 else "of the training part"
    caption = (
        f"What is reached on the same test {task.samples} by saying one number of all of them, the mean or the median "
        f"{learned}; below, the model that did best on validation. Who always says the same has a CCC of 0; its MAE is "
        "what a model has to undercut."
    )
    return Table("guesses", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _constant(material: Material, take: Any) -> np.ndarray:
    """The one number that is said of every test sample, learned without it: float, shape (N, D)."""
    columns = [f"label_{name}" for name in material.task.outputs]
    everyone, rows = material.everyone, tested(material.runs[0])
    if material.folds == 1:
        learned = everyone[everyone["part"] == "train"]
        return np.tile(take(learned[columns].to_numpy(), axis=0), (len(rows), 1))
    per_fold = {
        fold: take(everyone.loc[everyone["fold"] != fold, columns].to_numpy(), axis=0)
        for fold in everyone["fold"].unique()
    }
    return np.stack([per_fold[fold] for fold in rows["fold"]])
