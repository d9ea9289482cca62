"""What things are: configuration, artifacts, stores, models, losses, metrics and figures."""
