"""Errors that a user can fix.

Every message says what is wrong, where, what was expected against what was found, and which command comes next.
The command line prints them as one line and exits with status 2; anything else is a bug and keeps its traceback.
"""


class PainDistillError(Exception):
    """Base class of everything a user can fix."""


class ConfigError(PainDistillError):
    """A preset, an option or a combination of options that cannot work."""


class DataError(PainDistillError):
    """Raw data that is missing, unreadable or not in a known form."""


class ArtifactError(PainDistillError):
    """An artifact that is damaged, truncated, or belongs to other inputs than it is used with."""


class WeightsError(PainDistillError):
    """Pretrained weights that cannot be had or do not fit the architecture."""


class MissingDependencyError(PainDistillError):
    """An optional package or a system library that a command needs."""
