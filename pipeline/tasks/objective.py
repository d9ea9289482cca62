"""What a student minimises, written as text: ``hard``, ``soft:0.7,hint:0.3``, ``soft+label``.

The text is read without torch, so that the graph knows what of a teacher a student needs before anything is loaded.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from pipeline.errors import ConfigError

# What each loss needs of the teacher.
REQUIRED_TARGETS = {
    "label": (),
    "hard": ("hard",),
    "soft": ("logits",),
    "dkd": ("logits",),
    "dist": ("logits",),
    "cosine": ("hidden",),
    "hint": ("map",),
    "attention": ("map",),
    "rkd": ("hidden",),
    "contrastive": ("hidden",),
}
KINDS = ("hard", "logits", "hidden", "map")
FEATURES = ("hidden", "map")


@dataclass(frozen=True)
class Term:
    """A loss and its weight in the sum."""

    name: str
    weight: float = 1.0


def parse(text: str) -> tuple[Term, ...]:
    """The weighted losses that a text names, in the order of ``REQUIRED_TARGETS``.

    Parameters
    ----------
    text : ``name`` or ``name:weight``, joined by ``,`` or ``+``. A weight is 1 unless given, and is kept to six
        significant digits. Losses of features alone train no classifier: such a sum gets ``label`` beside them.

    Raises
    ------
    ConfigError : a name that is no loss or comes twice, or a weight that is no positive number.
    """
    terms = [_term(part.strip(), text) for part in re.split(r"[,+](?=\s*[A-Za-z])", text)]
    names = [term.name for term in terms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"LOSS={text} names {', '.join(twice)} twice. Give each loss once, with its weight.")
    if all(set(REQUIRED_TARGETS[name]) & set(FEATURES) for name in names):
        terms.append(Term("label"))
    return tuple(sorted(terms, key=lambda term: list(REQUIRED_TARGETS).index(term.name)))


def canonical(text: str) -> str:
    """One text for all that mean the same sum: ``"hint + label:1"`` becomes ``"label,hint"``."""
    return ",".join(term.name if term.weight == 1 else f"{term.name}:{term.weight:g}" for term in parse(text))


def required_targets(text: str) -> tuple[str, ...]:
    """What of the teacher a sum needs: some of ``hard``, ``logits``, ``hidden`` and ``map``."""
    needed = {kind for term in parse(text) for kind in REQUIRED_TARGETS[term.name]}
    return tuple(kind for kind in KINDS if kind in needed)


def features(text: str) -> tuple[str, ...]:
    """The features of the teacher that a sum needs: some of ``hidden`` and ``map``."""
    return tuple(kind for kind in required_targets(text) if kind in FEATURES)


def _term(part: str, text: str) -> Term:
    name, colon, weight = (piece.strip() for piece in part.partition(":"))
    name = name.lower()
    if name not in REQUIRED_TARGETS:
        near = difflib.get_close_matches(name, REQUIRED_TARGETS, n=1)
        hint = (
            f"Did you mean {near[0]}?"
            if near
            else f"Losses: {', '.join(REQUIRED_TARGETS)}; a sum is soft:0.7,hint:0.3."
        )
        raise ConfigError(f"LOSS={text} names an unknown loss, {name!r}. {hint}")
    return Term(name, _weight(weight, part, text)) if colon else Term(name)


def _weight(weight: str, part: str, text: str) -> float:
    try:
        number = float(f"{float(weight):g}")
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(f"LOSS={text} has the term {part!r}, whose weight is no positive number. Write soft:0.7.")
    return number
