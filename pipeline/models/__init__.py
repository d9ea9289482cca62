"""Networks: one adapter file for each family of timm, and what all share."""

from pipeline.inputs.views.image import InputSpec
from pipeline.models.core import build, describe, input_spec, logits, output_layers
from pipeline.models.features import observe, outputs, width
from pipeline.models.saved import load_model, save_model

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
