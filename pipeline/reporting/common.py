"""Sections that every kind of task has."""

from __future__ import annotations

import json

import pandas as pd

from pipeline.artifacts.names import without_fold
from pipeline.artifacts.store import Artifact
from pipeline.reporting import checklist as tripod
from pipeline.reporting import effects as comparisons
from pipeline.reporting import figures, people, power, quality, tables
from pipeline.reporting import reproduce as again
from pipeline.reporting.cells import joined, lowered
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.pictures import lost
from pipeline.reporting.units import who

MOST_IN_FIGURE = 9  # methods that a figure can name one by one
LACKING = {"multilabel": "few of them have every label, which macro F1 needs"}  # why the headline compares no groups


def front(material: Material) -> figures.Picture:
    """The figure at the top: the headline metric of the methods that it has room for."""
    methods = material.methods
    return figures.comparison(methods if len(methods) <= MOST_IN_FIGURE else material.shown)


def results(material: Material) -> Section:
    """Every metric of the methods."""
    methods, shown = material.methods, material.shown
    return section(
        "Results",
        "Results",
        tables=[tables.comparison(methods, shown), tables.students(methods), tables.runs(material.runs)],
        figures=[figures.recipes(methods) if len(methods) > MOST_IN_FIGURE else None],
        methods=len(methods),
        shown=len(shown),
        budget=any(method.recipe.labelled for method in methods),
        runs=len(material.runs),
    )


def effects(material: Material) -> Section | None:
    """What each choice changes; None where nothing can be compared."""
    if not material.effects:
        return None
    metric, order = material.effects[0].metric, comparisons.ranked(material.effects)
    rivals = comparisons.between(material.effects, *order[:2]) if order else None
    return section(
        "Effects: which choice changes what",
        "Effects",
        tables=[tables.effects(material.effects), quality.opinions(rivals) if rivals else None],
        figures=[figures.effects(material.effects)],
        alpha=f"{1 - material.config.confidence:.2g}",
        opinions=joined(quality.second_tests(material.task)),
        chance=power.CHANCE,
        error=metric.title if metric.lower_is_better else "",
    )


def transfer(material: Material) -> Section | None:
    """What of the teachers reached the students; None without a teacher and its student."""
    table = quality.transferred(material.methods, material.shown, material.weights)
    definitions = quality.definitions(material.task)
    return table and section("Transfer efficiency", "Transfer", tables=[table], definitions=definitions)


def labels(material: Material) -> Section | None:
    """What the teachers answered; None without cached labels."""
    table = tables.labels(material.caches, material.task)
    return table and section("Labels: what the teachers said", "Labels", tables=[table])


def sources(material: Material) -> Section | None:
    """The headline metric by dataset; None where there is one."""
    if not material.sources:
        return None
    table = people.sources(material.shown, material.weights)
    return section("Sources of data", "Sources", tables=[table], cross=bool(people.unseen(material.everyone)))


def groups(material: Material) -> Section | None:
    """Who, or what, fares worse; None where nothing is known of them."""
    divided = people.divide(material.shown, material.weights)
    within, gaps = people.within(material.shown, divided), people.gaps(material.shown, divided)
    headline = material.favourite.headline_metric
    lacking = f"{lowered(headline.title)} {headline.undefined}, which few of them have"
    return within and section(
        f"Groups of {who(material.task)}",
        "Groups",
        tables=[within, gaps],
        metric=people.compared_by(material.favourite).title,
        lacking=LACKING.get(material.task.kind, lacking),
    )


def networks(material: Material) -> Section:
    """What was compared and what it costs."""
    return section(
        "What was compared, and what it costs",
        "Networks and cost",
        "networks",
        tables=[tables.networks(material.methods)],
        processor=material.methods[0].cost["processor"],
    )


def detection(material: Material) -> Section | None:
    """What was not found, and what could not be used; None where nothing was looked for and all was used."""
    counts, skipped = material.inputs.summary["counts"], tables.skipped([material.samples, material.inputs])
    looked = "detected" in material.everyone
    if not looked:
        return skipped and section("What could not be used", "Skipped", "detection", tables=[skipped], counts={})
    by_group = people.detection(material.everyone, material.task, material.config.confidence)
    return section("Detection failures", "Detection", tables=[skipped, by_group], counts=counts, lost=lost(material))


def reproduce(material: Material) -> Section:
    """What makes the report again."""
    artifacts = material.artifacts
    preset, changes = again.closest_preset(artifacts, material.task)
    return section(
        "How to reproduce",
        "Reproduce",
        tables=[tables.provenance(artifacts)],
        preset=preset.name,
        changes=changes,
        commands=again.commands(
            material.samples, material.runs, preset, material.splits[0].config, material.config.benchmark
        ),
        packages=material.runs[0].evaluation.record["packages"],
        configs=_settings(artifacts),
    )


def checklist(material: Material) -> Section:
    """What a paper has to report."""
    table = tripod.table(tripod.facts(material), material.rendered)
    return section("Checklist for a paper", "Checklist", tables=[table])


def limits(material: Material) -> Section:
    """What nothing here says."""
    return section("Limits and ethics", "Limits", generated=material.rendered, sources=material.sources)


def _settings(artifacts: list[Artifact]) -> list[tuple[str, str]]:
    """What can change each artifact, as text; the task, which all share, and what folds repeat, once."""
    every = {without_fold(artifact.slug): dict(artifact.record["fingerprinted"]) for artifact in artifacts}
    tasks = [settings.pop("task") for settings in every.values() if "task" in settings]
    texts = {slug: json.dumps(settings, ensure_ascii=False) for slug, settings in every.items()}
    return [("task", json.dumps(tasks[0], ensure_ascii=False)), *texts.items()]


def unnamed(samples: pd.DataFrame) -> bool:
    """Whether the dataset does not say who is in its pictures: each is then a subject of its own."""
    return bool((samples["sample_id"] == samples["subject_id"].astype(str) + "#full").all())
