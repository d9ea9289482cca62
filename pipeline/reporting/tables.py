"""The report's tables of models: for the eye on the page and in LaTeX, with numbers of full precision in CSV."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts.store import Artifact
from pipeline.config import PLAIN
from pipeline.evaluation import bootstrap, significance
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.question import Question
from pipeline.reporting import power, recipes
from pipeline.reporting.cells import (
    Table,
    bare,
    direction,
    in_points,
    joined,
    lowered,
    measured,
    points,
    probability,
    short,
    signed,
    words,
)
from pipeline.reporting.effects import TEACHING, Effect
from pipeline.reporting.methods import Method, per_output
from pipeline.reporting.runs import Run, described, row
from pipeline.tasks import Task

MOST_SKIPPED = 40  # rows on the page
MOST_ARTIFACTS = 200  # likewise: outer folds have many hundreds
FEWEST_SEEDS = 6  # with fewer, a Wilcoxon test over seeds cannot reach 0.05
FACTORS = {
    "teacher": "teacher",
    TEACHING: "teacher or none",
    "mix": "mixed pictures",
    "views_strength": "strength of views",
    "online": "online teacher",
    "labelled": "labelled subjects",
}
# What a network reads, by modality, from its card.
READ = {
    "rgb": lambda entry: f"{entry['size']}\u00a0px",
    "ir": lambda entry: f"infrared {entry['size']}\u00a0px",
    "signal": lambda entry: f"{entry['length']}\u00a0steps × {entry['channels']}",
}
# Beside the headline, in the list of all students, where the task has them.
IN_BRIEF = ("specificity_hard_negatives", "macro_f1", "quadratic_kappa", "mae", "exact_match", "roc_auc", "agreement")
IN_BRIEF += ("icc", "nme_pupil", "nme_box", "fr10", "auc10")
NO_ERROR = (
    "says that no error was seen, not that none occurs: by the rule of three, error rates up to 3 in n subjects remain "
    "possible."
)
Differ = Callable[[Counter, str, int], str]  # of the counts of labels, a part and the number of outer folds, a cell
SIZES = ("parameters", "trainable", "megabytes", "gmacs", "gflops", "latency_ms", "latency_p90_ms")
OF_A_CLASS = ("precision", "recall", "f1")  # in the table of classes; the CSV file has all


def _disagreeing(counts: Counter, part: str, folds: int) -> str:
    """How many hard labels are not the true ones."""
    if f"{part}_disagrees" not in counts:
        return "—"
    wrong, every = counts[f"{part}_disagrees"], counts[part]
    return f"{wrong} of {every} ({100 * wrong / every:.1f}%)"


def _mean_of(name: str, factor: int) -> Differ:
    """How to write an error of a part: of outer folds, whose values were added up, their mean."""

    def written(counts: Counter, part: str, folds: int) -> str:
        value = counts.get(f"{part}_{name}", math.nan) / folds
        return "—" if math.isnan(value) else f"{value:.3f}" if factor == 1 else f"{factor * value:.2f}%"

    return written


# By kind of task, what says how far a teacher's answers are from the truth, and how it is written of a part.
DIFFER: dict[str, tuple[str, Differ]] = {
    "classify": ("Differ", _disagreeing),
    "multilabel": ("Differ", _disagreeing),
    "regress": ("MAE", _mean_of("error", 1)),
    "points": ("NME", _mean_of("nme", 100)),
}
_HARD = "bytes of logits and hard label, without features. Differ: {samples} whose hard label is not the true one."
HELD = {
    "classify": _HARD,
    "multilabel": _HARD,
    "regress": "bytes of the number, without features. MAE: mean distance of the teacher’s number from the true one.",
    "points": "bytes of the points, without features. NME: mean distance of the teacher’s points from the true ones.",
}


SUMMED = {"classify": "", "multilabel": "", "regress": ", of the MAE the mean,", "points": ", of the NME the mean,"}


def comparison(methods: list[Method], shown: list[Method]) -> Table:
    """Every metric of every method in CSV, of some on the page, shares in percent."""
    task, every = methods[0].task, described(methods[0].task)
    rows = [
        {"Model": method.title}
        | {metric.title: measured(metric, method.estimate(name), method.spread(name)) for name, metric in every.items()}
        for method in shown
    ]
    numbers = [
        identity(method) | {"metric": name} | numbers_of(method.estimate(name)) | {"seed_sd": method.spread(name)}
        for method in methods
        for name in every
    ]
    caption = (
        f"Test {task.samples}; {_percent_with(every)}{level(methods)} intervals over subjects, students as means over "
        "seeds ± their SD."
    )
    caption += _left_out(methods, shown) + methods[0].in_one_list(every)
    seen = [line for line in numbers if line["model"] in {method.title for method in shown}]
    missing = {line["metric"] for line in seen if np.isnan(line["value"])}
    reasons = "; ".join(f"{metric.title} {metric.undefined}" for name, metric in every.items() if name in missing)
    caption += f" A dash has no value: {reasons}." if reasons else ""
    shares = {name for name, metric in every.items() if metric.percent and metric.lower_is_better}
    if any(line["value"] == line["low"] == 1 for line in seen):
        caption += f" An interval 100.0–100.0 {NO_ERROR}"
    elif any(line["value"] == line["high"] == 0 for line in seen if line["metric"] in shares):
        caption += f" An interval 0.0–0.0 {NO_ERROR}"
    errors = [metric.title for metric in every.values() if metric.lower_is_better]
    if methods[0].headline_metric.lower_is_better or not any(metric.percent for metric in every.values()):
        caption += f" Lower is better: {joined(errors)}."
    return Table("comparison", caption, pd.DataFrame(rows), pd.DataFrame(numbers))


def per_class(methods: list[Method], shown: Method, weights: np.ndarray) -> Table:
    """Precision, recall and F1 of every class: of one method on the page; more, and of all, in CSV.

    Parameters
    ----------
    weights : of the test samples, as `pipeline.reporting.methods.draws` gives them.
    """
    task = shown.task
    every = METRICS[task.kind].per_output_metrics(Question.of(task))
    support = shown.samples["label"].value_counts()
    rows = [{"Class": words(name), "Support": str(support.get(c, 0))} for c, name in enumerate(task.outputs)]
    numbers = []
    for method in (shown, *(m for m in methods if m is not shown)):
        values = per_output(method, weights)
        for c, name in enumerate(task.outputs):
            for metric, meaning in every.items():
                one = values[metric][:, :, c]
                estimate = bootstrap.interval(bootstrap.over_seeds(one), method.confidence, meaning.undefined)
                spread = bootstrap.seed_spread(one)
                if method is shown and metric in OF_A_CLASS:
                    rows[c][meaning.title] = measured(meaning, estimate, spread)
                line = {"class": name, "support": int(support.get(c, 0)), "metric": metric} | numbers_of(estimate)
                numbers.append(identity(method) | line | {"seed_sd": spread})
    caption = f"{shown.title}, test {task.samples}; percent with {level([shown])} intervals over subjects."
    caption += shown.in_one_list(OF_A_CLASS)
    return Table("per-class", caption, pd.DataFrame(rows), pd.DataFrame(numbers))


def students(methods: list[Method]) -> Table | None:
    """Every student in brief; None when there is none."""
    shown, numbers = [], []
    for method in methods:
        if method.is_teacher:
            continue
        validation = method.validation[0]
        line: dict[str, Any] = {"Model": method.title, "Validation": bare(method.headline_metric, validation)}
        every = described(method.task)
        for name in dict.fromkeys((method.headline, *(name for name in IN_BRIEF if name in every))):
            line[every[name].title] = measured(every[name], method.estimate(name), method.spread(name))
        shown.append(line)
        estimate = numbers_of(method.estimate(method.headline))
        numbers.append(identity(method) | {f"val_{method.headline}": validation} | estimate)
    title = lowered(methods[0].headline_metric.title)
    folds = f" (of all {methods[0].folds} folds together)" if methods[0].folds > 1 else ""
    caption = f"Every student; {title} on validation subjects{folds} chose which are shown above."
    caption += methods[0].in_one_list(name for name in IN_BRIEF if name in described(methods[0].task))
    return Table("students", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def effects(comparisons: list[Effect]) -> Table | None:
    """What each choice changes in the headline metric; None when nothing can be compared."""
    if not comparisons:
        return None
    headline, metric = comparisons[0].pairs[0][0].headline, comparisons[0].metric
    tested = [significance.wilcoxon(np.array(list(e.per_seed.values()))) for e in comparisons]
    shown, numbers = [], []
    for e, over_seeds in zip(comparisons, tested, strict=True):
        first, second = e.names
        among = f", {e.among}" if e.among else ""
        line = {"Choice": f"{first} instead of {second}{among}", "Factor": FACTORS.get(e.factor, e.factor)}
        line |= {"Matched recipes": str(len(e.pairs)), "Difference": points(e.estimate, metric)}
        line |= {"Seed by seed": ", ".join(signed(value, metric) for value in e.per_seed.values()) or "—"}
        line |= {"p": probability(e.p_value), "p, corrected": probability(e.adjusted)}
        enough = len(e.per_seed) >= FEWEST_SEEDS
        line |= {"p over seeds": probability(over_seeds.p) if enough else "—", "Settled": _settled(e)}
        line |= power.columns(e)
        shown.append(line)
        numbers.append(
            {"factor": e.factor, "first": e.first, "second": e.second, "metric": headline, "recipes": len(e.pairs)}
            | numbers_of(e.estimate)
            | {"p": e.p_value, "p_holm": e.adjusted, "seeds": len(e.per_seed), "p_wilcoxon_seeds": over_seeds.p}
            | {"settled": e.settled, "labelled": e.labelled}
            | ({"improves": e.gains} if metric.lower_is_better else {})
            | power.numbers(e)
        )
    caption = (
        f"Differences of {lowered(metric.title)}{in_points(metric)}{direction(metric)}, students matched on everything "
        "else, means over the matched recipes and seeds inside every resample. p: paired bootstrap over subjects and "
        "seeds; corrected by Holm within each factor. p over seeds: Wilcoxon’s signed-rank test."
    )
    fewest = min(len(e.per_seed) for e in comparisons)
    if fewest < FEWEST_SEEDS:
        least = f"{2.0 ** (1 - fewest):.2g}" if fewest > 1 else "1"
        caption += (
            f" It is not made below {FEWEST_SEEDS} seeds: with {fewest} its smallest possible p-value is {least}."
        )
    caption += power.caption(comparisons)
    frame = pd.DataFrame(shown)
    frame = frame.drop(columns=[name for name in ("p over seeds", power.PARTS) if all(frame[name] == "—")])
    return Table("effects", caption, frame, pd.DataFrame(numbers))


def networks(methods: list[Method]) -> Table:
    """Exact architectures, where their weights came from, and what they cost; one row per network."""
    shown, numbers = [], []
    for name, alike in _by_network(methods).items():
        method = alike[0]
        architecture, cost = method.runs[0].model.config["architecture"], method.cost
        trained = "head\u00a0only" if architecture["trained"] == "head" else "all\u00a0layers"
        size = {name: cost[name] for name in SIZES if name in cost}
        runs, folds = sum(len(m.runs) for m in alike), method.folds
        read = ", ".join(READ[modality](entry) for modality, entry in method.runs[0].card["inputs"].items())
        shown.append(
            {
                "Model": name,
                "Network": method.architecture,
                "Input": read,
                "Weights": method.weights,
                "Trained": trained,
                "Runs": f"{runs} of {folds} folds" if folds > 1 else str(runs),
                "Parameters, M": short(cost["parameters"] / 1e6),
                "Trained, M": short(cost["trainable"] / 1e6) if "trainable" in cost else "—",
                "File, MB": short(cost["megabytes"]) if "megabytes" in cost else "—",
                "GFLOPs": short(cost["gflops"]),
                "Latency, ms": short(cost["latency_ms"]),
            }
        )
        facts = {"model": name, "network": method.architecture, "input": read}
        numbers.append(
            facts
            | {"weights": method.weights, "trained": trained.replace("\u00a0", " "), "runs": runs, "outer_folds": folds}
            | size
        )
    caption = "Networks as they were built. Two FLOPs per multiply-accumulate; latency of one "
    caption += f"{methods[0].task.sample} on one thread."
    return Table("networks", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def labels(caches: list[Artifact], task: Task) -> Table | None:
    """What the teachers' cached answers hold and how often they differ from the truth; None without caches."""
    if not caches:
        return None
    shown, numbers = [], []
    alike: dict[tuple, list[Artifact]] = {}
    for cache in sorted(caches, key=_contents):
        alike.setdefault(_contents(cache), []).append(cache)
        config, counts = cache.config, cache.summary["counts"]
        numbers.append(
            {"artifact": cache.slug, "teacher": config["teacher"], "views": config["views"], "folds": config["folds"]}
            | {"mix": config["mix"], "views_strength": recipes.strength_of(config), "features": config["features"]}
            | counts
            | {"bytes_per_view": cache.summary["bytes_per_view"]}
            | {"feature_bytes_per_view": cache.summary["feature_bytes_per_view"]}
        )
    for group in alike.values():
        cache, counts = group[0], Counter()
        for one in group:
            counts.update(one.summary["counts"])
        config = cache.config
        named, differ = DIFFER[task.kind]
        parts = [part for part in ("train", "val", "test") if counts[part]]
        told = {part: differ(counts, part, len(group)) for part in parts}
        size = cache.summary["bytes_per_view"]
        shown.append(
            {
                "Labels": _labels_in_words(config),
                f"{named}, training {task.samples}": told.get("train", "—"),
                "validation": told.get("val", "—"),
                "test": told.get("test", "—"),
                task.samples.capitalize(): str(counts["samples"]),
                "Views computed": str(counts["views_computed"]),
                "copied": str(counts["views_copied"]),
                f"Bytes per {task.sample} and view": f"{size:.1f}",
            }
        )
    caption = (
        f"Cached answers; {HELD[task.kind].format(samples=task.samples)} A teacher that was trained on the "
        f"{task.samples} it labels mostly repeats their truth; cross-fitted teachers (folds) label subjects that they "
        "have not seen."
    )
    if (outer := max(map(len, alike.values()))) > 1:
        caption += f" Sums{SUMMED[task.kind]} over the {outer} outer folds, each with teachers of its own."
    return Table("labels", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def runs(gathered: list[Run]) -> Table:
    """One row per run: the grid as numbers."""
    frame = pd.DataFrame([row(run) for run in sorted(gathered, key=lambda run: (run.recipe.order, run.seed))])
    headline = gathered[0].task.headline
    frame = frame.astype({"views": "Int64"})  # a teacher has none
    budget = ["labelled"] if frame["labelled"].fillna(0).any() else []
    brief = frame[["student", "teacher", "loss", "views", "folds", *budget, "seed", f"val_{headline}", headline]]
    shown = brief.astype(object).where(brief.notna(), "").map(lambda v: f"{v:.4f}" if isinstance(v, float) else str(v))
    return Table("runs", "Every run.", shown, frame)


def skipped(artifacts: list[Artifact]) -> Table | None:
    """Every file or sample that a stage could not use as it is, with the reason; None when there is none."""
    rows = [
        {
            "Stage": artifact.record["stage"],
            "File or sample": str(entry.get("sample_id") or entry.get("file", "")),
            "Reason": str(entry["reason"]),
        }
        for artifact in artifacts
        for entry in artifact.summary.get("skipped", [])
    ]
    frame = pd.DataFrame(rows)
    caption = "Files and samples that could not be used as they are."
    if len(rows) > MOST_SKIPPED:
        caption += f" The first {MOST_SKIPPED} of {len(rows)}; the CSV file has all."
    return Table("skipped", caption, frame.head(MOST_SKIPPED), frame) if rows else None


def provenance(artifacts: list[Artifact]) -> Table:
    """Stage, version and fingerprint of every artifact that went into the report."""
    frame = pd.DataFrame(
        [
            {
                "Artifact": artifact.slug,
                "Stage": artifact.record["stage"],
                "Version": artifact.record["version"],
                "Fingerprint": artifact.fingerprint,
            }
            for artifact in artifacts
        ]
    )
    shown, caption = frame.assign(Fingerprint=frame["Fingerprint"].str[:12]), "Artifacts behind this report."
    if len(frame) > MOST_ARTIFACTS:
        caption += f" The first {MOST_ARTIFACTS} of {len(frame)}; the CSV file has all."
    return Table("artifacts", caption, shown.head(MOST_ARTIFACTS), frame)


def identity(method: Method) -> dict[str, Any]:
    """The columns by which a CSV file names a method."""
    recipe = method.recipe
    facts = {"model": method.title, "student": recipe.student, "teacher": recipe.teacher, "loss": recipe.loss}
    facts |= {"views": recipe.views, "folds": recipe.folds, "mix": recipe.mix}
    facts |= {"views_strength": recipe.views_strength, "online": recipe.online, "labelled": recipe.labelled}
    return facts | {"network": method.architecture, "seeds": len(method.runs)}


def numbers_of(estimate: Estimate) -> dict[str, Any]:
    """An estimate as columns of a CSV file."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "undefined": estimate.undefined}


def level(methods: list[Method]) -> str:
    """The confidence level of the methods' intervals, such as 95%."""
    return f"{100 * methods[0].confidence:g}%"


def _percent_with(every: Mapping[str, Metric]) -> str:
    """What is said of the unit of several metrics, where some are shares."""
    return in_points(max(every.values(), key=lambda metric: metric.percent), "percent with ")


def _settled(e: Effect) -> str:
    """Whether an effect is settled; of an error, which way."""
    if not e.settled:
        return "no"
    return ("yes, better" if e.gains else "yes, worse") if e.metric.lower_is_better else "yes"


def _left_out(methods: list[Method], shown: list[Method]) -> str:
    """Where the other methods are, when a table shows some."""
    if len(shown) == len(methods):
        return ""
    return (
        f" Of {len(methods)} models: the teachers, each teacher’s student with the best validation, and the student "
        "without one; the CSV file has all."
    )


def _contents(cache: Artifact) -> tuple:
    """The order of caches: by teacher, folds, kind of views and their number, features."""
    first = (cache.config[name] for name in ("teacher", "folds", "mix"))
    return (*first, recipes.strength_of(cache.config), cache.config["views"], cache.config["features"])


def _labels_in_words(config: dict[str, Any]) -> str:
    """Who answered for what."""
    config = config | {"views_strength": recipes.strength_of(config)}
    quiet = {"folds": 0, "mix": "none", "views_strength": PLAIN}
    varied = [name for name in ("views", "mix", "views_strength", "folds") if config[name] != quiet.get(name)]
    details = [recipes.level(name, config[name]) for name in varied]
    details += [f"with {config['features'].replace(',', ' and ')}"] if config["features"] else []
    return ", ".join([recipes.pretty(config["teacher"]), *details])


def _by_network(methods: list[Method]) -> dict[str, list[Method]]:
    """Methods of one network under the network's role."""
    by_network: dict[tuple, list[Method]] = {}
    for method in methods:
        role = method.title if method.is_teacher else f"{recipes.pretty(method.student)} student"
        by_network.setdefault((role, method.runs[0].network), []).append(method)
    return {role: alike for (role, _), alike in by_network.items()}
