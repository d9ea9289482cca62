"""Synthetic data with its truth: faces rendered from a parametric human, and simulated signals of a body in pain."""

RENDERER_VERSION = 1  # raised when the same seed gives other pictures
SIMULATOR_VERSION = 1  # raised when the same seed gives other signals
