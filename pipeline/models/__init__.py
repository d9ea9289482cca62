"""Networks: one adapter file for each family of timm, and what all share."""

from pipeline.inputs.views.image import InputSpec
from pipeline.models.core import build, describe, input_spec, load_model, logits, output_layers, save_model
from pipeline.models.features import observe, outputs, width

__all__ = [
    "InputSpec",
    "build",
    "describe",
    "input_spec",
    "load_model",
    "logits",
    "observe",
    "output_layers",
    "outputs",
    "save_model",
    "width",
]
