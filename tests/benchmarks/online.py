"""A student that learns from cached answers beside one whose teacher answers in every step, and when a cache pays."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from pipeline.presets import Preset
from tests.benchmarks import loops
from tests.benchmarks.measure import Figure, alone, interleaved
from tests.helpers.presets import DEMO, PAPER, networks

SYNPAIN_TRAINING_FACES = 7_497  # 70% of 10,710
DEMO_TRAINING_FACES = 504


def run(quick: bool) -> Iterator[Figure]:
    """Epochs a minute of both presets' students, and the number of runs after which a cache is cheaper."""
    small, large = (32, 4) if quick else (256, 12)
    yield from _preset(DEMO, small, DEMO.distill.batch_size if not quick else 16, DEMO_TRAINING_FACES, quick)
    yield from _preset(PAPER, large, 4, SYNPAIN_TRAINING_FACES, quick)


def _preset(preset: Preset, count: int, batch: int, trained_faces: int, quick: bool) -> Iterator[Figure]:
    student = preset.student(preset.students[0])
    with loops.noise(count) as samples:
        for name in preset.teachers:
            teacher = loops.ensemble(networks(preset)[name], "cpu", "auto")
            with loops.cached(teacher, samples, batch) as kept:
                ways = {
                    "cached": loops.Training(student, samples, batch, teachers=kept).ours,
                    "online": loops.Training(student, samples, batch, teachers=loops.online(teacher)).ours,
                    "labels": loops.Labelling(teacher, samples, batch).samples,
                }
                rates = interleaved(ways, 1 if quick else 5)
            yield from _figures(preset, name, rates, trained_faces)


def _figures(preset: Preset, teacher: str, rates: dict[str, list[float]], faces: int) -> Iterator[Figure]:
    cached, labels = (statistics.median(rates[way]) for way in ("cached", "labels"))
    ratio = statistics.median(a / b for a, b in zip(rates["cached"], rates["online"], strict=True))
    student = preset.student(preset.students[0])
    what = f"{student.name}, labels of {networks(preset)[teacher].name}, {faces:,} faces"
    a_minute = 60 / faces
    yield Figure(
        *("distill", what, cached * a_minute, "epochs/min", statistics.median(rates["online"]) * a_minute),
        *("the teacher in the loop", ratio),
    )
    if ratio <= 1:  # the teacher is so small beside the student that its time is lost in the machine's noise
        return
    # A cache of one view asks the teacher once for each face, an online run once for each face and epoch.
    epochs = preset.distill.epochs
    saved = epochs * (ratio - 1) / cached
    for views, name in ((1, "one view"), (epochs, f"a view for each of {epochs} epochs")):
        what = f"{teacher} of {preset.name}, {name}: runs that pay for its cache"
        yield alone("teacher-labels", what, views / labels / saved, "runs")
