"""The answer to the research question in words, as sure as the data are and no surer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.config import NO_TEACHER
from pipeline.reporting import budget, effects, power, privileged_words
from pipeline.reporting.cells import (
    amount,
    amounts,
    apart,
    in_points,
    joined,
    lowered,
    probability,
    short,
    valued,
    words,
)
from pipeline.reporting.effects import TEACHING, Effect
from pipeline.reporting.methods import Method, favourite, teacher_of
from pipeline.reporting.recipes import level, pretty

HARD_CASE = "specificity_hard_negatives"  # among hard negatives


@dataclass(frozen=True)
class Answer:
    """A headline, what it leaves open, and the sentences under it."""

    headline: str
    aside: str
    sentences: tuple[str, ...]

    @property
    def whole(self) -> str:
        """The headline with what it leaves open, on one line."""
        return f"{self.headline}. {self.aside}." if self.aside else self.headline


def answer(methods: list[Method], comparisons: list[Effect]) -> Answer:
    """Which teacher transfers better, whether teaching helped, what the other choices changed, size, the hard case.

    Where the teachers cannot be told apart, the headline is what is settled of teaching and of labels; where nothing
    is, it says what could not have been seen.

    Parameters
    ----------
    comparisons : all of `pipeline.reporting.effects.effects`.
    """
    order = effects.ranked(comparisons)
    headline, transfer = _transfer(comparisons, order) if order else _nothing_to_compare(methods)
    rivals = effects.between(comparisons, *order[:2]) if order else None
    headline, aside = _led(headline, comparisons, rivals)
    if any(math.isnan(m.estimate(m.headline).value) for m in methods):
        return Answer(headline, aside, (transfer,))
    student = favourite(methods)
    sentences = [
        transfer,
        privileged_words.in_brief(methods),
        _others(comparisons, order),
        power.sentence(rivals) if rivals and not rivals.settled else "",
        _teaching([e for e in comparisons if e.factor == TEACHING]),
        budget.in_brief(methods),
        _views([e for e in comparisons if e.factor == "views"]),
        _folds([e for e in comparisons if e.factor == "folds"]),
        _size(student, methods),
        _hard_case(student),
    ]
    return Answer(headline, aside, tuple(sentence for sentence in sentences if sentence))


def _led(headline: str, comparisons: list[Effect], rivals: Effect | None) -> tuple[str, str]:
    """What leads the page, and what stands beside it.

    Parameters
    ----------
    rivals : the two best teachers.
    """
    if rivals and rivals.settled:
        return headline, ""
    settled = _settled(comparisons)
    return (settled, headline) if settled else (headline, power.unseen(rivals) if rivals else "")


def _transfer(comparisons: list[Effect], order: list[str]) -> tuple[str, str]:
    """The headline and the sentence on the two best teachers."""
    e = effects.between(comparisons, *order[:2])
    if e is None:
        return _unmatched(order)
    if math.isnan(e.estimate.value):
        metric, samples = e.metric, e.pairs[0][0].task.samples
        return f"The test {samples} cannot answer the question", f"{metric.title} {metric.undefined}."
    first, second = (f"the {name} teacher" for name in e.names)
    reached = (
        f"{_students(e)} of {first} reached {valued(e.metric, e.reached[0])} {_measure(e)} on "
        f"{e.pairs[0][0].tested_on}, students of {second} {valued(e.metric, e.reached[1])}: {_difference(e)} "
        f"({_known(e)}){_seeds(e)}."
    )
    degree = "better" if len(order) == 2 else "best"
    if math.isnan(e.estimate.low):
        return f"Too few test subjects to tell which teacher transfers {degree}", reached
    if e.settled:
        rivals = [effects.between(comparisons, order[0], name) for name in order[1:]]
        beaten = [rival.names[1] for rival in rivals if rival and rival.settled]
        headline = f"{e.names[0]} transfers better than {joined(beaten)}"
        return headline, f"{reached} {_why(e)}, so on these data {first} transfers better."
    return (
        f"These data cannot tell which teacher transfers {degree}",
        f"{reached} {_why(e)}, so neither teacher can be called the better one on these data.",
    )


def _settled(comparisons: list[Effect]) -> str:
    """What of teaching, else of labels, the data settle: where the effect is largest; empty where that is nothing."""
    settled = sorted((e for e in comparisons if e.settled), key=lambda e: -abs(e.estimate.value))
    teaching = [e for e in settled if e.factor == TEACHING]
    if teaching:
        alike = [e for e in teaching if (e.labelled, e.gains) == (teaching[0].labelled, teaching[0].gains)]
        teachers = f"the {joined([e.names[0] for e in alike])} teacher{'s' * (len(alike) > 1)}"
        return _capital(f"{_budget(alike[0])}{teachers} {_adds(alike)}")
    labels = [e for e in settled if e.factor == "labelled"]
    if not labels:
        return ""
    e, size = labels[0], amount(labels[0].metric, abs(labels[0].estimate.value))
    change = f"{'gain' if e.gains else 'lose'} {size}"
    if e.metric.lower_is_better:
        change = f"have {_measure(e)} {size} {'lower' if e.gains else 'higher'}"
    return f"With {' instead of '.join(e.names)} subjects, students {change}"


def _adds(alike: list[Effect]) -> str:
    """``adds 1.2 points``, ``cost 3.0 and 1.2 points``, ``lowers NME by 0.31 points``: effects of one sign."""
    e, ending = alike[0], "s" * (len(alike) == 1)
    sizes = amounts(e.metric, [abs(e.estimate.value) for e in alike])
    if e.metric.lower_is_better:
        return f"{'lower' if e.gains else 'raise'}{ending} {_measure(e)} by {sizes}"
    return f"{'add' if e.gains else 'cost'}{ending} {sizes}"


def _budget(e: Effect) -> str:
    """The labels that students of a comparison knew, before what it says; empty where those were all."""
    return f"with {level('labelled', e.labelled)} subjects, " if e.labelled else ""


def _why(e: Effect) -> str:
    """The reason for the verdict."""
    if e.settled:
        agree = " and every seed agrees" if len(e.per_seed) > 1 else ""
        return f"The interval excludes zero{agree}"
    if not e.estimate.excludes_zero:
        return "The interval includes zero"
    if not e.significant:
        return "The interval excludes zero, but not after the correction for several comparisons"
    return "The seeds disagree about its sign"


def _unmatched(order: list[str]) -> tuple[str, str]:
    names = joined([pretty(name) for name in order[:2]])
    return (
        "No answer yet: the best teachers share no recipe",
        f"{names} have no students with the same loss, views and folds, so that a difference between them could be "
        "that of their recipes.",
    )


def _nothing_to_compare(methods: list[Method]) -> tuple[str, str]:
    teachers = {m.teacher for m in methods if m.is_taught}
    metric = methods[0].headline_metric
    reached = "; ".join(f"{m.title}: {valued(metric, m.estimate(m.headline).value)}" for m in methods)
    if len(teachers) > 1:
        headline = "No answer yet: the question needs students of two teachers that share a recipe"
        need = "students of two teachers with the same student, loss, views and folds; this report has none"
    else:
        headline = "No answer yet: the question needs students of two teachers"
        need = f"students of two teachers, this report has {len(teachers) or 'none'}"
    tested = f"{metric.title} on {methods[0].tested_on}"
    return headline, f"Which teacher transfers better takes {need}. {tested}: {reached}."


def _others(comparisons: list[Effect], order: list[str]) -> str:
    """What the sentence on the two best leaves out, where there are more teachers."""
    rest = [e for name in order[2:] if (e := effects.between(comparisons, order[0], name))]
    parts = [f"{_over(e)} the {e.names[1]} teacher’s ({_known(e)})" for e in rest]
    return f"Students of the {pretty(order[0])} teacher stood {joined(parts)}." if parts else ""


def _teaching(comparisons: list[Effect]) -> str:
    """What each teacher added to a student without one, a sentence for every number of labelled subjects."""
    budgets = sorted({e.labelled for e in comparisons})
    return " ".join(_taught([e for e in comparisons if e.labelled == labelled]) for labelled in budgets)


def _taught(comparisons: list[Effect]) -> str:
    """What each teacher added to a student without one that knew the same labels."""
    parts = [f"the {e.names[0]} teacher {_change(e, 'added', 'cost')}" for e in comparisons]
    metric = comparisons[0].metric
    untaught = {m.student for e in comparisons for _, m in e.pairs}
    reached = {e.reached[1] for e in comparisons}
    who = f"the {pretty(*untaught)} student" if len(untaught) == 1 else "students"
    reference = f" ({valued(metric, *reached)})" if len(reached) == 1 else ""
    return _capital(f"{_budget(comparisons[0])}against {who} without a teacher{reference}, {'; '.join(parts)}.")


def _views(comparisons: list[Effect]) -> str:
    """What a fixed label for each sample cost or gained against answers for many views of it."""
    parts = [
        f"{_change(e, 'cost', 'gained', of_second=True)} against answers for {e.first} views"
        for e in comparisons
        if e.second == 1
    ]
    if not parts:
        return ""
    sample = comparisons[0].pairs[0][0].task.sample
    return f"One fixed label for each {sample} {'; it '.join(parts)}."


def _folds(comparisons: list[Effect]) -> str:
    """What labels from teachers that had not seen the sample gained or cost."""
    parts = [f"over {e.first} folds {_change(e, 'gained', 'cost')}" for e in comparisons if e.second == 0]
    return f"Against the labels of one teacher, cross-fitting {'; '.join(parts)}." if parts else ""


def _size(student: Method | None, methods: list[Method]) -> str:
    """The student's cost beside that of its teacher."""
    teacher = teacher_of(student, methods) if student else None
    if teacher is None:
        return ""
    small, big = student.cost, teacher.cost
    ratio = {name: f"{100 * small[name] / big[name]:.0f}%" for name in ("parameters", "gflops", "latency_ms")}
    metric = student.headline_metric
    against = effects.effect(TEACHING, student.teacher, NO_TEACHER, ((student, teacher),)).estimate
    side = "above" if against.value >= 0 else "below"
    size = f"{apart(metric, abs(against.value))}{in_points(metric, ' points')}"
    low, high = (apart(metric, end) for end in (against.low, against.high))
    sure = "no interval" if math.isnan(against.low) else f"{low} to {high}"
    return (
        f"{_capital(student.phrase)} has {short(small['parameters'] / 1e6)} million parameters, {ratio['parameters']} "
        f"of its teacher’s; it needs {short(small['gflops'])} GFLOPs a {student.task.sample} ({ratio['gflops']}) and "
        f"answers in {short(small['latency_ms'])} ms on one processor thread ({ratio['latency_ms']}). Its "
        f"{lowered(metric.title)} stands {size} {side} that teacher’s ({sure})."
    )


def _hard_case(student: Method | None) -> str:
    """Specificity among hard negatives, which are easily taken for the positive class; empty where there are none."""
    if student is None or HARD_CASE not in student.values:
        return ""
    task, every, hard = student.task, student.estimate("specificity"), student.estimate(HARD_CASE)
    if hard.reason:
        return ""
    positive, samples = words(task.outputs[task.positive_output]), task.samples
    return (
        f"Telling {positive} from {samples} that are not {words(task.hard_negatives)} is the easy case. "
        f"{_capital(student.phrase)} recognises {100 * every.value:.1f}% of all {samples} without {positive}, and "
        f"{100 * hard.value:.1f}% ({100 * hard.low:.1f} to {100 * hard.high:.1f}) of the "
        f"{words(task.hard_negatives)} ones."
    )


def _students(e: Effect) -> str:
    """Whose students were compared, and over how many recipes."""
    names = {m.student for m, _ in e.pairs}
    who = f"{pretty(*names)} students" if len(names) == 1 else "students"
    if len(e.pairs) == 1:
        return _capital(who) if len(names) > 1 else who
    return f"Over the {len(e.pairs)} recipes that both teachers have, {who}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _measure(e: Effect) -> str:
    """The headline metric, in a sentence."""
    return lowered(e.metric.title)


def _difference(e: Effect) -> str:
    """``a difference of 5.0 percentage points``, or ``0.31 percentage points lower NME, which is better``."""
    unit = in_points(e.metric, " percentage points")
    if not e.metric.lower_is_better:
        return f"a difference of {apart(e.metric, e.estimate.value)}{unit}"
    side, judged = ("lower", "better") if e.gains else ("higher", "worse")
    return f"{apart(e.metric, abs(e.estimate.value))}{unit} {side} {_measure(e)}, which is {judged}"


def _over(e: Effect) -> str:
    """How far students stood over others; of an error, under them."""
    return f"{amount(e.metric, e.better)} {'under' if e.metric.lower_is_better else 'over'}"


def _change(e: Effect, up: str, down: str, of_second: bool = False) -> str:
    """``added 1.2 points (0.1 to 2.3)``: a verb, the size of the effect, its interval and how sure it is.

    Of an error: ``lowered NME by 0.31 points (0.10 to 0.52)``.

    Parameters
    ----------
    up, down : of a higher and of a lower value of the first.
    of_second : whether the sentence is about the second, which did what the first undid.
    """
    verb, seen = (up, e) if e.estimate.value >= 0 else (down, effects.turned(e))
    if e.metric.lower_is_better:
        verb = f"{'raised' if (seen is e) != of_second else 'lowered'} {_measure(e)} by"
    chance = "" if e.settled else ", which may be chance"
    return f"{verb} {amount(e.metric, seen.estimate.value)} ({_interval(seen)}{chance})"


def _interval(e: Effect) -> str:
    if math.isnan(e.estimate.low):
        return "no interval"
    return f"{apart(e.metric, e.estimate.low)} to {apart(e.metric, e.estimate.high)}"


def _known(e: Effect) -> str:
    """Interval and corrected p-value."""
    if math.isnan(e.estimate.low):
        return "no interval, there is one test subject"
    p, name = probability(e.adjusted), "p" if e.adjusted == e.p_value else "corrected p"
    return f"{100 * e.confidence:g}% interval {_interval(e)}; {name} {p if p.startswith('<') else f'= {p}'}"


def _seeds(e: Effect) -> str:
    if len(e.per_seed) < 2:
        return ""
    return f", the mean over {len(e.per_seed)} seeds ({', '.join(apart(e.metric, v) for v in e.per_seed.values())})"
