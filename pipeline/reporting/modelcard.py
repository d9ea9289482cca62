"""The model card: what a network is for, what it learned from, how well it does and where it must not be used.

Source of the form: Mitchell et al. 2019, Model Cards for Model Reporting, arXiv:1810.03993. Its words stand in
``template/model_card.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.config import EACH_SUBJECT, NO_TEACHER, ONE_SPLIT
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.reporting import page
from pipeline.reporting.cells import digits, valued
from pipeline.reporting.recipes import Recipe, level, pretty
from pipeline.reporting.runs import GENERATED, described, task_of
from pipeline.reporting.units import MODALITIES, said, who

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.tasks import Task

PARTS = {"train": "Training", "val": "Validation", "test": "Test"}
TEMPERED = {"soft", "dkd", "dist"}  # losses that soften logits, of kinds of tasks whose answers are such
OF_LOGITS = ("classify", "multilabel")
PLAIN = Metric("", "", "", percent=False)  # any metric that is no share
CALIBRATION = {
    "ece": "expected calibration error",
    "brier": "Brier score",
    "slope": "calibration slope",
    "intercept": "calibration intercept",
}


def facts(
    config: Mapping[str, Any],
    fingerprint: str,
    dataset: str,
    split: pd.DataFrame,
    best: Mapping[str, Any],
    fold: str = "",
) -> dict[str, Any]:
    """What a model's record says that its card repeats.

    Parameters
    ----------
    config : all fields of the model's config, as the record holds them.
    fingerprint : of the model's artifact.
    dataset : name of the dataset's form.
    split : sample_id, subject_id and part of every sample.
    best : the epoch whose weights were kept: epoch, val_loss, val_<headline>.
    fold : which outer fold the test part is, in words; empty of one split.
    """
    sizes = split.groupby("part")["subject_id"].agg(["nunique", "size"])
    parts = {part: {"subjects": int(row["nunique"]), "samples": int(row["size"])} for part, row in sizes.iterrows()}
    shared = int((split.groupby("subject_id")["part"].nunique() > 1).sum())
    return {
        "config": config,
        "fingerprint": fingerprint,
        "dataset": dataset,
        "parts": parts,
        "shared": shared,
        "best": best,
        "fold": fold,
    }


def fold_of(split: Mapping[str, Any]) -> str:
    """Which outer fold a split is, in words, from its config; empty of one split."""
    if split["cv"] == ONE_SPLIT:
        return ""
    of = "with one subject each" if split["cv"] == EACH_SUBJECT else f"of {split['cv']}"
    return f"fold {split['fold'] + 1} {of}"


def render(card: Mapping[str, Any], record_like: Mapping[str, Any], scores: Mapping[str, Any] | None = None) -> str:
    """The card as Markdown.

    Parameters
    ----------
    card : what ``model.json`` holds.
    record_like : of `facts`.
    scores : ``test`` (``metrics.json``), ``calibration`` (``calibration.json``), ``domain`` (``domain.json``) and
        ``groups`` (rows with attribute, group, subjects, value, low, high of the headline metric), each only if it is
        known.
    """
    scores, config = scores or {}, record_like["config"]
    recipe, task = Recipe.of(config, is_teacher="student" not in config), task_of(config)
    environment = page.environment(autoescape=False)
    headline = described(task)[task.headline]
    grouped_by = described(task)[METRICS[task.kind].GROUPED or task.headline]
    environment.filters |= {"pretty": pretty, "measured": lambda row: _row(row, grouped_by)}
    text = environment.get_template("model_card.md").render(
        **record_like,
        sizes=[(title, record_like["parts"][part]) for part, title in PARTS.items() if part in record_like["parts"]],
        card=card,
        task=task,
        recipe=recipe,
        title=_title(recipe),
        taught=bool(recipe.student) and recipe.teacher != NO_TEACHER,
        loss=level("loss", recipe.loss) + (_temperature(recipe, config) if task.kind in OF_LOGITS else ""),
        answers=_answers(recipe, task.sample),
        headline=headline,
        reached=valued(headline, record_like["best"][f"val_{task.headline}"]),
        grouped_by=grouped_by,
        who=who(task),
        spared=[MODALITIES[name] for name in task.teacher_inputs if recipe.student and name not in card["inputs"]],
        generated=record_like["dataset"] in GENERATED,
        learned_from=card.get("learned_from", {}),
        strange=[(PARTS[part].lower(), counts) for part, counts in (scores.get("domain") or {}).items()],
        test=scores.get("test"),
        measures=_measures(scores, task),
        groups=scores.get("groups") or (),
    )
    return said(text, task)


def _title(recipe: Recipe) -> str:
    if not recipe.student:
        return f"{pretty(recipe.teacher)} teacher"
    taught = "without a teacher" if recipe.teacher == NO_TEACHER else f"taught by {pretty(recipe.teacher)}"
    return f"{pretty(recipe.student)} student {taught}"


def _temperature(recipe: Recipe, config: Mapping[str, Any]) -> str:
    names = {term.split(":")[0].split("@")[0] for term in recipe.loss.split(",")}
    return f", temperature {config['temperature']:g}" if names & TEMPERED else ""


def _answers(recipe: Recipe, sample: str) -> str:
    views = f"one for each {sample}" if recipe.views == 1 else f"for {recipe.views} seeded views of each {sample}"
    source = "asked while the student learned" if recipe.online else "cached"
    folds = f", from {recipe.folds} teachers that had not seen the subject" if recipe.folds else ""
    return f"{views}{folds}, {source}"


def _measures(scores: Mapping[str, Any], task: Task) -> list[tuple[str, str]]:
    """Name, and value with interval, of what has a value."""
    test, calibration, every = scores.get("test"), scores.get("calibration"), described(task)
    measures = test["metrics"] if test else {}
    rows = [(every[n].title, _row(e, every[n])) for n, e in measures.items() if _there(e["value"])]
    if calibration:
        figures, temperature = calibration["before"]["figures"], calibration["temperature"]["value"]
        rows += [(title, _row(figures[name], PLAIN)) for name, title in CALIBRATION.items() if name in figures]
        if _there(temperature):
            rows.append(("temperature, fitted on validation subjects", f"{temperature:.3f} |"))
    return rows


def _there(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _row(e: Mapping[str, Any], metric: Metric) -> str:
    """``value | low to high`` of an estimate; dashes for what has no value."""
    if not _there(e["value"]):
        return "— | —"
    times, form, unit = (100, f".{digits(metric)}f", "%") if metric.percent else (1, ".3f", "")
    interval = f"{times * e['low']:{form}} to {times * e['high']:{form}}" if _there(e["low"]) else "—"
    return f"{times * e['value']:{form}}{unit} | {interval}"
