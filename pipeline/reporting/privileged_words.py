"""What privileged teachers gain and pass on, in sentences."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.reporting.cells import amount, apart, joined, lowered
from pipeline.reporting.methods import Method
from pipeline.reporting.privileged import Passed, lines, passed, read_by
from pipeline.reporting.recipes import pretty


def in_brief(methods: list[Method]) -> str:
    """What privileged teachers gain and pass on, in the headline metric, in sentences; empty without them."""
    every = passed(methods)
    sentences = []
    for teacher in dict.fromkeys((one.taught.teacher, one.taught.student) for one in every):
        members = [one for one in every if (one.taught.teacher, one.taught.student) == teacher]
        sentences += _told(members)
    return " ".join(sentences)


def _told(members: list[Passed]) -> list[str]:
    """Sentences on one teacher and one student, a share for every label budget."""
    first = members[0]
    estimates = [_estimates(one) for one in members]
    added = estimates[0].get("added")
    shares = [(one, found["share"]) for one, found in zip(members, estimates, strict=True) if "share" in found]
    told = [
        f"{_passed_on(share)}{_knowing(one) if len(members) > 1 else ''}"
        for one, share in shares
        if not np.isnan(share.value)
    ]
    sentences = [_added(first, added)] if added and not np.isnan(added.value) else []
    if told:
        sentences.append(
            f"Of {_named(first)}’s lead over the same student without a teacher, the {pretty(first.taught.student)} "
            f"student, which reads {joined(read_by(first.taught))} alone, gets {'; '.join(told)}."
        )
    missing = [(one, share.reason) for one, share in shares if np.isnan(share.value)]
    return sentences + [f"There is no lead to speak of{_knowing(one)}: {reason}." for one, reason in missing]


def _estimates(one: Passed) -> dict[str, Estimate]:
    """Every difference and share in the headline metric, by its name in code."""
    of = one.taught.headline
    rows = {role: {of: method.mean(of)} for role, method in one.members.items()}
    return {line.key: line.estimates[of] for line in lines(one, rows)}


def _added(one: Passed, added: Estimate) -> str:
    """What the teacher owes to what its student does not see."""
    metric = one.teacher.headline_metric
    verb, to = ("adds", "to") if added.value >= 0 else ("takes", "from")
    if metric.lower_is_better:
        verb, to = f"{'raises' if added.value >= 0 else 'lowers'} {lowered(metric.title)} by", "in"
    size = amount(metric, abs(added.value))
    return f"The {one.modality} {verb} {size} {to} {_named(one)} ({_between(added, metric)})."


def _named(one: Passed) -> str:
    return f"the {pretty(one.teacher.teacher)} teacher"


def _passed_on(share_of_lead: Estimate) -> str:
    """``31% (10 to 52)``"""
    value, low, high = (f"{100 * x:.0f}" for x in (share_of_lead.value, share_of_lead.low, share_of_lead.high))
    return f"{value}% ({low} to {high})".replace("-", "−")


def _knowing(one: Passed) -> str:
    """The labels that the students knew, after what is said of them."""
    return f" with {one.budget or 'all labels'}"


def _between(estimate: Estimate, metric: Metric) -> str:
    """The interval of a difference seen from the side of its sign, and whether it may be chance."""
    if np.isnan(estimate.low):
        return "no interval"
    ends = (estimate.low, estimate.high) if estimate.value >= 0 else (-estimate.high, -estimate.low)
    low, high = (apart(metric, end) for end in ends)
    return f"{low} to {high}" + ("" if estimate.excludes_zero else ", which may be chance")
