"""Networks: one adapter file for each family of timm, one for each network of our own, and what all share."""

from pipeline.inputs.views.image import InputSpec
from pipeline.models.core import build, describe, input_spec, logits, output_layers, reads
from pipeline.models.features import axes, observe, outputs, width
from pipeline.models.saved import load_domain, load_model, save_model

__all__ = [
    "InputSpec",
    "axes",
    "build",
    "describe",
    "input_spec",
    "load_domain",
    "load_model",
    "logits",
    "observe",
    "output_layers",
    "outputs",
    "reads",
    "save_model",
    "width",
]
