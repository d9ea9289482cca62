"""The answer to the research question in words, as sure as the data are and no surer."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import NO_TEACHER
from pipeline.reporting.methods import HEADLINE, Difference, Method, differences, pretty
from pipeline.reporting.tables import signed


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
    sentences = [transfer, _help(baseline), _size(best, methods, found), _hard_case(best)]
    return Answer(headline, tuple(sentence for sentence in sentences if sentence))


def _transfer(d: Difference) -> tuple[str, str]:
    """The headline and the sentence on the two best taught students."""
    first, second = f"the {pretty(d.first.teacher)} teacher", f"the {pretty(d.second.teacher)} teacher"
    reached = (
        f"Students of {first} reached {_share(d.first)} balanced accuracy on held-out subjects, "
        f"students of {second} {_share(d.second)}"
    )
    gap = f"a difference of {_points(d)}{_seeds(d)}"
    if d.settled:
        headline = f"{pretty(d.first.teacher)} transfers better than {pretty(d.second.teacher)}"
        return headline, f"{reached}: {gap}. The interval excludes zero, so on these data {first} transfers better."
    why = "The interval includes zero" if not d.estimate.excludes_zero else "The seeds disagree about its sign"
    return (
        "These data cannot tell which teacher transfers better",
        f"{reached}: {gap}. {why}, so no teacher can be called the better one on these data.",
    )


def _nothing_to_compare(methods: list[Method]) -> tuple[str, str]:
    taught = [m for m in methods if not m.is_teacher and m.teacher != NO_TEACHER]
    reached = "; ".join(f"{m.title}: {_share(m)}" for m in methods)
    return (
        "One question needs two teachers",
        f"Which teacher transfers better takes students of at least two teachers, this report has {len(taught)}. "
        f"Balanced accuracy on held-out subjects: {reached}.",
    )


def _help(found: list[Difference]) -> str:
    """Whether a student did better with a teacher than without."""
    if not found:
        return ""
    parts = [
        f"the {pretty(d.first.teacher)} teacher {_added(d)}" + ("" if d.settled else ", which may be chance")
        for d in found
    ]
    return f"Against the same student without a teacher ({_share(found[0].second)}), {'; '.join(parts)}."


def _size(student: Method | None, methods: list[Method], found: list[Difference]) -> str:
    """The student's cost beside that of its teacher."""
    teacher = next((m for m in methods if m.is_teacher and student and m.teacher == student.teacher), None)
    if student is None or teacher is None:
        return ""
    small, big = student.cost, teacher.cost
    against = next((d for d in found if d.first is student and d.second is teacher), None)
    kept = f", at {_points(against)} against that teacher" if against else ""
    return (
        f"The student has {small['parameters'] / 1e6:.1f} million parameters ({_ratio(small, big, 'parameters')} "
        f"the {pretty(teacher.teacher)} teacher's), needs {small['gflops']:.2f} GFLOPs a face "
        f"({_ratio(small, big, 'gflops')}) and answers in {small['latency_ms']:.1f} ms on one processor thread "
        f"({_ratio(small, big, 'latency_ms')}){kept}."
    )


def _hard_case(student: Method | None) -> str:
    """Specificity among expressive faces, where neutral against pain no longer helps."""
    if student is None:
        return ""
    calm, expressive = student.estimate("specificity"), student.estimate("specificity_expressive")
    if expressive.reason:
        return ""
    return (
        f"Telling pain from a neutral face is the easy case: {student.title} rejects {100 * calm.value:.1f}% of all "
        f"faces without pain, but {100 * expressive.value:.1f}% (95% interval {100 * expressive.low:.1f} to "
        f"{100 * expressive.high:.1f}) of those with another expression."
    )


def _share(method: Method) -> str:
    return f"{100 * method.estimate(HEADLINE).value:.1f}%"


def _points(d: Difference) -> str:
    level = f"{100 * d.first.confidence:g}"
    return (
        f"{signed(d.estimate.value)} percentage points ({level}% interval {signed(d.estimate.low)} to "
        f"{signed(d.estimate.high)})"
    )


def _added(d: Difference) -> str:
    verb = "added" if d.estimate.value >= 0 else "cost"
    return f"{verb} {abs(100 * d.estimate.value):.1f} points ({signed(d.estimate.low)} to {signed(d.estimate.high)})"


def _seeds(d: Difference) -> str:
    if len(d.per_seed) < 2:
        return ""
    return f", mean over {len(d.per_seed)} seeds ({', '.join(signed(value) for value in d.per_seed)})"


def _ratio(small: dict, big: dict, name: str) -> str:
    ratio = small[name] / big[name]
    return f"{100 * ratio:.0f}% of" if name == "parameters" else f"{100 * ratio:.0f}%"
