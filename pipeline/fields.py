"""What a field of a config says of itself: its help, its choices, its bounds and its form; and how numbers are read."""

from __future__ import annotations

import math
import re
from dataclasses import field
from typing import Any

# Upper bounds, far above all that anybody trains with: what lies beyond is a slip that would cost hours or all memory.
MOST_SEED = 2**32 - 1  # numpy's oldest generator takes no more
MOST_EPOCHS = 10_000
MOST_BATCH = 65_536
LEAST_SIDE, MOST_SIDE = 32, 4096  # pixels; networks cut pictures into pieces of up to 32
MOST_VIEWS = 10_000
MOST_FOLDS = 100
MOST_LABELLED = 10_000_000  # subjects
LEAST_OUTER_FOLDS = 3  # of cross-validation: one for the test, one for validation, and one to learn from
MOST_PROCESSES = 1024
MOST_REPLICATES = 100_000
MOST_RATE = 100.0  # of learning; it also bounds what is added to or multiplied with a loss
MOST_PICTURES = 1_000_000
MOST_RATE_HZ = 20_000  # of signals; twice what the fastest of the body have
MOST_SECONDS = 3600.0
MOST_VIDEO_S = 1e6  # a camera may be read for eleven days
MOST_SMOOTH = 10_001  # steps of a filter
MOST_STEPS, MOST_CHANNELS = 2**20, 64  # of a window
MOST_PORT = 65_535


def option(
    default: Any,
    help: str,
    *,
    affects: bool = True,
    later: bool = False,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    or_zero: bool = False,
    form: str = "text",
) -> Any:
    """A dataclass field with the help text, the choices and the bounds of its command-line option.

    Parameters
    ----------
    affects : whether it can change the result.
    later : whether artifacts were made before there was such an option: its default is what they were made by.
    least, above, most, below : bounds of a number, two of them without the bound itself.
    or_zero : whether a whole number may be 0, too, which then has a meaning of its own.
    form : of a text: ``text``, ``device``, ``data`` (paths with commas), ``weights`` (a word or a path) or
        ``folds`` (of cross-validation).
    """
    bounds = {"least": least, "above": above, "most": most, "below": below}
    metadata = {"help": help, "affects": affects, "later": later}
    shown = {"choices": choices, "form": form, "or_zero": or_zero}
    return field(default=default, metadata={**metadata, **shown, **bounds})


def seed(help: str, default: int = 0, **more: Any) -> Any:
    """The option of a seed."""
    return option(default, help, least=0, most=MOST_SEED, **more)


def device() -> Any:
    """The option of a device."""
    return option("auto", "cpu, cuda, cuda:N, or auto.", affects=False, form="device")


def workers(help: str = "Processes; 0 uses every core.") -> Any:
    """The option of a number of processes."""
    return option(0, help, affects=False, least=0, most=MOST_PROCESSES)


def read_whole(text: str) -> int | None:
    """A whole number of at most 18 ASCII digits; None for any other text, where Python also reads ``٣`` and ``1_0``."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip(" ")) else None


def read_number(text: str) -> float | None:
    """A finite decimal number of ASCII digits; None for any other text, where Python also reads ``nan`` and ``1_0``."""
    written = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text.strip(" "))
    number = float(text) if written else math.nan
    return number if math.isfinite(number) else None
