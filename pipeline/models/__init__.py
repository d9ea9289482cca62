"""Networks: one adapter file for each family of timm, and what all share."""

from pipeline.inputs.views.image import InputSpec
from pipeline.models.core import build, describe, heads, input_spec, load_model, logits, save_model
from pipeline.models.features import answers, observe, width

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
