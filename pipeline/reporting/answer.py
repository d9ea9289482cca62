"""The answer to the research question in words, as sure as the data are and no surer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.config import NO_TEACHER
from pipeline.metrics import METRICS
from pipeline.reporting.cells import short
from pipeline.reporting.methods import HEADLINE, Difference, Method, differences, pretty


@dataclass(frozen=True)
class Answer:
    """A headline and the sentences under it."""

    headline: str
    sentences: tuple[str, ...]


def answer(methods: list[Method]) -> Answer:
    """Which teacher transfers better, whether teaching helped, how small the student is, and the hard case."""
    found = differences(methods)
    between = [d for d in found if not d.second.is_teacher and d.second.teacher != NO_TEACHER]
    baseline = [d for d in found if d.second.teacher == NO_TEACHER]
    headline, transfer = _transfer(between[0]) if between else _nothing_to_compare(methods)
    students = [m for m in methods if not m.is_teacher]
    best = max(students, key=lambda m: (m.teacher != NO_TEACHER, m.estimate(HEADLINE).value), default=None)
    if any(math.isnan(m.estimate(HEADLINE).value) for m in methods):
        return Answer(headline, (transfer,))
    sentences = [transfer, *_help(baseline), _size(best, methods, found), _hard_case(best)]
    return Answer(headline, tuple(sentence for sentence in sentences if sentence))


def _transfer(d: Difference) -> tuple[str, str]:
    """The headline and the sentence on the two best taught students."""
    if math.isnan(d.estimate.value):
        return "The test faces cannot answer the question", f"Balanced accuracy {METRICS[HEADLINE].undefined}."
    first, second = f"the {pretty(d.first.teacher)} teacher", f"the {pretty(d.second.teacher)} teacher"
    reached = (
        f"{pretty(d.first.student)} students of {first} reached {_share(d.first)} balanced accuracy on held-out "
        f"subjects, students of {second} {_share(d.second)}: a difference of {_points(d.estimate.value)} percentage "
        f"points ({_known(d)}){_seeds(d)}."
    )
    if math.isnan(d.estimate.low):
        return "Too few test subjects to tell which teacher transfers better", reached
    if d.settled:
        headline = f"{pretty(d.first.teacher)} transfers better than {pretty(d.second.teacher)}"
        return headline, f"{reached} The interval excludes zero, so on these data {first} transfers better."
    why = "The interval includes zero" if not d.estimate.excludes_zero else "The seeds disagree about its sign"
    return (
        "These data cannot tell which teacher transfers better",
        f"{reached} {why}, so neither teacher can be called the better one on these data.",
    )


def _nothing_to_compare(methods: list[Method]) -> tuple[str, str]:
    teachers = {m.teacher for m in methods if not m.is_teacher and m.teacher != NO_TEACHER}
    reached = "; ".join(f"{m.title}: {_share(m)}" for m in methods)
    return (
        "No answer yet: the question needs students of two teachers",
        f"Which teacher transfers better takes students of two teachers, this report has {len(teachers) or 'none'}. "
        f"Balanced accuracy on held-out subjects: {reached}.",
    )


def _help(found: list[Difference]) -> list[str]:
    """For each student, whether it did better with a teacher than without."""
    students = dict.fromkeys(d.second.student for d in found)
    return [_added([d for d in found if d.second.student == name]) for name in students]


def _added(found: list[Difference]) -> str:
    """What each teacher added to one student."""
    parts = [
        f"the {pretty(d.first.teacher)} teacher {'added' if d.estimate.value >= 0 else 'cost'} "
        f"{_points(abs(d.estimate.value))} points ({_interval(d)}){'' if d.settled else ', which may be chance'}"
        for d in found
    ]
    untaught = found[0].second
    return f"Against the {pretty(untaught.student)} student without a teacher ({_share(untaught)}), {'; '.join(parts)}."


def _size(student: Method | None, methods: list[Method], found: list[Difference]) -> str:
    """The student's cost beside that of its teacher."""
    teacher = next((m for m in methods if m.is_teacher and student and m.teacher == student.teacher), None)
    if student is None or teacher is None:
        return ""
    small, big = student.cost, teacher.cost
    ratio = {name: f"{100 * small[name] / big[name]:.0f}%" for name in ("parameters", "gflops", "latency_ms")}
    against = next(d for d in found if d.first is student and d.second is teacher)
    side = "above" if against.estimate.value >= 0 else "below"
    return (
        f"{_capital(student.phrase)} has {short(small['parameters'] / 1e6)} million parameters, {ratio['parameters']} "
        f"of its teacher’s; it needs {short(small['gflops'])} GFLOPs a face ({ratio['gflops']}) and answers in "
        f"{short(small['latency_ms'])} ms on one processor thread ({ratio['latency_ms']}). Its balanced accuracy "
        f"stands {_points(abs(against.estimate.value))} points {side} that teacher’s ({_interval(against)})."
    )


def _hard_case(student: Method | None) -> str:
    """Specificity among expressive faces, where neutral against pain no longer helps."""
    if student is None:
        return ""
    calm, expressive = student.estimate("specificity"), student.estimate("specificity_expressive")
    if expressive.reason:
        return ""
    return (
        f"Telling pain from a neutral face is the easy case. {_capital(student.phrase)} recognises "
        f"{100 * calm.value:.1f}% of all faces without pain, and {100 * expressive.value:.1f}% "
        f"({100 * expressive.low:.1f} to {100 * expressive.high:.1f}) of those with another expression."
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _share(method: Method) -> str:
    return f"{100 * method.estimate(HEADLINE).value:.1f}%"


def _points(share: float) -> str:
    """A share as percentage points with a true minus."""
    text = f"{100 * share:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "−")


def _interval(d: Difference) -> str:
    if math.isnan(d.estimate.low):
        return "no interval"
    return f"{_points(d.estimate.low)} to {_points(d.estimate.high)}"


def _known(d: Difference) -> str:
    if math.isnan(d.estimate.low):
        return "no interval, there is one test subject"
    return f"{100 * d.first.confidence:g}% interval {_interval(d)}"


def _seeds(d: Difference) -> str:
    if len(d.per_seed) < 2:
        return ""
    return f", the mean over {len(d.per_seed)} seeds ({', '.join(_points(value) for value in d.per_seed)})"
