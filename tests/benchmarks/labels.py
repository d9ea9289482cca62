"""Teacher-labels beside the bare teacher on random tensors, what views cost, and what bfloat16 gains."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import Architecture
from tests.benchmarks import loops
from tests.benchmarks.measure import Figure, figure, interleaved
from tests.helpers.presets import DEMO, PAPER, networks

BARE, VIEWS = "the bare teacher on random tensors", 2


def run(quick: bool) -> Iterator[Figure]:
    """Images a second: the demo set's teachers, and the paper's with random weights."""
    faces, rounds = (128, 1) if quick else (1024, 5)
    with loops.noise(faces) as few:
        for name in DEMO.teachers:
            teacher = loops.ensemble(networks(DEMO)[name], "cpu", "auto")
            yield from _demo(networks(DEMO)[name], loops.Labelling(teacher, few, 64, VIEWS), rounds)
    with loops.noise(16 if quick else 64) as some, loops.noise(16) as few:
        for name in PAPER.teachers:
            network = networks(PAPER)[name]
            asked = loops.Labelling(loops.ensemble(network, "cpu", "auto"), some, 16)
            single = loops.Labelling(loops.ensemble(network, "cpu", "float32"), few, 16)
            rates = interleaved({"ours": asked.samples, BARE: asked.bare, "float32": single.samples}, rounds)
            for against, least in ((BARE, 0.95), ("float32", None)):
                two = {way: rates[way] for way in ("ours", against)}
                yield figure("teacher-labels", _name(network), two, against, "images/s", least)


def _demo(network: Architecture, asked: loops.Labelling, rounds: int) -> Iterator[Figure]:
    ways = {"ours": asked.samples, BARE: asked.bare, "with the view": asked.bare_with_view, "views": asked.views}
    rates = interleaved(ways, rounds)
    for way, what in (("ours", "the faces"), ("views", f"{VIEWS} drawn views of each face")):
        two = {name: rates[name] for name in (way, BARE)}
        yield figure("teacher-labels", f"{_name(network)}, {what}", two, BARE, "images/s")
    two = {name: rates[name] for name in ("ours", "with the view")}
    yield figure(
        "teacher-labels", f"{_name(network)}, the faces", two, "the same, resized from 256 px", "images/s", 0.95
    )


def _name(network: Architecture) -> str:
    return f"{network.label or network.name} at {network.image_size} px"
