"""What happens: one module is one command and makes one artifact; those of ``BESIDE`` join them.

A stage says what it is at its top: ``VERSION``, ``CONFIG`` (its config class), ``INPUTS`` (outputs of other stages) and
``OUTPUT``. Graph, options and documentation are derived from that.
"""

BESIDE = (
    "__main__",
    "cli",
    "folds",
    "graph",
    "housekeeping",
    "options",
    "params",
    "session",
    "students_cli",
    "surroundings",
    "sweep",
)
