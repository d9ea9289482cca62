"""Networks: one adapter file for each family of timm, and what all share."""

from pipeline.models.core import build, describe, heads, input_spec, load_model, logits, save_model
from pipeline.views import InputSpec

__all__ = ["InputSpec", "build", "describe", "heads", "input_spec", "load_model", "logits", "save_model"]
