"""The report's section of compressed forms: what was measured, or why nothing was."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from pipeline.reporting import compressed, contents, page
from pipeline.tasks import PAIN
from tests.reporting.conftest import visible


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high, "undefined": 0, "reason": ""}


def row(name, megabytes, latency, metric, difference=None, **more):
    times = {f"b{count}_t{threads}": latency * count / threads for threads in (1, 2) for count in (1, 32)}
    made = {"format": name, "file": f"{name}.onnx", "megabytes": megabytes, "parameters": 2_800_000, "gflops": 0.3}
    made |= {"latency_ms": times, "metric": estimate(*metric), "alike": "97.5 % of 144 classes", **more}
    return made | ({"difference": estimate(*difference), "p_value": 0.2} if difference else {})


TOLD = {
    "model": "student-deit-swin-hard-s0-cv5-0",
    "headline": PAIN.headline,
    "samples": 144,
    "subjects": 72,
    "confidence": 0.95,
    "processor": "A quick one",
    "vnni": True,
    "busy": "The machine was busy, with a load of 9.0 on 2 cores.",
    "slower": ["int8 is 1.2 times slower here than float32 (batch of 1, 1 thread)."],
    "rows": [
        row("torch float32", 11.3, 4.0, (0.9, 0.85, 0.95)),
        row("int8", 3.1, 4.8, (0.88, 0.82, 0.93), (-0.02, -0.05, 0.01), left_out=["a", "b"], int8_operators=37),
        row("pruned", 6.8, 2.0, (0.86, 0.8, 0.92), (-0.04, None, None), pruned_channels=0.34, pruned_parameters=0.41),
    ],
}


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(TOLD))
    return SimpleNamespace(file=lambda _: path)


@pytest.fixture
def section(material, benchmark):
    return compressed.compressed(dataclasses.replace(material, benchmarks=[benchmark]))


def test_each_form_has_its_size_its_times_and_its_paired_difference(section):
    shown = section.tables["compressed"].shown
    assert list(shown["Form"]) == ["torch, float32", "ONNX, int8", "ONNX, pruned"]
    assert list(shown["ms, batch 1"]) == ["4.00 / 2.00", "4.80 / 2.40", "2.00 / 1.00"]
    assert [str(cell) for cell in shown["Balanced accuracy"]][:2] == ["90.0 [85.0–95.0]", "88.0 [82.0–93.0]"]
    assert [str(cell) for cell in shown["Difference"]] == ["—", "−2.0 [−5.0 to +1.0]", "−4.0"]
    numbers = section.tables["compressed"].numbers
    assert list(numbers["left_out"].iloc[1:2]) == [2]
    assert numbers["difference_low"].iloc[1] == -0.05
    assert numbers["ms_b32_t2"].iloc[0] == 64.0


def test_the_figure_speaks_of_every_form(section):
    alt = section.figures["compressed"].alt
    assert "ONNX, int8 88.0 at 4.80 ms" in alt
    assert alt.count(" ms") == len(TOLD["rows"])


def test_without_a_benchmark_there_is_no_section_but_a_missing_package_is_named(material):
    assert compressed.compressed(material) is None
    config = dataclasses.replace(material.config, benchmark=True, lacking="onnxruntime")
    told = compressed.compressed(dataclasses.replace(material, config=config))
    assert told.words["lacking"] == "onnxruntime"
    assert not told.tables


def test_the_page_says_what_pruning_took_and_what_is_slower(material, section, monkeypatch):
    lacking = dataclasses.replace(section, tables={}, figures={}, words=section.words | {"lacking": "onnxruntime"})
    for chosen, expected in (
        (
            section,
            (
                "34% of the channels, which is 41% of the parameters",
                "1.2 times slower here",
                "a load of 9.0",
                "student-deit-swin-hard-s0",
            ),
        ),
        (lacking, ("the packages onnxruntime are not installed",)),
    ):
        monkeypatch.setattr(contents, "sections", lambda _, chosen=chosen: [chosen])
        html = visible(page.render(**contents.collect(material)))
        assert all(text in html for text in expected)
        assert "cv5" not in html
