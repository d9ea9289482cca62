"""What is said of latencies."""

from __future__ import annotations

import torch

from pipeline.inputs.views.image import InputSpec
from pipeline.serving import timing

SPECS = {"rgb": InputSpec(8, (0.5,) * 3, (0.5,) * 3), "ir": InputSpec(8, (0.5,), (0.5,))}


def test_every_setting_is_timed_with_its_batch_and_threads():
    asked = set()

    def engine(threads):
        return lambda inputs: asked.add((threads, torch.get_num_threads(), inputs["rgb"].shape, inputs["ir"].shape))

    found = timing.latencies(engine, SPECS, 1e-4)
    assert list(found) == list(timing.SETTINGS)
    assert all(milliseconds >= 0 for milliseconds in found.values())
    expected = {(t, t, (count, 3, 8, 8), (count, 1, 8, 8)) for t in (1, 2) for count in (1, 32)}
    assert asked == expected


def test_what_is_slower_is_said_in_words_and_what_is_faster_is_not():
    rows = {
        "float32": {"latency_ms": {"b1_t1": 2.0, "b32_t1": 30.0, "b1_t2": 2.0, "b32_t2": 20.0}},
        "int8": {"latency_ms": {"b1_t1": 2.4, "b32_t1": 15.0, "b1_t2": 2.05, "b32_t2": 30.0}},
    }
    assert timing.slower(rows, {"int8": "float32", "pruned": "float32"}) == [
        "int8 is 1.2 times slower here than float32 (batch of 1, 1 thread).",
        "int8 is 1.5 times slower here than float32 (batch of 32, 2 threads).",
    ]
