"""Everything that the page shows, collected: words, tables, figures and faces."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.artifacts import Artifact
from pipeline.config import NO_TEACHER, ReportConfig
from pipeline.reporting import answer, figures, page, reproduce, tables
from pipeline.reporting.methods import HEADLINE, Method, differences
from pipeline.reporting.runs import Run


def collect(config: ReportConfig, methods: list[Method], runs: list[Run], artifacts: list[Artifact]) -> dict[str, Any]:
    """The template's values.

    Parameters
    ----------
    artifacts : samples, faces and split, then the models and their evaluations.
    """
    samples, faces, *_ = artifacts
    preset, changes = reproduce.closest_preset(artifacts)
    classes = samples.summary["classes"]
    everyone = runs[0].predictions
    return {
        "answer": answer.answer(methods),
        "demo": reproduce.is_demo(samples),
        "dataset": samples.summary["dataset"],
        "classes": classes,
        "confidence": f"{100 * config.confidence:g}%",
        "replicates": config.replicates,
        "test": {"faces": len(methods[0].faces), "subjects": methods[0].faces["subject_id"].nunique()},
        "unnamed": unnamed(everyone),
        "expressions": bool(((everyone["label"] == 0) & (everyone["expressive"] == 1)).any()),
        "detection": faces.summary["counts"],
        "seeds": sorted({run.seed for run in runs if not run.is_teacher}),
        "tables": _tables(config, methods, everyone, artifacts),
        "figures": _figures(methods, classes),
        **_faces(config, methods, faces, classes),
        "processor": methods[0].cost["processor"],
        "preset": preset.name,
        "changes": changes,
        "commands": reproduce.commands(samples, runs, preset),
        "packages": runs[0].evaluation.record["packages"],
        "configs": _configs(artifacts),
    }


def unnamed(faces: pd.DataFrame) -> bool:
    """Whether the dataset does not say who is in its pictures: each is then a subject of its own."""
    return bool((faces["sample_id"] == faces["subject_id"].astype(str) + "#full").all())


def _tables(
    config: ReportConfig, methods: list[Method], everyone: pd.DataFrame, artifacts: list[Artifact]
) -> dict[str, tables.Table]:
    samples, faces, *_ = artifacts
    found = [
        tables.comparison(methods),
        tables.differences(differences(methods)),
        tables.networks(methods),
        tables.data(everyone, samples.summary["classes"]),
        tables.people(everyone),
        tables.skipped([samples, faces]),
        tables.groups(methods, config.replicates, config.seed),
        tables.provenance(artifacts),
    ]
    return {table.name: table for table in found if table is not None}


def _figures(methods: list[Method], classes: list[str]) -> dict[str, figures.Picture]:
    losses = [run.history[["train_loss", "val_loss"]].max().max() for method in methods for run in method.runs]
    found = [figures.comparison(methods)]
    found += [figures.comparisons(pairs) for pairs in [differences(methods)] if pairs]
    found += [figures.training(method, 1.05 * max(losses)) for method in methods]
    for teacher in dict.fromkeys(m.teacher for m in methods if m.teacher != NO_TEACHER):
        family = [m for m in methods if m.teacher in (teacher, NO_TEACHER)]
        found += [figures.roc(family, teacher), figures.precision_recall(family, teacher)]
    found += [figures.confusion(method, classes) for method in methods]
    return {figure.name: figure for figure in found}


def _faces(config: ReportConfig, methods: list[Method], artifact: Artifact, classes: list[str]) -> dict[str, Any]:
    """Faces right and wrong of the best student (or teacher, without one), and the faces that were not found."""
    students = [m for m in methods if not m.is_teacher] or methods
    method = max(students, key=lambda m: (m.teacher != NO_TEACHER, m.estimate(HEADLINE).value))
    right, wrong = page.choose_faces(method, config.examples, config.seed)
    everyone = method.runs[0].predictions
    lost = everyone[everyone["detected"] == 0].head(config.examples).assign(prob=0.0)
    store = stores.open_faces(artifact)

    def shown(rows: pd.DataFrame) -> list[page.Face]:
        return page.show_faces(rows, store["images"][store.rows(rows["sample_id"])], classes)

    return {"shown_method": method.phrase, "right": shown(right), "wrong": shown(wrong), "lost": shown(lost)}


def _configs(artifacts: list[Artifact]) -> list[tuple[str, str]]:
    """Every artifact's settings that can change its result."""
    return [(artifact.slug, json.dumps(artifact.record["fingerprinted"], ensure_ascii=False)) for artifact in artifacts]
