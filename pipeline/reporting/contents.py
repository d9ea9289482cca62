"""Everything that the page shows: what stands at its top, and its sections."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.answer import answer
from pipeline.reporting.common import MOST_IN_FIGURE, front
from pipeline.reporting.material import Material
from pipeline.reporting.runs import described
from pipeline.reporting.sections import sections


def collect(material: Material) -> dict[str, Any]:
    """The template's values."""
    return {
        "task": material.task,
        "answer": answer(material.methods, material.effects),
        "front": front(material),
        "brief": len(material.methods) > MOST_IN_FIGURE,
        "sections": sections(material),
        "headline": described(material.task)[material.task.headline].title,
        "demo": material.demo,
        "dataset": material.dataset,
        "confidence": material.confidence,
        "replicates": material.config.replicates,
        "test": material.test,
        "seeds": material.seeds,
        "folds": material.folds,
        "leaks": material.leaks,
    }
