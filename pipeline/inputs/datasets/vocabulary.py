"""The words of the sample table's class targets, as the tasks bring them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.artifacts.suffixes import quoted
from pipeline.errors import DataError
from pipeline.tasks import TASKS, Task

# Further targets that a table's columns may hold: numbers of a face, kept as they are.
MEASURES = re.compile(r"au[0-9]{2}|pspi|asymmetry|(yaw|pitch|roll)_deg")
_NUMBER = re.compile(r"[+-]?([0-9]{1,15}\.?[0-9]{0,30}|\.[0-9]{1,30})(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
MOST = 1e9  # of a measure: sums of squares stay finite
MOST_NUMBERS = 10  # different values that an attribute of numbers has: with more it is a measure


@dataclass(frozen=True)
class Vocabulary:
    """The words of one class target.

    Parameters
    ----------
    target : the column of the sample table.
    words : every word that means a class, as ``plain`` makes it, and the class.
    """

    target: str
    words: Mapping[str, str]

    def word(self, text: str) -> str | None:
        """The class that a word means (case, spaces, - and _ do not matter), or None."""
        return self.words.get(plain(text))

    def covers(self, text: str) -> int:
        """2 for the name of a class, 1 for another word that means one, 0 for neither."""
        word = self.word(text)
        return 0 if word is None else 1 + (plain(word) == plain(text))

    @property
    def text(self) -> str:
        """All words by class, for a message."""
        classes = dict.fromkeys(self.words.values())
        others = {name: [word for word in self.words if self.words[word] == name != word] for name in classes}
        return "; ".join(
            " or ".join([name, *(word for word in others[name] if word != plain(name))]) for name in classes
        )


def plain(text: str) -> str:
    """A word without case, spaces, - and _."""
    return re.sub(r"[\s_\-]+", "", text.casefold())


def vocabularies(tasks: Iterable[Task] | None = None, signals: bool | None = None) -> dict[str, Vocabulary]:
    """The vocabulary of every target that a task of classes names by words; classes go before other tasks' aliases.

    Parameters
    ----------
    tasks : by default all.
    signals : only of tasks that read signals, or only of those that do not; by default of both.
    """
    words: dict[str, dict[str, str]] = {}
    asked = TASKS.values() if tasks is None else tasks
    asked = [task for task in asked if signals is None or ("signal" in task.student_inputs) == signals]
    named = [task for task in asked if task.kind == "classify"]
    for task in (task for task in named if not task.levels):
        words.setdefault(task.target, {}).update({plain(output): output for output in task.outputs})
    for task in (task for task in named if not task.levels):
        for alias, output in task.aliases:
            words[task.target].setdefault(plain(alias), output)
    return {target: Vocabulary(target, known) for target, known in words.items()}


def is_number(text: str) -> bool:
    """Whether a text is a finite number in plain digits, of at most ``MOST``."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) <= MOST


def check_measure(name: str, text: str) -> None:
    """Refuse a word where a number belongs, and a number that no task that asks for it can mean.

    Raises
    ------
    DataError : it is no finite number in plain digits, or beyond the bounds of the task whose target it is; the message
        is the reason, as ``kind: detail``.
    """
    if not is_number(text):
        raise DataError(f"unknown {name}: {quoted(text)}, expected a number up to {MOST:g}, or an empty cell")
    for task in TASKS.values():
        if task.target == name and task.bounds and not task.bounds[0] <= float(text) <= task.bounds[1]:
            low, high = task.bounds
            raise DataError(f"out of range: {name} {float(text):g}, expected {low:g} to {high:g}")


def is_target(column: str, vocabulary: Mapping[str, Vocabulary]) -> bool:
    """Whether a table's column of this name answers a task or is a measure of the face."""
    asked = {task.target for task in TASKS.values() if task.kind != "points"}  # these have many columns
    return column in vocabulary or column in asked or MEASURES.fullmatch(column) is not None
