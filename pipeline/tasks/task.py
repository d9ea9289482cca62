"""What every task says of itself: one frozen ``Task``, data that no code branches on by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import ConfigError
from pipeline.fields import read_number
from pipeline.tasks.schemes import SCHEMES

JOINED = "+"  # between the levels of one class
AXES = "xy"
EXPLAINED_KINDS = ("classify", "regress")  # whose answers a report explains by heat maps
QUARTERS = (0.25, 0.5, 0.75)  # of the range of a number that nobody says more of: where it is cut


@dataclass(frozen=True)
class Task:
    """A task: what a network is asked about a sample, and where a dataset keeps the answer.

    Code branches on ``kind`` and on the modalities of ``teacher_inputs`` and ``student_inputs``, each through one
    table, and never on ``name``.

    Parameters
    ----------
    name : as ``TASK=`` takes it.
    kind : ``classify``, ``multilabel``, ``regress`` or ``points``.
    target : the column of ``samples.csv`` that answers; of several labels each has a column of its own name. Of points
        the set of them in ``points.h5``.
    outputs : what is answered, in its order: classes, labels, numbers or points.
    aliases : other words of the column and the output that each means.
    levels : for a column of numbers, (bound, output) by ascending bound: a number means the output of the last bound
        that it reaches, and no output where that is empty.
    prepare : how inputs are prepared: ``align`` (faces), ``resize`` (frames) or ``window`` (signals).
    teacher_inputs, student_inputs : modalities; one that only teachers read is privileged.
    headline : the metric that compares models.
    positive : of two classes, the one that precision, recall and ranking speak of, of several labels the one that is
        told first; by default the last.
    ordered : whether the classes are levels, so that MAE, RMSE and quadratic kappa mean something.
    mirrored : for each output of a mirrored view, the number that it had before; empty: it stays.
    bounds : of a number, the lowest and the highest value that there can be.
    cuts : of a number, values that are of interest as thresholds, ascending.
    hard_negatives : a 0/1 column of samples that are easily taken for the positive class, reported apart.
    sample, samples : what one input and several are called in sentences.
    subject : what is recognised, in a sentence.
    demo : the shipped demo set, a folder of ``data/demo``.
    presets : by preset, what this task changes of it: field of ``Preset`` → value, or → fields of its stage's config.
    study : likewise, what the preset ``demo`` changes over the shipped set alone, so that its report tells something
        within minutes.
    sweeps : losses that are compared together, by the name that ``LOSSES=`` takes for all of them.
    """

    name: str
    kind: str
    target: str
    outputs: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    levels: tuple[tuple[float, str], ...] = ()
    prepare: str = "align"
    teacher_inputs: tuple[str, ...] = ("rgb",)
    student_inputs: tuple[str, ...] = ("rgb",)
    headline: str = "balanced_accuracy"
    positive: str = ""
    ordered: bool = False
    mirrored: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    hard_negatives: str = ""
    sample: str = field(default="face", metadata={"affects": False})
    samples: str = field(default="faces", metadata={"affects": False})
    subject: str = field(default="", metadata={"affects": False})
    demo: str = field(default="pain", metadata={"affects": False})
    presets: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata={"affects": False, "recorded": False}, hash=False
    )
    study: Mapping[str, Any] = field(default_factory=dict, metadata={"affects": False, "recorded": False}, hash=False)
    sweeps: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, metadata={"affects": False, "recorded": False}, hash=False
    )

    @property
    def explained(self) -> bool:
        """Whether a report explains its answers by heat maps: where all networks read pictures of one camera."""
        return self.kind in EXPLAINED_KINDS and self.teacher_inputs == self.student_inputs == ("rgb",)

    def read(self, cell: Any) -> str | None:
        """The output that a cell of the target column means; None where it means none of them.

        Parameters
        ----------
        cell : a word or a number, as a table has it; empty or NaN where the dataset does not say.
        """
        text = str(cell).strip()
        if self.levels:
            number = _number(text)
            reached = [output for bound, output in self.levels if number >= bound]  # nothing is reached by NaN
            return (reached[-1] or None) if reached else None
        word = dict(self.aliases).get(text, text)
        return word if word in self.outputs else None

    def grouped(self, text: str) -> Task:
        """The same question about some levels, each a class of its own or several joined to one.

        Parameters
        ----------
        text : levels in any of their words. ``0,4``: each is a class. With bars, these part the classes and commas join
            levels: ``0|1,2|3,4``. A sample of a level that is left out has no answer. Classes come in the order of
            their levels, and one of several is called ``PA1+PA2``.

        Raises
        ------
        ConfigError : the task has no levels, or the text names one that there is not, one twice, fewer than two
            classes, or classes whose levels interleave.
        """
        if not self.ordered:
            raise ConfigError(f"LEVELS={text}: the classes of TASK={self.name} are no levels. Leave LEVELS out.")
        parts = [part.split(",") for part in text.split("|")] if "|" in text else [[part] for part in text.split(",")]
        classes = sorted(sorted(self._level(word, text) for word in part) for part in parts)
        named = [level for levels in classes for level in levels]
        if len(set(named)) < len(named):
            raise ConfigError(f"LEVELS={text} names a level twice. Name each once: LEVELS=0,4 or LEVELS='0|1,2|3,4'")
        if len(classes) < 2:
            raise ConfigError(f"LEVELS={text} is one class, at least two are needed: LEVELS=0,4 or LEVELS='0|1,2|3,4'")
        if named != sorted(named):
            raise ConfigError(f"LEVELS={text}: levels of one class lie between those of another. Join neighbours.")
        outputs = tuple(JOINED.join(self.outputs[level] for level in levels) for levels in classes)
        of = {self.outputs[level]: name for name, levels in zip(outputs, classes, strict=True) for level in levels}
        return replace(
            self,
            outputs=outputs,
            aliases=tuple((word, of[old]) for word, old in self.words.items() if old in of and of[old] != word),
            levels=tuple((bound, of.get(old, "")) for bound, old in self.levels),
            positive=of.get(self.positive, ""),
        )

    def labelled(self, text: str) -> Task:
        """The same question about other labels.

        Parameters
        ----------
        text : columns of 0 and 1, separated by commas.

        Raises
        ------
        ConfigError : the task has no labels, or the text names none or one twice.
        """
        if self.kind != "multilabel":
            raise ConfigError(f"LABELS={text}: TASK={self.name} has no labels of its own columns. Leave LABELS out.")
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"LABELS={text} names no label, or one twice. Name columns of 0 and 1: LABELS=fire,smoke")
        return replace(self, outputs=names, target=names[0], positive=self.positive if self.positive in names else "")

    def about(self, target: str | None, bounds: str | None) -> Task:
        """The same question about another number, or within other bounds.

        Parameters
        ----------
        target : the column of the sample table; None: the same.
        bounds : lowest and highest value, ``0,27``; None: the same.

        Raises
        ------
        ConfigError : the task asks for no number, a text is none, or another number comes without its bounds.
        """
        given = f"TARGET={target}" if bounds is None else f"RANGE={bounds}"
        if self.kind != "regress":
            raise ConfigError(f"{given}: TASK={self.name} asks for no number. Leave it out, or give TASK=intensity.")
        name = (target or self.target).strip()
        if bounds is None and name != self.target:
            raise ConfigError(
                f"TARGET={name} has a lowest and a highest value that nobody knows. Give both: RANGE=0,27"
            )
        if bounds is None:
            return self
        ends = [read_number(end) for end in bounds.split(",")]
        if len(ends) != 2 or None in ends or not ends[0] < ends[1]:
            raise ConfigError(f"RANGE={bounds}: expected the lowest and the highest value, such as RANGE=0,27")
        low, high = map(float, ends)
        cuts = tuple(low + share * (high - low) for share in QUARTERS)
        return replace(self, target=name, outputs=(name,), bounds=(low, high), cuts=cuts)

    def pointed(self, count: int) -> Task:
        """The same question about another set of points.

        Raises
        ------
        ConfigError : the task asks for no points, or there is no such set.
        """
        if self.kind != "points":
            raise ConfigError(f"POINTS={count}: TASK={self.name} asks for no points. Leave POINTS out.")
        if count not in SCHEMES:
            raise ConfigError(f"POINTS={count}: there are sets of {', '.join(map(str, SCHEMES))} points. Choose one.")
        scheme = SCHEMES[count]
        return replace(self, target=f"points{count}", outputs=scheme.names, mirrored=scheme.mirrored)

    @property
    def numbers(self) -> tuple[str, ...]:
        """What a network answers with: a number for each output, of points one for each axis."""
        return numbers_of(self.kind, self.outputs)

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of ``samples.csv`` that answer."""
        return self.outputs if self.kind == "multilabel" else (self.target,)

    def _level(self, word: str, text: str) -> int:
        """The number of the level that a word means."""
        output = self.words.get(word.strip()) or self.read(word)
        if output is None:
            others = {name: [alias for alias, meant in self.aliases if meant == name] for name in self.outputs}
            levels = ", ".join(" or ".join([name, *aliases]) for name, aliases in others.items())
            raise ConfigError(f"LEVELS={text} names {word.strip()!r}, TASK={self.name} has the levels {levels}.")
        return self.outputs.index(output)

    @property
    def words(self) -> dict[str, str]:
        """Every word that means an output, and the output."""
        return {output: output for output in self.outputs} | dict(self.aliases)

    @property
    def positive_output(self) -> int:
        """Number of the output that two-class metrics speak of."""
        return self.outputs.index(self.positive) if self.positive else len(self.outputs) - 1


def numbers_of(kind: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the numbers that a network of a kind of task answers with."""
    return tuple(f"{name}_{axis}" for name in outputs for axis in AXES) if kind == "points" else tuple(outputs)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
