"""The model card: what a network is for, what it learned from, how well it does and where it must not be used.

Source of the form: Mitchell et al. 2019, Model Cards for Model Reporting, arXiv:1810.03993.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.config import NO_TEACHER
from pipeline.evaluation.metrics.classify import METRICS
from pipeline.reporting.recipes import Recipe, level, pretty

if TYPE_CHECKING:
    import pandas as pd

PARTS = {"train": "Training", "val": "Validation", "test": "Test"}
SYNTHETIC = {"synpain"}  # datasets whose faces are made by a program; the demo set has SynPAIN's form
TEMPERED = {"soft", "dkd", "dist"}  # losses that soften logits
CALIBRATION = {
    "ece": "expected calibration error",
    "brier": "Brier score",
    "slope": "calibration slope",
    "intercept": "calibration intercept",
}


def facts(
    config: Mapping[str, Any], fingerprint: str, dataset: str, split: pd.DataFrame, best: Mapping[str, Any]
) -> dict[str, Any]:
    """What a model's record says that its card repeats.

    Parameters
    ----------
    config : all fields of the model's config, as the record holds them.
    fingerprint : of the model's artifact.
    dataset : name of the dataset's form.
    split : sample_id, subject_id and part of every face.
    best : the epoch whose weights were kept: epoch, val_loss, val_balanced_accuracy.
    """
    sizes = split.groupby("part")["subject_id"].agg(["nunique", "size"])
    parts = {part: {"subjects": int(row["nunique"]), "faces": int(row["size"])} for part, row in sizes.iterrows()}
    return {"config": config, "fingerprint": fingerprint, "dataset": dataset, "parts": parts, "best": best}


def render(card: Mapping[str, Any], record_like: Mapping[str, Any], scores: Mapping[str, Any] | None = None) -> str:
    """The card as Markdown.

    Parameters
    ----------
    card : what ``model.json`` holds.
    record_like : of `facts`.
    scores : ``test`` (``metrics.json``), ``calibration`` (``calibration.json``) and ``groups`` (rows with attribute,
        group, subjects, faces, value, low, high of the balanced accuracy), each only if it is known.
    """
    scores = scores or {}
    config = record_like["config"]
    recipe = Recipe.of(config, is_teacher="student" not in config)
    sections = [
        f"# {_title(recipe)}, seed {config['seed']}",
        _purpose(),
        _network(card),
        _data(record_like),
        _training(recipe, record_like),
        _performance(scores),
        _groups(scores.get("groups")),
        _limits(record_like["dataset"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(recipe: Recipe) -> str:
    if not recipe.student:
        return f"{pretty(recipe.teacher)} teacher"
    taught = "without a teacher" if recipe.teacher == NO_TEACHER else f"taught by {pretty(recipe.teacher)}"
    return f"{pretty(recipe.student)} student {taught}"


def _purpose() -> str:
    return (
        "## Use\n\n"
        "- For: research on recognising the facial expression of pain in aligned faces, and on distilling small "
        "networks.\n"
        "- Not for: diagnosis, treatment, triage, monitoring, insurance, or any decision about a person. Pain is what "
        "a person feels; this network sees an expression."
    )


def _network(card: Mapping[str, Any]) -> str:
    size, label = card.get("input", {}).get("size"), card.get("label", card["architecture"])
    lines = [
        f"- Network: {card['architecture']}" + (f" ({label})" if label != card["architecture"] else ""),
        f"- Parameters: {card['parameters']:,}",
        f"- Input: one aligned RGB face, {size} × {size} pixels" if size else "",
        f"- Output: {' and '.join(card['classes'])}; probabilities by softmax of the logits",
        f"- First weights: {card['weights']}",
    ]
    return _section("Network", lines)


def _data(known: Mapping[str, Any]) -> str:
    lines = [
        f"Dataset: {known['dataset']}. Parts share no subject.",
        "",
        "| part | subjects | faces |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {title} | {known['parts'][part]['subjects']} | {known['parts'][part]['faces']} |"
        for part, title in PARTS.items()
        if part in known["parts"]
    ]
    return "\n".join(["## Data", "", *lines])


def _training(recipe: Recipe, known: Mapping[str, Any]) -> str:
    config, best = known["config"], known["best"]
    taught = recipe.student and recipe.teacher != NO_TEACHER
    lines = [
        f"- Teacher: {pretty(recipe.teacher)}" if taught else "- Teacher: none; learned from the true labels",
        f"- Loss: {level('loss', recipe.loss)}{_temperature(recipe, config)}" if taught else "",
        f"- Teacher’s answers: {_answers(recipe)}" if taught else "",
        f"- Mixed pictures: {recipe.mix}" if recipe.mix != "none" else "",
        f"- Epochs: {config['epochs']}, batches of {config['batch_size']}, learning rate {config['learning_rate']:g}",
        f"- Seed: {config['seed']}",
        f"- Kept: epoch {best['epoch']:.0f}, the one with the lowest validation loss ({best['val_loss']:.4f}); "
        f"balanced accuracy on validation subjects {100 * best['val_balanced_accuracy']:.1f}%",
        f"- Fingerprint: `{known['fingerprint']}`",
    ]
    return _section("Training", lines)


def _temperature(recipe: Recipe, config: Mapping[str, Any]) -> str:
    names = {term.partition(":")[0] for term in recipe.loss.split(",")}
    return f", temperature {config['temperature']:g}" if names & TEMPERED else ""


def _answers(recipe: Recipe) -> str:
    views = "one for each face" if recipe.views == 1 else f"for {recipe.views} seeded views of each face"
    source = "asked while the student learned" if recipe.online else "cached"
    folds = f", from {recipe.folds} teachers that had not seen the subject" if recipe.folds else ""
    return f"{views}{folds}, {source}"


def _performance(scores: Mapping[str, Any]) -> str:
    test = scores.get("test")
    if not test:
        return (
            "## Performance\n\nMeasured after training: `make evaluate` writes this card again, with test figures, "
            "beside its results."
        )
    lines = [
        f"{test['faces']} test faces of {test['subjects']} subjects, {100 * test['confidence']:g}% bootstrap intervals "
        "over subjects.",
        "",
        "| measure | value | interval |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {METRICS[name].title} | {_row(e, 100, '.1f', '%')} |"
        for name, e in test["metrics"].items()
        if _there(e["value"])
    ]
    return "\n".join(["## Performance", "", *lines, *_calibration(scores.get("calibration"))])


def _calibration(known: Mapping[str, Any] | None) -> list[str]:
    if not known:
        return []
    found = known["before"]["figures"]
    lines = [f"| {title} | {_row(found[name], 1, '.3f')} |" for name, title in CALIBRATION.items() if name in found]
    value = known["temperature"]["value"]
    if _there(value):
        lines.append(f"| temperature, fitted on validation subjects | {value:.3f} | |")
    return lines


def _groups(rows: Iterable[Mapping[str, Any]] | None) -> str:
    lines = [
        f"| {_words(row['attribute'])}: {_words(row['group'])} | {row['subjects']} | {_row(row, 100, '.1f', '%')} |"
        for row in rows or ()
    ]
    if not lines:
        return ""
    head = ["Balanced accuracy on test subjects. Groups are small, their intervals wide.", ""]
    return "\n".join(
        ["## Groups of people", "", *head, "| group | subjects | value | interval |", "|---|--:|--:|--:|", *lines]
    )


def _limits(dataset: str) -> str:
    lines = ["- It recognises an expression: faces may hide pain, show it late, or be unable to show it."]
    if dataset in SYNTHETIC:
        lines.append("- Synthetic faces are not clinical evidence: nothing here speaks of photographs of patients.")
    lines += [
        "- It was measured on subjects from the source that it learned from, not on another.",
        "- Before any use near patients: their consent, clinical validation, a check of every group of people "
        "concerned, and a person who decides.",
        "- Licence of the weights: none is stated; they may be used and passed on as the dataset’s terms, and those of "
        "their first weights, allow.",
    ]
    return _section("Limits and ethics", lines)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([f"## {title}", "", *(line for line in lines if line)])


def _there(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _row(e: Mapping[str, Any], factor: float, form: str, unit: str = "") -> str:
    """``value | low to high`` of an estimate; dashes for what has no value."""
    if not _there(e["value"]):
        return "— | —"
    interval = "—"
    if _there(e["low"]):
        interval = f"{factor * e['low']:{form}} to {factor * e['high']:{form}}"
    return f"{factor * e['value']:{form}}{unit} | {interval}"


def _words(name: Any) -> str:
    return str(name).replace("_", " ")
