"""What a student minimises, written as text: ``hard``, ``soft:0.7,hint:0.3``, ``soft+label``, ``soft@swin``.

The text is read without torch, so that the graph knows what of a teacher a student needs before anything is loaded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError
from pipeline.fields import read_number

# What each loss needs of a teacher.
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
    "features": ("hidden",),
    "relation": ("hidden",),
}
# Of several labels; a loss of one class against the others has no meaning for them. Losses of features have for all.
OF_LABELS = ("label", "hard", "soft")
KINDS_OF_TARGETS = ("hard", "logits", "hidden", "map")
FEATURES = ("hidden", "map")
BASELINE = "label"  # what is learned without a teacher
LEAST_WEIGHT, MOST_WEIGHT = 1e-6, 1e6  # beyond, a sum of float32 loses a term or itself
ONE_TEACHER = "teacher"  # the role of a student's only teacher


@dataclass(frozen=True)
class Term:
    """A loss, its weight in the sum, and the role of the teacher that it is about; empty: of all teachers."""

    name: str
    weight: float = 1.0
    role: str = ""

    @property
    def text(self) -> str:
        """The term as it is written."""
        name = f"{self.name}@{self.role}" if self.role else self.name
        return name if self.weight == 1 else f"{name}:{self.weight:g}"


def parse(text: str) -> tuple[Term, ...]:
    """The weighted losses that a text names, in the order of ``REQUIRED_TARGETS``.

    Parameters
    ----------
    text : ``name``, ``name:weight`` or ``name@role:weight``, joined by ``,`` or ``+``. A weight is 1 unless given, and
        is kept to six significant digits. Losses of features alone train no classifier: such a sum gets ``label``
        beside them.

    Raises
    ------
    ConfigError : a name that is no loss or comes twice, or a weight that is no positive number within bounds.
    """
    terms = [_term(part.strip(), text) for part in re.split(r"[,+](?=\s*[A-Za-z])", text)]
    names = [(term.name, term.role) for term in terms]
    twice = sorted({name for name, role in names if names.count((name, role)) > 1})
    if twice:
        raise ConfigError(f"LOSS={text} names {', '.join(twice)} twice. Give each loss once, with its weight.")
    if all(set(REQUIRED_TARGETS[term.name]) & set(FEATURES) for term in terms):
        terms.append(Term(BASELINE))
    return tuple(sorted(terms, key=lambda term: (list(REQUIRED_TARGETS).index(term.name), term.role)))


def canonical(text: str) -> str:
    """One text for all that mean the same sum: ``"hint + label:1"`` becomes ``"label,hint"``."""
    return ",".join(term.text for term in parse(text))


def required_targets(text: str, role: str = ONE_TEACHER) -> tuple[str, ...]:
    """What of the teacher in a role a sum needs: some of ``hard``, ``logits``, ``hidden`` and ``map``."""
    needed = {kind for term in parse(text) if term.role in ("", role) for kind in REQUIRED_TARGETS[term.name]}
    return tuple(kind for kind in KINDS_OF_TARGETS if kind in needed)


def features(text: str, role: str = ONE_TEACHER) -> tuple[str, ...]:
    """The features of the teacher in a role that a sum needs: some of ``hidden`` and ``map``."""
    return tuple(kind for kind in required_targets(text, role) if kind in FEATURES)


def roles(teachers: str) -> dict[str, str]:
    """Teachers by role, from a text such as ``swin`` or ``resnet+swin``: of several, each plays the role of its name.

    Raises
    ------
    ConfigError : a teacher comes twice.
    """
    names = [name.strip() for name in teachers.split("+")]
    if len(set(names)) < len(names) or not all(names):
        raise ConfigError(f"TEACHER={teachers} names a teacher twice, or none between two plus signs.")
    return {ONE_TEACHER: names[0]} if len(names) == 1 else dict(zip(names, names, strict=True))


def check_roles(text: str, teachers: Sequence[str]) -> None:
    """Refuse a sum that speaks of a teacher in a role that nobody plays.

    Raises
    ------
    ConfigError : naming the role and those that there are.
    """
    unknown = sorted({term.role for term in parse(text)} - {"", *teachers})
    if unknown:
        raise ConfigError(
            f"LOSS={text} speaks of {', '.join(unknown)}, the teachers are {', '.join(teachers)}. "
            "Write soft@NAME for one of several teachers, soft for all of them."
        )


def check_kind(text: str, kind: str) -> None:
    """Refuse a sum with a loss that has no meaning for a kind of task.

    Raises
    ------
    ConfigError : naming the losses that have.
    """
    features = [name for name, needed in REQUIRED_TARGETS.items() if set(needed) & set(FEATURES)]
    fitting = [*OF_LABELS, *features] if kind == "multilabel" else list(REQUIRED_TARGETS)
    wrong = [term.name for term in parse(text) if term.name not in fitting]
    if wrong:
        raise ConfigError(
            f"LOSS={text}: {', '.join(wrong)} compares the classes of one choice, and each label here is a choice of "
            f"its own. Choose among {', '.join(fitting)}."
        )


def _term(part: str, text: str) -> Term:
    head, colon, weight = (piece.strip() for piece in part.partition(":"))
    name, _, role = (piece.strip() for piece in head.partition("@"))
    name = name.lower()
    if name not in REQUIRED_TARGETS:
        near = difflib.get_close_matches(name, REQUIRED_TARGETS, n=1)
        losses = f"Losses: {', '.join(REQUIRED_TARGETS)}; a sum is soft:0.7,hint:0.3."
        raise ConfigError(
            f"LOSS={text} names an unknown loss, {name!r}. {f'Did you mean {near[0]}?' if near else losses}"
        )
    return Term(name, _weight(weight, part, text) if colon else 1.0, role)


def _weight(weight: str, part: str, text: str) -> float:
    number = read_number(weight)
    if number is None or not LEAST_WEIGHT <= number <= MOST_WEIGHT:
        raise ConfigError(
            f"LOSS={text} has the term {part!r}, whose weight is no positive number from {LEAST_WEIGHT:g} to "
            f"{MOST_WEIGHT:g}. Write soft:0.7."
        )
    return float(f"{number:g}")
