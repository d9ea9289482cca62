"""Everything that the page shows: what stands at its top, and its sections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.reporting import privileged
from pipeline.reporting.answer import Answer, answer
from pipeline.reporting.common import MOST_IN_FIGURE, front
from pipeline.reporting.material import Material, Section
from pipeline.reporting.runs import described
from pipeline.reporting.sections import sections
from pipeline.reporting.units import said, unit, who
from pipeline.tasks import Task


def collect(material: Material) -> dict[str, Any]:
    """The template's values."""
    task, told = material.task, answer(material.methods, material.effects)
    return {
        "task": task,
        "unit": unit(task),
        "who": who(task),
        "privileged": privileged.modalities(material.methods),
        "answer": _answered(told, task),
        "front": front(material),
        "brief": len(material.methods) > MOST_IN_FIGURE,
        "sections": [_worded(section, task) for section in sections(material)],
        "headline": described(task)[task.headline].title,
        "demo": material.demo,
        "dataset": material.dataset,
        "confidence": material.confidence,
        "replicates": material.config.replicates,
        "test": material.test,
        "seeds": material.seeds,
        "folds": material.folds,
        "leaks": material.leaks,
    }


def _answered(told: Answer, task: Task) -> Answer:
    """An answer that speaks of subjects in the word for what they are here."""
    sentences = tuple(said(sentence, task) for sentence in told.sentences)
    return Answer(said(told.headline, task), said(told.aside, task), sentences)


def _worded(section: Section, task: Task) -> Section:
    """A section whose tables speak of subjects in the word for what they are here."""
    tables = {
        name: replace(
            table, caption=said(table.caption, task), shown=table.shown.rename(columns=lambda name: said(name, task))
        )
        for name, table in section.tables.items()
    }
    return replace(section, tables=tables)
