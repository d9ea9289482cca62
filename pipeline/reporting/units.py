"""What is drawn in resamples and divided between parts, in words: subjects, who are people, or clips of frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.tasks import Task

SUBJECT = "subject"
UNITS = {"resize": "clip"}  # by the stage that prepared the inputs; a subject where it is not here
MODALITIES = {"rgb": "RGB", "ir": "infrared", "signal": "signal"}
_WORD = re.compile(r"(<code>.*?</code>|data:[^\"]*)|\b([Ss])ubject(?=s?\b)", re.DOTALL)


def unit(task: Task) -> str:
    """One of what intervals are over."""
    return UNITS.get(task.prepare, SUBJECT)


def units(task: Task) -> str:
    """Several of them."""
    return f"{unit(task)}s"


def who(task: Task) -> str:
    """Several of them where people are called people."""
    return "people" if unit(task) == SUBJECT else units(task)


def said(text: str, task: Task) -> str:
    """A text that speaks of subjects in the word for what they are here; code and pictures stay as they are."""
    if unit(task) == SUBJECT:
        return text
    first, rest = unit(task)[0], unit(task)[1:]
    return _WORD.sub(lambda m: m[1] or (first.upper() if m[2] == "S" else first) + rest, text)


def grouped(grouping: Mapping[str, Any], task: Task) -> str:
    """How samples became clips, in a sentence; empty where a dataset says who is shown.

    Parameters
    ----------
    grouping : as the index says it: ``{"by": "clip"}``, or ``{"by": "blocks", "length": …, "gap": …}`` in samples.
    """
    if not grouping:
        return ""
    samples, sample = task.samples, task.sample
    if grouping["by"] == "clip":
        return f"The dataset says which {samples} are of one clip."
    length, gap = grouping["length"], grouping["gap"]
    text = f"Nothing says which {samples} are of one clip: blocks of {length} consecutive {samples} stand for clips."
    if gap:
        between = f"{sample} between two blocks was" if gap == 1 else f"{gap} {samples} between two blocks were"
        return f"{text} The {between} left out, so that no block begins where one ends."
    return f"{text} Nothing was left out between them: neighbours at a border are nearly the same {sample}."
