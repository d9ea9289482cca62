"""Our training loop beside the same step on a tensor that never leaves the device, in both arithmetics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from tests.benchmarks import loops
from tests.benchmarks.measure import Figure, Way, figure, interleaved
from tests.helpers.presets import DEMO

BATCH = 32
STRONG = replace(loops.PLAN, strong="align")


def run(quick: bool) -> Iterator[Figure]:
    """Images a second of the demo preset's student."""
    faces, rounds = (64, 1) if quick else (512, 5)
    student = DEMO.student("deit")
    with loops.noise(faces) as few:
        ours = loops.Training(student, few, BATCH)
        single = loops.Training(student, few, BATCH, precision="float32")
        strong = loops.Training(student, few, BATCH, plan=STRONG)
        rates = interleaved(
            {
                "ours": ours.ours,
                "the same step with its views on a tensor on the device": ours.resident(with_views=True),
                "the same step without views": ours.resident(with_views=False),
                "strong views": strong.ours,
                "float32": single.ours,
                "one thread": _on_one_thread(ours.ours),
            },
            rounds,
        )
    first, *others = rates
    wanted = {others[0]: 0.97}
    for other in others:
        two = {name: rates[name] for name in (first, other)}
        yield figure("distill", f"{student.label}, batch {BATCH}", two, other, "images/s", wanted.get(other))


def _on_one_thread(way: Way) -> Way:
    def alone():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return way()
        finally:
            torch.set_num_threads(threads)

    return alone
