"""What the evaluation must know of a task: its kind, its outputs, and the words of its sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipeline.tasks import Task


@dataclass(frozen=True)
class Question:
    """A task as its metrics see it; the fields are those of `pipeline.tasks.Task`."""

    kind: str
    outputs: tuple[str, ...]
    positive: str = ""
    ordered: bool = False
    hard_negatives: str = ""
    bounds: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    headline: str = ""
    sample: str = "sample"
    samples: str = "samples"

    @classmethod
    def of(cls, task: Task | Mapping[str, Any]) -> Question:
        """The question of a task, or of the ``task`` that a record's config or a model card holds."""
        values = task if isinstance(task, Mapping) else vars(task)
        chosen = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()})

    @property
    def binary(self) -> bool:
        """Whether one of two classes is asked for."""
        return self.kind == "classify" and len(self.outputs) == 2

    @property
    def positive_output(self) -> int:
        """Number of the class that two-class metrics speak of."""
        return self.outputs.index(self.positive) if self.positive else len(self.outputs) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs as words: ``wide_open`` is "wide open"."""
        return tuple(name.replace("_", " ") for name in self.outputs)

    @property
    def one(self) -> str:
        """One sample, with its article."""
        return with_article(self.sample)


def with_article(words: str) -> str:
    """The words after the article that their first letter asks for."""
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
