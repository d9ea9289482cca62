"""What a student minimises, written as text: ``hard``, ``soft:0.7,hint:0.3``, ``soft+label``, ``soft@swin``.

The text is read without torch, so that the graph knows what of a teacher a student needs before anything is loaded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import role_and_network
from pipeline.errors import ConfigError
from pipeline.fields import read_number

# What each loss needs of a teacher.
REQUIRED_TARGETS = {
    "label": (),
    "smooth_l1": (),
    "ccc": (),
    "wing": (),
    "hard": ("hard",),
    "soft": ("logits",),
    "dkd": ("logits",),
    "dist": ("logits",),
    "main": ("logits",),
    "assistive": ("logits",),
    "kd": ("logits",),
    "cosine": ("hidden",),
    "hint": ("map",),
    "attention": ("map",),
    "rkd": ("hidden",),
    "contrastive": ("hidden",),
    "features": ("hidden",),
    "relation": ("hidden",),
}
# By kind of task: the losses of its outputs. Those of features have a meaning for every kind.
OF_OUTPUTS = {
    "classify": ("label", "hard", "soft", "dkd", "dist"),
    "multilabel": ("label", "hard", "soft"),
    "regress": ("label", "smooth_l1", "ccc", "soft"),
    "points": ("label", "wing", "soft", "main", "assistive", "kd"),
}
ANSWERS = {
    "classify": "one class of several",
    "multilabel": "several yes-or-no labels",
    "regress": "numbers",
    "points": "the points of a face",
}
KINDS_OF_TARGETS = ("hard", "logits", "hidden", "map")
FEATURES = ("hidden", "map")
BASELINE = "label"  # what is learned without a teacher unless TRUTH_LOSS says otherwise
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


def parse(text: str, option: str = "LOSS") -> tuple[Term, ...]:
    """The weighted losses that a text names, in the order of ``REQUIRED_TARGETS``.

    Parameters
    ----------
    text : ``name``, ``name:weight`` or ``name@role:weight``, joined by ``,`` or ``+``. A weight is 1 unless given, and
        is kept to six significant digits. Losses of features alone train no classifier: such a sum gets ``label``
        beside them.
    option : that the text is given by, for messages.

    Raises
    ------
    ConfigError : a name that is no loss or comes twice, or a weight that is no positive number within bounds.
    """
    terms = [_term(part.strip(), f"{option}={text}") for part in re.split(r"[,+](?=\s*[A-Za-z])", text)]
    names = [(term.name, term.role) for term in terms]
    twice = sorted({name for name, role in names if names.count((name, role)) > 1})
    if twice:
        raise ConfigError(f"{option}={text} names {', '.join(twice)} twice. Give each loss once, with its weight.")
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
    """Teachers by role, from a text such as ``swin``, ``resnet+swin`` or ``tough=resnet18+tolerant=resnet18``.

    Of several, each plays the role that stands before its network, or else that of its name. A single one has the role
    ``ONE_TEACHER``, whatever its name.

    Raises
    ------
    ConfigError : a teacher comes twice, a role is played twice, or a role or a network is empty.
    """
    names = [name.strip() for name in teachers.split("+")]
    if len(set(names)) < len(names) or not all(names):
        raise ConfigError(f"TEACHER={teachers} names a teacher twice, or none between two plus signs.")
    played = {name: role_and_network(name) for name in names}
    by_role = {role.strip(): name for name, (role, _) in played.items()}
    if not all(part.strip() for both in played.values() for part in both):
        raise ConfigError(
            f"TEACHER={teachers} has a role without a network, or a network without its role. "
            "Write tough=resnet18, or the name alone."
        )
    if len(by_role) < len(names):
        raise ConfigError(
            f"TEACHER={teachers} has two teachers in one role: {', '.join(role for role, _ in played.values())}. "
            "Give each a role of its own: TEACHER=tough=resnet18+tolerant=resnet18"
        )
    return {ONE_TEACHER: names[0]} if len(names) == 1 else by_role


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
    fitting = [
        name for name, needed in REQUIRED_TARGETS.items() if name in OF_OUTPUTS[kind] or set(needed) & set(FEATURES)
    ]
    _refuse(text, "LOSS", kind, [term.name for term in parse(text) if term.name not in fitting], fitting)


def check_truth_loss(text: str, kind: str) -> None:
    """Refuse what nobody can learn without a teacher, or not of a kind of task.

    Raises
    ------
    ConfigError : naming the losses that can be learned.
    """
    option = "TRUTH_LOSS"
    terms = parse(text, option)
    fitting = [name for name in OF_OUTPUTS[kind] if not REQUIRED_TARGETS[name]]
    taught = [term.text for term in terms if REQUIRED_TARGETS[term.name] or term.role]
    if taught:
        raise ConfigError(
            f"{option}={text}: {', '.join(taught)} needs a teacher, and this is what is learned without one. "
            f"Choose among {', '.join(fitting)}."
        )
    _refuse(text, option, kind, [term.name for term in terms if term.name not in fitting], fitting)


def _refuse(text: str, option: str, kind: str, wrong: Sequence[str], fitting: Sequence[str]) -> None:
    """Say which losses fit the answers of a kind of task, where some do not."""
    if wrong:
        raise ConfigError(
            f"{option}={text}: {', '.join(wrong)} has no meaning where the answer is {ANSWERS[kind]}. "
            f"Choose among {', '.join(fitting)}."
        )


def _term(part: str, given: str) -> Term:
    head, colon, weight = (piece.strip() for piece in part.partition(":"))
    name, _, role = (piece.strip() for piece in head.partition("@"))
    name = name.lower()
    if name not in REQUIRED_TARGETS:
        near = difflib.get_close_matches(name, REQUIRED_TARGETS, n=1)
        losses = f"Losses: {', '.join(REQUIRED_TARGETS)}; a sum is soft:0.7,hint:0.3."
        raise ConfigError(f"{given} names an unknown loss, {name!r}. {f'Did you mean {near[0]}?' if near else losses}")
    return Term(name, _weight(weight, part, given) if colon else 1.0, role)


def _weight(weight: str, part: str, given: str) -> float:
    number = read_number(weight)
    if number is None or not LEAST_WEIGHT <= number <= MOST_WEIGHT:
        raise ConfigError(
            f"{given} has the term {part!r}, whose weight is no positive number from {LEAST_WEIGHT:g} to "
            f"{MOST_WEIGHT:g}. Write soft:0.7."
        )
    return float(f"{number:g}")
