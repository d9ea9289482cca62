"""The sections of a report in their order, by kind of task."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.reporting import (
    budget,
    classify,
    common,
    embeddings,
    folds,
    levels,
    losses,
    multilabel,
    privileged_tables,
    signals,
    thresholds,
)
from pipeline.reporting.material import Material, Section

# A section that has nothing to say of the material is None.
SECTIONS: dict[str, tuple[Callable[[Material], Section | None], ...]] = {
    "classify": (
        common.results,
        folds.folds,
        losses.losses,
        levels.levels,
        classify.classes,
        common.effects,
        budget.known_labels,
        common.transfer,
        common.labels,
        classify.calibration,
        common.sources,
        common.groups,
        common.networks,
        classify.data,
        signals.windows,
        common.detection,
        classify.training,
        classify.curves,
        classify.confusion,
        classify.examples,
        common.reproduce,
        common.checklist,
        common.limits,
    ),
    "multilabel": (
        common.results,
        privileged_tables.passed_on,
        folds.folds,
        losses.losses,
        multilabel.by_label,
        common.effects,
        budget.known_labels,
        common.transfer,
        common.labels,
        thresholds.thresholds,
        common.sources,
        common.groups,
        common.networks,
        multilabel.data,
        common.detection,
        multilabel.training,
        multilabel.curves,
        embeddings.embeddings,
        multilabel.examples,
        common.reproduce,
        common.checklist,
        common.limits,
    ),
}


def sections(material: Material) -> list[Section]:
    """All sections that the material has something for."""
    return [made for make in SECTIONS[material.task.kind] if (made := make(material)) is not None]
