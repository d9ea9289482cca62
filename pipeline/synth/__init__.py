"""Synthetic faces with known expressions, rendered from a parametric human."""

RENDERER_VERSION = 1  # raised when the same seed gives other pictures
