"""Networks: one adapter file for each family of timm, and what all share."""

from pipeline.models.core import (
    answers,
    build,
    describe,
    heads,
    input_spec,
    load_model,
    logits,
    observe,
    save_model,
    width,
)
from pipeline.views import InputSpec

__all__ = [
    "InputSpec",
    "answers",
    "build",
    "describe",
    "heads",
    "input_spec",
    "load_model",
    "logits",
    "observe",
    "save_model",
    "width",
]
