"""Synthetic data with its truth: faces rendered from a parametric human, simulated signals of a body in pain, and
painted landscapes that may burn."""

RENDERER_VERSION = 1  # raised when the same seed gives other pictures
SIMULATOR_VERSION = 1  # raised when the same seed gives other signals
PAINTER_VERSION = 1  # raised when the same seed gives other landscapes
