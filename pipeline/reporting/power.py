"""What a comparison could have shown, in words: the smallest difference that it would have found, what less needs."""

from __future__ import annotations

import math
from typing import Any

from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.power import POWER, Design, difference_of
from pipeline.reporting.cells import amount, apart, factor, in_points, lowered
from pipeline.reporting.effects import Effect

CHANCE = f"{100 * POWER:g}%"
PARTS = "Subjects / seeds / both, %"
ROUGH = 20  # subjects; from fewer, a standard error is off by a sixth or more of its size as often as not


def wanted(metric: Metric) -> str:
    """The difference that subjects and seeds are counted for: ``2 points``, ``0.02 CCC``."""
    return f"{_wanted(metric)} {in_points(metric, 'points') or lowered(metric.title)}"


def columns(e: Effect) -> dict[str, str]:
    """The cells of one comparison."""
    return {
        f"Smallest with {CHANCE} power": apart(e.metric, e.smallest) if e.needed else "—",
        f"{wanted(e.metric)} need": _counted(e.needed) if e.needed else "—",
        PARTS: " / ".join(f"{100 * share:.0f}" for share in _shares(e)) if e.needed and e.error.seeds > 1 else "—",
    }


def numbers(e: Effect) -> dict[str, Any]:
    """The same for the CSV file."""
    needed = e.needed or Design(None, None)
    return {
        "subjects": e.error.subjects,
        "se": e.error.total,
        "se_subjects": e.error.of_subjects,
        "se_seeds": e.error.of_seeds,
        "se_both": e.error.of_both,
        "alpha": e.alpha,
        "smallest_difference": e.smallest,
        "needed_subjects": needed.subjects,
        "needed_seeds": needed.seeds,
    }


def caption(comparisons: list[Effect]) -> str:
    """What the columns mean; empty where they are."""
    judged = [e for e in comparisons if e.needed]
    if not judged:
        return ""
    subjects, seeds = judged[0].error.subjects, min(e.error.seeds for e in judged)
    text = (
        f" Smallest with {CHANCE} power: (z(1 − α/2) + z({POWER:g})) × SE, α as Holm asks of the factor’s smallest p. "
        f"{wanted(judged[0].metric)} need: so many in place of {_plural(subjects, 'subject')} and "
        f"{_plural(seeds, 'seed')}."
    )
    if any(e.error.seeds > 1 for e in judged):
        text += f" {PARTS}: where the variance comes from; both: seeds that err on different subjects."
    if seeds == 1:
        text += " One seed says nothing of others: what they would add is not in it."
    if subjects < ROUGH:
        text += f" From {subjects} subjects both are rough."
    return text


def unseen(e: Effect) -> str:
    """What the comparison could not have shown, for a headline; empty where that is not known."""
    if e.needed is None or e.significant:
        return ""
    text = f"{_plural(e.error.subjects, 'subject')} could not have shown less than {amount(e.metric, e.smallest)}"
    if e.smallest <= difference_of(e.metric):
        return text
    with_seeds = f" with {about(e.needed.seeds)} seeds" if e.needed.seeds else ""
    return f"{text}; about {about(e.needed.subjects)}{with_seeds} would show {_wanted(e.metric)}"


def sentence(e: Effect) -> str:
    """What that means, and what it comes from; empty where that is not known."""
    if e.needed is None:
        return ""
    run = f"{_plural(e.error.subjects, 'subject')} and {_plural(e.error.seeds, 'seed')}"
    text = f"With {run}, a true difference of {amount(e.metric, e.smallest)} had a chance of {CHANCE} to be found"
    if e.smallest > difference_of(e.metric):
        text += f"; one of {wanted(e.metric)} would need about {_counted(e.needed)}"
    if e.error.seeds < 2:
        return f"{text} (what other seeds would change is not in this)."
    subjects, seeds, both = (f"{100 * share:.0f}%" for share in _shares(e))
    origin = f"{subjects} comes from subjects, {seeds} from seeds, {both} from seeds that err on different subjects"
    return f"{text}. Of the variance, {origin}."


def about(count: int) -> str:
    """A number of two significant digits, rounded up, with commas."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"{math.ceil(count / unit) * unit:,}"


def _wanted(metric: Metric) -> str:
    return f"{factor(metric) * difference_of(metric):g}"


def _shares(e: Effect) -> list[float]:
    """The parts of the variance that come from subjects, from seeds, and from both together."""
    return [(part / e.error.total) ** 2 for part in (e.error.of_subjects, e.error.of_seeds, e.error.of_both)]


def _counted(design: Design) -> str:
    """``490 subjects, 28 seeds``"""
    subjects = f"{about(design.subjects)} subjects"
    return f"{subjects}, {about(design.seeds)} seeds" if design.seeds else subjects


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
