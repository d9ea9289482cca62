"""Everything that the page shows, collected: words, tables, figures and faces."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact
from pipeline.config import NO_TEACHER, ReportConfig
from pipeline.evaluation import calibration
from pipeline.reporting import answer, checklist, effects, figures, page, people, quality, reproduce, tables
from pipeline.reporting.effects import Effect
from pipeline.reporting.methods import Method, chosen, draws, favourite
from pipeline.reporting.recipes import pretty
from pipeline.reporting.runs import Run

MOST_IN_FIGURE = 9  # methods that a figure can name one by one


def collect(
    config: ReportConfig,
    methods: list[Method],
    runs: list[Run],
    data: list[Artifact],
    models: list[Artifact],
    caches: list[Artifact],
) -> dict[str, Any]:
    """The template's values.

    Parameters
    ----------
    data : samples, faces and split.
    models : the models and their evaluations.
    caches : the teachers' cached answers.
    """
    samples, faces, _ = data
    artifacts = [*data, *caches, *models]
    preset, changes = reproduce.closest_preset(artifacts)
    classes = samples.summary["classes"]
    everyone, found = runs[0].predictions, effects.effects(methods)
    shown = chosen(methods)
    content = {
        "answer": answer.answer(methods, found),
        "demo": reproduce.is_demo(samples),
        "dataset": samples.summary["dataset"],
        "classes": classes,
        "confidence": f"{100 * config.confidence:g}%",
        "alpha": f"{1 - config.confidence:.2g}",
        "replicates": config.replicates,
        "test": {"faces": len(methods[0].faces), "subjects": methods[0].faces["subject_id"].nunique()},
        "unnamed": unnamed(everyone),
        "expressions": bool(((everyone["label"] == 0) & (everyone["expressive"] == 1)).any()),
        "detection": faces.summary["counts"],
        "seeds": sorted({run.seed for run in runs if not run.is_teacher}),
        "counts": {"methods": len(methods), "shown": len(shown), "runs": len(runs)},
        "figures": _figures(methods, found, classes),
        **_faces(config, methods, faces, classes),
        "definitions": quality.DEFINITIONS,
        "calibration": calibration.FIGURES,
        "processor": methods[0].cost["processor"],
        "preset": preset.name,
        "changes": changes,
        "commands": reproduce.commands(samples, runs, preset),
        "packages": runs[0].evaluation.record["packages"],
        "configs": [(a.slug, json.dumps(a.record["fingerprinted"], ensure_ascii=False)) for a in artifacts],
    }
    kept = _tables(config, methods, runs, found, classes)
    kept += [tables.labels(caches), tables.skipped([samples, faces]), tables.provenance(artifacts)]
    named = {table.name: table for table in kept if table is not None}
    weighting = {run.model.config["class_weights"] for run in runs}
    facts = checklist.facts(content, everyone, methods, weighting)
    reported = checklist.table(facts, rendered=content["demo"] or content["dataset"] == "synpain")
    return content | {"tables": named | {reported.name: reported}}


def unnamed(faces: pd.DataFrame) -> bool:
    """Whether the dataset does not say who is in its pictures: each is then a subject of its own."""
    return bool((faces["sample_id"] == faces["subject_id"].astype(str) + "#full").all())


def _tables(
    config: ReportConfig, methods: list[Method], runs: list[Run], found: list[Effect], classes: list[str]
) -> list[tables.Table | None]:
    """All tables of models and of faces."""
    shown, everyone = chosen(methods), runs[0].predictions
    weights = draws(runs[0], config.replicates, config.seed)
    divided = people.divide(shown, weights)
    order = effects.ranked(found)
    rivals = effects.between(found, *order[:2]) if order else None
    return [
        tables.comparison(methods, shown),
        tables.students(methods),
        tables.effects(found),
        tables.networks(methods),
        tables.runs(runs),
        quality.opinions(rivals) if rivals else None,
        quality.transferred(methods, shown, weights),
        quality.calibrated(shown, weights),
        people.data(everyone, classes),
        people.people(everyone),
        people.detection(everyone, config.confidence),
        people.within(shown, divided),
        people.gaps(shown, divided),
    ]


def families(methods: list[Method]) -> dict[str, list[Method]]:
    """By title: a teacher, one of its students, and that student without a teacher."""
    found: dict[str, list[Method]] = {}
    students = list(dict.fromkeys(m.student for m in methods if not m.is_teacher))
    for teacher in dict.fromkeys(m.teacher for m in methods if not m.is_untaught):
        for student in students or [""]:
            title = f"{pretty(student)} ← {pretty(teacher)}" if len(students) > 1 else pretty(teacher)
            family = [m for m in methods if m.teacher in (teacher, NO_TEACHER) and m.student in ("", student)]
            found[title] = family
    return found


def _figures(methods: list[Method], found: list[Effect], classes: list[str]) -> dict[str, figures.Picture]:
    """All figures; where there are many methods, panels of single ones for the chosen alone."""
    shown = chosen(methods)
    losses = [run.history[["train_loss", "val_loss"]].max().max() for method in shown for run in method.runs]
    drawn = [figures.comparison(methods if len(methods) <= MOST_IN_FIGURE else shown)]
    drawn += [figures.recipes(methods)] if len(methods) > MOST_IN_FIGURE else []
    drawn += [figures.effects(found)] if found else []
    drawn += [figures.training(method, 1.05 * max(losses)) for method in shown]
    for title, family in families(shown).items():
        drawn += [curve(family, title) for curve in (figures.roc, figures.precision_recall, figures.reliability)]
    drawn += [figures.confusion(method, classes) for method in shown]
    return {figure.name: figure for figure in drawn}


def _faces(config: ReportConfig, methods: list[Method], artifact: Artifact, classes: list[str]) -> dict[str, Any]:
    """Faces right and wrong of the student (or teacher, without one) best on validation, and faces not found."""
    method = favourite(methods) or max(methods, key=lambda m: m.validation)
    right, wrong = page.choose_faces(method, config.examples, config.seed)
    everyone = method.runs[0].predictions
    lost = everyone[everyone["detected"] == 0].head(config.examples).assign(prob=0.0)
    store = arrays.open_inputs(artifact)

    def shown(rows: pd.DataFrame) -> list[page.Face]:
        return page.show_faces(rows, store["rgb"][store.rows(rows["sample_id"])], classes)

    return {"shown_method": method.phrase, "right": shown(right), "wrong": shown(wrong), "lost": shown(lost)}
