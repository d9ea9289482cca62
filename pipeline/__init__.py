"""What things are: configuration, artifacts, stores, models, losses, metrics and figures."""

__version__ = "0.9.0"
